import { shortID } from "../digest/random-id.ts";
import { isVarveError } from "../errors.ts";
import type { ImageID } from "../image/image.ts";
import type { RWLayer } from "../layer/rw-layer.ts";
import { NEVER } from "./container/new-record.ts";
import { type ContainerSelection, selectContainers } from "./container-filter.ts";
import { type Container, commandOf, mountsOf } from "./containers.ts";
import { type InspectedMount, recordedMounts, statusOf } from "./inspect-container.ts";
import type { Workspace } from "./workspace.ts";

/** One line of `docker ps -a`. */
export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  /** As the user named it, if that still is the image; else the beginning of the image's id. */
  readonly image: string;
  readonly imageID: ImageID;
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  readonly command: string;
  /** `created`, `running`, `exited` and so on. */
  readonly status: string;
  /** Of what ran last; 0 where nothing did. */
  readonly exitCode: number;
  /** RFC 3339; the year 1 where it never ran. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Names of volumes and paths of the host. */
  readonly mounts: readonly string[];
  /** How many of them are volumes that Docker keeps itself. */
  readonly localVolumes: number;
  readonly networks: readonly string[];
  /** The mounts as the record tells them: of a volume without a name of its own not the place. */
  readonly mountPoints: readonly InspectedMount[];
  /** Bytes that it wrote; only where they were asked for and its writable layer can be read. */
  readonly size?: number;
  /** That, and the layers that it is made on; where there is a `size`. */
  readonly rootSize?: number;
}

/**
 * Newest first. To be called inside `read`.
 *
 * @throws VarveError as `selectContainers`
 */
export function listContainers(workspace: Workspace, selection: ContainerSelection = {}): ContainerSummary[] {
  const { containers, warn } = workspace;
  return selectContainers(workspace, containers.list(warn), selection).map((container) => ({
    id: container.id,
    name: container.name,
    image: imageNameOf(workspace, container),
    imageID: container.image,
    created: container.created,
    command: commandOf(container),
    status: statusOf(container),
    ...recordedFields(container),
    mountPoints: recordedMounts(container),
  }));
}

function recordedFields(
  container: Container,
): Pick<ContainerSummary, "exitCode" | "startedAt" | "finishedAt" | "labels" | "mounts" | "localVolumes" | "networks"> {
  const { State, Config, NetworkSettings } = container.record as {
    State?: { ExitCode?: number; StartedAt?: string; FinishedAt?: string } | null;
    Config?: { Labels?: Record<string, string> | null } | null;
    NetworkSettings?: { Networks?: object | null } | null;
  };
  const mounts = mountsOf(container);
  return {
    exitCode: State?.ExitCode ?? 0,
    startedAt: State?.StartedAt ?? NEVER,
    finishedAt: State?.FinishedAt ?? NEVER,
    labels: Config?.Labels ?? {},
    mounts: mounts.map(({ name, source }) => name || source).sort(),
    localVolumes: mounts.filter(({ driver }) => driver === "local").length,
    networks: Object.keys(NetworkSettings?.Networks ?? {}),
  };
}

/**
 * What each container wrote, in bytes, as far as its writable layer can be read. That takes a look at all its files, so
 * it is done outside of the lock, and what is deleted meanwhile is left out. Needs root.
 *
 * @param ids of which containers; of all unless said
 */
export async function writtenSizes(workspace: Workspace, ids?: readonly string[]): Promise<Map<string, number>> {
  const { layers } = workspace;
  const found = await workspace.read(() =>
    (ids ?? layers.rwNames()).filter((name) => layers.hasRW(name)).map((name) => layers.getRW(name)),
  );
  const sizes: [RWLayer, number][] = [];
  const failures = new Map<string, unknown>();
  for (const layer of found) {
    try {
      sizes.push([layer, await layer.size()]);
    } catch (error) {
      failures.set(layer.name, error);
    }
  }
  return await workspace.read(() => {
    const isThere = (name: string, mountID: string): boolean =>
      layers.hasRW(name) && layers.getRW(name).record.mountID === mountID;
    for (const { name, record } of found)
      if (failures.has(name) && isThere(name, record.mountID)) throw failures.get(name);
    return new Map(
      sizes.filter(([{ name, record }]) => isThere(name, record.mountID)).map(([{ name }, size]) => [name, size]),
    );
  });
}

/** Bytes of the layers that a container is made on. To be called inside `read`. */
export function sizeBelow({ layers }: Workspace, id: string): number {
  const known = layers.map();
  let size = 0;
  for (let chain = layers.hasRW(id) ? layers.getRW(id).parent?.chainID : undefined; chain !== undefined; ) {
    size += known.get(chain)?.size ?? 0;
    chain = known.get(chain)?.parent;
  }
  return size;
}

/** Docker shows the name as long as it leads to the container's image. */
function imageNameOf(workspace: Workspace, { image, record }: Container): string {
  const { Image: named = "" } = (record.Config ?? {}) as { Image?: string };
  try {
    if (named !== "" && workspace.find(named).image.id === image) return named;
  } catch (error) {
    if (!isVarveError(error)) throw error;
  }
  return shortID(image);
}
