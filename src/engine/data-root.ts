import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { asVarveError, VarveError } from "../errors.ts";
import { IdMap } from "../fstree/id-map.ts";
import { isRoot } from "../sys/rank.ts";

/** Where a data-root lies and whose ids its trees carry. */
export interface DataRoot {
  /** Absolute; with user namespace remapping the `<uid>.<gid>` directory below the configured one. */
  readonly path: string;
  readonly idMap: IdMap | undefined;
}

/** `VARVE_ROOT`, else Docker's own `/var/lib/docker` for root and `varve` under the user's data directory for others. */
export function defaultRoot(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.VARVE_ROOT) return resolve(environment.VARVE_ROOT);
  if (isRoot()) return "/var/lib/docker";
  return join(environment.XDG_DATA_HOME || join(homedir(), ".local", "share"), "varve");
}

/**
 * @param remap as dockerd's `--userns-remap`: `default`, `user[:group]` or `uid[:gid]`; the subordinate ids come from
 *   `/etc/subuid` and `/etc/subgid`, both under the user's name (FORMATS 6.9)
 * @throws VarveError `invalid-argument` when there is no such user or group, or the user has no subordinate ids
 */
export function locateDataRoot(root: string | undefined, remap: string | undefined): DataRoot {
  const base = root === undefined ? defaultRoot() : resolve(root);
  if (remap === undefined || remap === "") return { path: base, idMap: undefined };
  const idMap = remappedIDs(remap);
  return { path: join(base, `${idMap.root.uid}.${idMap.root.gid}`), idMap };
}

function remappedIDs(remap: string): IdMap {
  const [user = "", group] = remap.split(":", 2);
  if (group !== undefined) lookUp("/etc/group", group);
  return IdMap.ofUser(user === "default" ? "dockremap" : lookUp("/etc/passwd", user));
}

/** The name of the account that has this name or number. */
function lookUp(path: string, account: string): string {
  for (const line of readText(path).split("\n")) {
    const [name, , id] = line.split(":");
    if (name !== undefined && (name === account || id === account)) return name;
  }
  throw new VarveError("invalid-argument", `userns-remap: there is no "${account}" in ${path}`, { account, path });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw asVarveError(error);
  }
}
