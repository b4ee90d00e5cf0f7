import { statSync } from "node:fs";
import { errnoOf, isVarveError } from "../errors.ts";
import { treeSize } from "../fstree/size.ts";
import { refused } from "./container/refusal.ts";
import type { VolumeNote } from "./container/volumes.ts";
import { mountsOf } from "./containers.ts";
import { matchesLabels } from "./filters.ts";
import { readExpression } from "./go-expression.ts";
import type { Workspace } from "./workspace.ts";

/** A volume of Docker's driver `local`. */
export interface VolumeSummary {
  readonly name: string;
  /** Where its files are. */
  readonly path: string;
  /** RFC 3339, in seconds. */
  readonly created: string;
  /** As dockerd has noted them; `null` where none were given. */
  readonly labels: Readonly<Record<string, string>> | null;
  readonly options: Readonly<Record<string, string>> | null;
  /** How many containers have it. */
  readonly containers: number;
  /** Bytes of its files, where they were asked for; not of one with options, whose files may be anywhere. */
  readonly size?: number;
}

/** The filters of `docker volume ls`, each with its values. */
export interface VolumeFilters {
  /** `true` or `1` for volumes without a container, `false` or `0` for the others. */
  readonly dangling?: readonly string[] | undefined;
  readonly driver?: readonly string[] | undefined;
  /** `key` or `key=value`; all must match. */
  readonly label?: readonly string[] | undefined;
  /** Parts of names, or regular expressions on them. */
  readonly name?: readonly string[] | undefined;
}

/**
 * By name. Those of plugins are left out: only the plugins know them. To be called inside `read`.
 *
 * @throws VarveError `invalid-argument` with Docker's text for filters that it refuses
 */
export function listVolumes(workspace: Workspace, filters: VolumeFilters = {}): VolumeSummary[] {
  const { volumes } = workspace;
  const accepts = acceptorOf(filters);
  const notes = notesOf(workspace);
  const users = new Map<string, number>();
  for (const container of workspace.containers.list())
    for (const name of new Set(mountsOf(container).map(({ name }) => name)))
      users.set(name, (users.get(name) ?? 0) + 1);
  return volumes.names().flatMap((name): VolumeSummary[] => {
    const path = volumes.dataOf(name);
    const created = changeOf(path);
    if (created === undefined) return [];
    const { labels = null, options = null } = notes.get(name) ?? {};
    const volume = { name, path, created, labels, options, containers: users.get(name) ?? 0 };
    return accepts(volume) ? [volume] : [];
  });
}

/** Takes a look at all files of the volumes. Needs root. What is deleted meanwhile is left out. */
export function withSizes(volumes: readonly VolumeSummary[]): VolumeSummary[] {
  return volumes.flatMap((volume): VolumeSummary[] => {
    try {
      return [volume.options === null ? { ...volume, size: treeSize(volume.path) } : volume];
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  });
}

const FILTERS: readonly string[] = ["dangling", "driver", "label", "name"];

function acceptorOf(filters: VolumeFilters): (volume: VolumeSummary) => boolean {
  const stranger = Object.keys(filters).find((name) => !FILTERS.includes(name));
  if (stranger !== undefined) throw refused(`Invalid filter '${stranger}'`);
  const isDangling = danglingOf(filters.dangling);
  const names = filters.name?.map((name) => ({ name, matches: readExpression(name) })) ?? [];
  return ({ name, labels, containers }) =>
    (isDangling === undefined || isDangling === (containers === 0)) &&
    (!filters.driver?.length || filters.driver.includes("local")) &&
    (!filters.label?.length || matchesLabels(labels ?? undefined, filters.label)) &&
    (names.length === 0 || names.some((wanted) => wanted.name === name || wanted.matches(name)));
}

function danglingOf(values: readonly string[] | undefined): boolean | undefined {
  if (values === undefined) return undefined;
  if (values.length === 0 || values.includes("true") || values.includes("1")) return true;
  if (values.includes("false") || values.includes("0")) return false;
  throw refused(`Invalid filter 'dangling=[${values.join(" ")}]'`);
}

/** Volumes can be told without what a dockerd has noted of them. */
function notesOf({ volumes, warn }: Workspace): ReadonlyMap<string, VolumeNote> {
  try {
    return volumes.notes();
  } catch (error) {
    if (!isVarveError(error, "corrupt")) throw error;
    warn(`volumes are listed without labels and options: ${error.message}`);
    return new Map();
  }
}

/** Docker's idea of when a volume was made: when its directory was changed last. */
function changeOf(path: string): string | undefined {
  const change = statSync(path, { throwIfNoEntry: false })?.ctime;
  return change === undefined ? undefined : `${change.toISOString().slice(0, -".000Z".length)}Z`;
}
