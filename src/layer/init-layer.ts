import { constants } from "node:fs";
import { errnoOf } from "../errors.ts";
import {
  changeModeAt,
  changeOwnerAt,
  closeFile,
  makeDirectoryAt,
  openAt,
  openDirectory,
  symlinkAt,
  unlinkAt,
} from "../sys/at.ts";
import { type ByteString, fromText } from "../sys/byte-string.ts";
import { type Stat, statAt } from "../sys/stat.ts";

/**
 * What a container finds in its root whatever its image holds, so that the runtime can mount onto it (FORMATS 12.4).
 * Being a layer of its own it never shows up among the container's changes.
 */
const TARGETS: readonly (readonly [path: string, kind: "directory" | "file" | "symlink"])[] = [
  ["dev/pts", "directory"],
  ["dev/shm", "directory"],
  ["proc", "directory"],
  ["sys", "directory"],
  [".dockerenv", "file"],
  ["etc/resolv.conf", "file"],
  ["etc/hosts", "file"],
  ["etc/hostname", "file"],
  ["dev/console", "file"],
  ["etc/mtab", "symlink"],
];

/**
 * Fills an init layer. A file or link of the image that stands on the way to a target is removed, a directory in its
 * place stays; nothing outside of `root` is touched, whatever links the image holds.
 *
 * @param root the mounted init layer
 * @param owner root inside the container, as the host sees it; all but the link belong to it
 * @example
 * await store.createRW(name, { parent, init: (path) => populateInitLayer(path) });
 */
export function populateInitLayer(root: string, owner: Owner = { uid: 0, gid: 0 }): void {
  const fd = openDirectory(root);
  try {
    for (const [path, kind] of TARGETS) populate(fd, path.split("/").map(fromText), kind, owner);
  } finally {
    closeFile(fd);
  }
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

function populate(
  root: number,
  path: readonly ByteString[],
  kind: "directory" | "file" | "symlink",
  owner: Owner,
): void {
  let dir = root;
  try {
    for (const name of path.slice(0, -1)) {
      const next = enter(dir, name, owner);
      if (dir !== root) closeFile(dir);
      dir = next;
    }
    const target = path.at(-1) as ByteString;
    if (directoryAt(dir, target) === undefined) make(dir, target, kind, owner);
  } finally {
    if (dir !== root) closeFile(dir);
  }
}

function enter(dir: number, name: ByteString, owner: Owner): number {
  if (directoryAt(dir, name) === undefined) make(dir, name, "directory", owner);
  return openAt(dir, name, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** The directory of that name. Anything else is removed, which leaves directories alone. */
function directoryAt(dir: number, name: ByteString): Stat | undefined {
  try {
    unlinkAt(dir, name);
  } catch (error) {
    if (!["ENOENT", "EISDIR", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
  }
  return statAt(dir, name);
}

function make(dir: number, name: ByteString, kind: "directory" | "file" | "symlink", owner: Owner): void {
  if (kind === "symlink") {
    symlinkAt(fromText("/proc/mounts"), dir, name);
    return;
  }
  if (kind === "directory") makeDirectoryAt(dir, name, MODE);
  else closeFile(openAt(dir, name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, MODE));
  changeOwnerAt(dir, name, owner.uid, owner.gid);
  // Another umask than Docker's 022 must not show.
  const mode = statAt(dir, name)?.mode ?? MODE;
  if ((mode & 0o777) !== MODE) changeModeAt(dir, name, (mode & 0o7000) | MODE);
}

const MODE = 0o755;
