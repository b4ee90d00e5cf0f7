import { shortID } from "../digest/random-id.ts";
import { isVarveError, VarveError } from "../errors.ts";
import { type Container, eventAttributes, mountsOf } from "./containers.ts";
import { statusOf } from "./inspect-container.ts";
import type { Workspace } from "./workspace.ts";

export interface RemoveContainerOptions {
  /** Also when its record says that it runs. */
  readonly force?: boolean | undefined;
  /** Also its volumes without a name that no other container has. */
  readonly volumes?: boolean | undefined;
  /** Only tells, by not failing, that it could be deleted. */
  readonly dryRun?: boolean | undefined;
}

/**
 * Deletes a container: its writable layer first, then its record, so that a failure leaves one that can be seen.
 *
 * @returns its id
 */
export async function removeContainer(
  workspace: Workspace,
  name: string,
  options: RemoveContainerOptions,
): Promise<string> {
  const { layers, containers, events } = workspace;
  const { container, layer } = await workspace.read(() => {
    const container = findRemovable(workspace, name, options);
    return { container, layer: layers.hasRW(container.id) ? layers.getRW(container.id) : undefined };
  });
  if (options.dryRun === true) {
    if (workspace.isContainerHeld(container.id)) throw inUse(container);
    return container.id;
  }
  const doubts: Disposable[] = [];
  const check = (): void => {
    findRemovable(workspace, container.id, options);
    if (workspace.isContainerHeld(container.id)) throw inUse(container);
    workspace.sweepMounts();
    if (layer?.parent !== undefined) doubts.push(workspace.doubt([layer.parent.chainID]));
  };
  try {
    if (layer !== undefined) await layers.releaseRW(layer, { check });
  } catch (error) {
    // Another process is about to delete it, or has been interrupted doing so.
    if (!isVarveError(error, "not-found")) throw error;
  }
  const unused = await workspace.commit(() => {
    containers.remove(findRemovable(workspace, container.id, options).id);
    for (const doubt of doubts) doubt[Symbol.dispose]();
    const unused = options.volumes === true ? setVolumesAside(workspace, container) : [];
    events.append({ type: "container", action: "destroy", id: container.id, attributes: eventAttributes(container) });
    return unused;
  });
  for (const name of unused) workspace.volumes.remove(name);
  return container.id;
}

/**
 * Takes the anonymous volumes of a container that is gone away from their names, so that nobody finds them any more; those
 * that another one has too stay.
 *
 * @returns what they are called now
 */
function setVolumesAside({ containers, volumes, events }: Workspace, container: Container): string[] {
  const used = new Set(containers.list().flatMap((other) => mountsOf(other).map(({ name }) => name)));
  const unused = mountsOf(container).filter(
    ({ type, name, driver, spec }) => type === "volume" && driver === "local" && spec.source === "" && !used.has(name),
  );
  return unused.flatMap(({ name }) => {
    if (!volumes.has(name)) return [];
    events.append({ type: "volume", action: "destroy", id: name, attributes: { driver: "local" } });
    return [volumes.setAside(name)];
  });
}

function findRemovable({ containers }: Workspace, name: string, { force }: RemoveContainerOptions): Container {
  const container = containers.find(name);
  if (!container.running || force === true) return container;
  const status = statusOf(container);
  const advice = "top the container before attempting removal or force remove";
  const first = status === "paused" ? "Unpause and then s" : "S";
  throw new VarveError("conflict", `You cannot remove a ${status} container ${container.id}. ${first}${advice}`, {
    container: container.id,
  });
}

function inUse({ id }: Container): VarveError {
  return new VarveError(
    "in-use",
    `container ${shortID(id)} is being read or written by another varve: try again when that has ended`,
    {
      container: id,
    },
  );
}
