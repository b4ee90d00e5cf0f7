import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import type { Identity, IdMap } from "../fstree/id-map.ts";
import { isRoot } from "../sys/rank.ts";

/** The container's root as the host sees it; plain root without a map. */
export function rootIdentity(idMap: IdMap | undefined): Identity {
  return idMap?.root ?? { uid: 0, gid: 0 };
}

/** Owned by root, with the mapped root's group, so that mapped containers may pass but not look (FORMATS 6.9). */
export function groupOnly(owner: Identity): Identity {
  return { uid: 0, gid: owner.gid };
}

/** Makes one directory with this mode whatever the umask and, for root, this owner. */
export function makeDirectory(path: string, mode: number, owner: Identity): void {
  mkdirSync(path, { mode });
  try {
    if (isRoot()) chownSync(path, owner.uid, owner.gid);
    chmodSync(path, mode);
  } catch (error) {
    rmdirSync(path);
    throw error;
  }
}

/** The home of a driver, and the data-root around it where that is missing too. Existing ones are left as they are. */
export function makeHome(home: string, mode: number, owner: Identity): void {
  const root = dirname(home);
  if (!existsSync(root)) {
    mkdirSync(dirname(root), { recursive: true });
    makeMissingDirectory(root, mode, owner);
  }
  makeMissingDirectory(home, mode, owner);
}

/** As `makeDirectory`, and fine with another process having been quicker. */
export function makeMissingDirectory(path: string, mode: number, owner: Identity): void {
  if (existsSync(path)) return;
  try {
    makeDirectory(path, mode, owner);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

/** Names of the directories in `path`; none when it is missing. */
export function directoriesIn(path: string): string[] {
  return coded(() => {
    if (!existsSync(path)) return [];
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  });
}

/** Runs `work` so that failing system calls come out as `VarveError`s. */
export function coded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asVarveError(error);
  }
}

/** The nearest directory at or above `path` that exists. */
export function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(join(path, ".."));
}

/** Refuses an ordinary user before anything has begun. */
export function needsRoot(what: string): void {
  if (!isRoot()) throw new VarveError("permission", `${what} needs root`, { what });
}
