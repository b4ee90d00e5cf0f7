import { constants, fchmodSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import { changeModeAt, closeFile, openAt, removeDirectoryAt, scanDirectory, unlinkAt } from "./at.ts";
import { type ByteString, fromBytes, fromText } from "./byte-string.ts";
import { CURRENT_DIRECTORY, errnoError } from "./libc.ts";
import { type Stat, statFile } from "./stat.ts";

/**
 * Removes whatever has this path and everything below it. Links are removed, never followed; what is gone already is
 * fine, also when another process removes the same tree. Works on trees deeper than any path could name, and without
 * root on own directories that forbid everything. A mount below the path stops it with `in-use` before anything that
 * was mounted is touched.
 */
export function removeTree(path: string | Buffer): void {
  const name = typeof path === "string" ? fromText(path) : fromBytes(path);
  // A final slash would make the kernel follow a link.
  removeTreeAt(CURRENT_DIRECTORY, name.replace(/(?<=[^/])\/+$/, "") as ByteString);
}

/** `removeTree` for a name in an open directory. */
export function removeTreeAt(dir: number, name: ByteString): void {
  const way: Level[] = [{ name: "" as ByteString, fd: dir, identity: undefined, directories: [], refills: 0 }];
  try {
    removeUnlessDirectory(way[0] as Level, name);
    for (let level = way[0] as Level; ; level = way.at(-1) as Level) {
      const next = level.directories.pop();
      if (next !== undefined) enter(way, next);
      else if (way.length > 1) leave(way);
      else return;
    }
  } finally {
    for (const level of way.slice(1)) if (level.fd !== CLOSED) closeFile(level.fd);
  }
}

/** A directory that is being emptied, below the one that is level 0 and stays. */
interface Level {
  readonly name: ByteString;
  /** `CLOSED` for a level of a deep tree that is not the lowest. */
  fd: number;
  /** How to know the directory again; level 0 is never closed. */
  readonly identity: string | undefined;
  /** What is left in it. */
  readonly directories: ByteString[];
  /** How often a directory in it had got new content while it was emptied. */
  refills: number;
}

const CLOSED = -1;
/** Descriptors are scarce: levels below this one are closed on the way down and found again on the way up. */
const OPEN_LEVELS = 128;
const MAX_REFILLS = 100;

/** Goes one level down and removes what is no directory there. */
function enter(way: Level[], name: ByteString): void {
  const above = way.at(-1) as Level;
  const fd = openUnlessGone(above, name);
  if (fd === undefined) return;
  const stat = statFile(fd);
  const level: Level = { name, fd, identity: identityOf(stat), directories: [], refills: 0 };
  way.push(level);
  if (stat.mountRoot) throw errnoError("EBUSY", "rmdir", name);
  if ((stat.mode & 0o700) !== 0o700) allowEverything(fd);
  for (const entry of scanDirectory(fd)) {
    if (entry.kind === "directory") level.directories.push(entry.name);
    else removeUnlessDirectory(level, entry.name);
  }
  if (way.length > OPEN_LEVELS && above.identity !== undefined) {
    closeFile(above.fd);
    above.fd = CLOSED;
  }
}

/** Goes one level up and removes the directory that has been emptied. */
function leave(way: Level[]): void {
  const level = way.at(-1) as Level;
  const above = way.at(-2) as Level;
  if (above.fd === CLOSED) above.fd = reopenAbove(level.fd, above);
  way.pop();
  closeFile(level.fd);
  try {
    removeDirectoryAt(above.fd, level.name);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return;
    if ((errno !== "ENOTEMPTY" && errno !== "EEXIST") || ++above.refills > MAX_REFILLS) throw error;
    above.directories.push(level.name);
  }
}

/** A directory that was moved while we were below it is no longer ours to empty. */
function reopenAbove(fd: number, above: Level): number {
  const found = openAt(fd, ".." as ByteString, constants.O_RDONLY | constants.O_DIRECTORY);
  if (identityOf(statFile(found)) === above.identity) return found;
  closeFile(found);
  throw errnoError("ESTALE", "open", above.name);
}

function identityOf(stat: Stat): string {
  return `${stat.device} ${stat.inode}`;
}

function removeUnlessDirectory(level: Level, name: ByteString): void {
  try {
    unlinkAt(level.fd, name);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EISDIR") level.directories.push(name);
    else if (errno !== "ENOENT") throw error;
  }
}

function openUnlessGone(above: Level, name: ByteString): number | undefined {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  try {
    return openAt(above.fd, name, flags);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return undefined;
    if (errno === "ENOTDIR" || errno === "ELOOP") {
      // Something else took the name since it was listed.
      removeUnlessDirectory(above, name);
      return undefined;
    }
    if (errno !== "EACCES") throw error;
  }
  changeModeAt(above.fd, name, 0o700);
  return openAt(above.fd, name, flags);
}

/** Where this fails, as on somebody else's directory, the removal that needed it fails next, and says why. */
function allowEverything(fd: number): void {
  try {
    fchmodSync(fd, 0o700);
  } catch {}
}
