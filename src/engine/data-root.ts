import { accessSync, constants, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { groupOnly, makeMissingDirectory, rootIdentity } from "../driver/home.ts";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import { IdMap } from "../fstree/id-map.ts";
import { namesIn } from "../io/directory.ts";
import { isRoot } from "../sys/rank.ts";

/** Where a data-root lies and whose ids its trees carry. */
export interface DataRoot {
  /** The configured directory, absolute and without symbolic links, as mounts will be listed. */
  readonly base: string;
  /** The same; with user namespace remapping the `<uid>.<gid>` directory below it. */
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
 * @throws VarveError `invalid-argument` when the path is empty, as of a variable that is not set; when there is no such user
 *   or group, or the user has no subordinate ids
 */
export function locateDataRoot(root: string | undefined, remap: string | undefined): DataRoot {
  if (root === "") throw new VarveError("invalid-argument", "the data-root's path is empty: name a directory");
  const base = realPath(root === undefined ? defaultRoot() : resolve(root));
  if (remap === undefined || remap === "") return { base, path: base, idMap: undefined };
  const idMap = remappedIDs(remap);
  return { base, path: join(base, `${idMap.root.uid}.${idMap.root.gid}`), idMap };
}

/**
 * Makes what is missing of it, 0710 and passable for the mapped root's group (FORMATS 6.9), and our own directory in it.
 *
 * @throws VarveError `permission` where we may not write
 */
export function makeDataRoot({ base, path, idMap }: DataRoot): void {
  const owner = groupOnly(rootIdentity(idMap));
  try {
    mkdirSync(dirname(base), { recursive: true });
    for (const directory of [base, path]) makeMissingDirectory(directory, 0o710, owner);
    makeMissingDirectory(join(path, SIDE), 0o700, { uid: 0, gid: 0 });
    accessSync(join(path, SIDE), constants.W_OK | constants.X_OK);
  } catch (error) {
    const why = { EROFS: "it is on a read-only file system", EACCES: "no permission" }[errnoOf(error) ?? ""];
    if (why === undefined) throw asVarveError(error);
    throw new VarveError("permission", `${path} cannot be changed: ${why}`, { path }, error);
  }
}

/** Where a data-root has what Docker's formats have no room for. */
export const SIDE = "varve";

/**
 * One that is not there yet is fine.
 *
 * @throws VarveError `permission` for a root that is somebody else's, `invalid-argument` for what is no directory
 */
export function refuseUnreadable({ path }: DataRoot): void {
  try {
    accessSync(join(path, "image"), constants.R_OK | constants.X_OK);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    if (errnoOf(error) === "ENOTDIR")
      throw new VarveError("invalid-argument", `${path} is no data-root: not a directory`, { path }, error);
    throw errnoOf(error) === "EACCES"
      ? new VarveError("permission", `no permission to read ${path}: run as its owner, or name another root`, { path })
      : asVarveError(error);
  }
}

/** The drivers under which the root has images; those of one show only when that driver is chosen. */
export function driversWithImages(root: string): string[] {
  return namesIn(join(root, "image")).filter(
    (name) => namesIn(join(root, "image", name, "imagedb", "content", "sha256")).length > 0,
  );
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

/** With the links of what exists of it resolved. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && dirname(path) !== path) return join(realPath(dirname(path)), basename(path));
    throw asVarveError(error);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw asVarveError(error);
  }
}
