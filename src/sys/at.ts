import { constants } from "node:fs";
import { type ByteString, fromBytes, fromText } from "./byte-string.ts";
import { CURRENT_DIRECTORY, cString, errnoError, lastErrno, libc, PATH_MAX, sysError } from "./libc.ts";
import { statFile } from "./stat.ts";
import type { Time } from "./time.ts";

/**
 * File calls relative to a directory descriptor. A name is meant to be one component, as `TreeRoot.parentOf` gives it:
 * then nothing that anybody does to the path above can lead the call elsewhere. The last component is never followed,
 * so a symbolic link is itself and not what it points to. `.` is the directory of the descriptor.
 *
 * Every function throws a `VarveError` that carries the errno.
 */

/** A descriptor that stands for a place, to start calls from; nothing can be read through it. */
export const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const S_IFCHR = 0o020000;
const F_SETFL = 4;
const O_NOATIME = 0o1000000;
const SEEK_SET = 0;
const DT_UNKNOWN = 0;
const DT_DIR = 4;
const DIRECTORY_BUFFER_SIZE = 64 * 1024;

/** Opens without following a link at `name`; a symbolic link gives ELOOP, unless `O_PATH` asks for the link itself. */
export function openAt(dir: number, name: ByteString, flags: number, mode = 0): number {
  const fd = libc().openat(dir, cString(name, "open"), flags | O_CLOEXEC | constants.O_NOFOLLOW, mode);
  if (fd < 0) throw sysError("open", name);
  return fd;
}

/** The directory itself for reading its entries, whatever the process may do inside. */
export function openDirectory(path: string | Buffer): number {
  const name = typeof path === "string" ? fromText(path) : fromBytes(path);
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | O_CLOEXEC;
  const fd = libc().openat(CURRENT_DIRECTORY, cString(name, "open"), flags, 0);
  if (fd < 0) throw sysError("open", name);
  return fd;
}

export function closeFile(fd: number): void {
  if (libc().close(fd) < 0) throw sysError("close", fd);
}

/** From now on reading through a descriptor does not count as an access, if the kernel lets us. */
export function leaveNoTrace(fd: number): void {
  libc().fcntl(fd, F_SETFL, O_NOATIME);
}

/** The umask is taken off `mode`. */
export function makeDirectoryAt(dir: number, name: ByteString, mode: number): void {
  if (libc().mkdirat(dir, cString(name, "mkdir"), mode) < 0) throw sysError("mkdir", name);
}

/** Removes anything but a directory. */
export function unlinkAt(dir: number, name: ByteString): void {
  if (libc().unlinkat(dir, cString(name, "unlink"), 0) < 0) throw sysError("unlink", name);
}

/** Removes an empty directory. */
export function removeDirectoryAt(dir: number, name: ByteString): void {
  if (libc().unlinkat(dir, cString(name, "rmdir"), AT_REMOVEDIR) < 0) throw sysError("rmdir", name);
}

export function symlinkAt(target: ByteString, dir: number, name: ByteString): void {
  if (libc().symlinkat(cString(target, "symlink"), dir, cString(name, "symlink")) < 0) throw sysError("symlink", name);
}

/** A second name for an object; for a symbolic link, a second name of the link. */
export function linkAt(oldDir: number, oldName: ByteString, newDir: number, newName: ByteString): void {
  const result = libc().linkat(oldDir, cString(oldName, "link"), newDir, cString(newName, "link"), 0);
  if (result < 0) throw sysError("link", newName);
}

/** `mode` holds the type (`S_IFCHR`, `S_IFBLK`, `S_IFIFO`, `S_IFSOCK`) and the permission bits; the umask applies. */
export function makeNodeAt(dir: number, name: ByteString, mode: number, major: number, minor: number): void {
  const device = ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
  if (major > 0xfff || minor > 0xfffff) throw errnoError("EINVAL", "mknod", name);
  if (libc().mknodat(dir, cString(name, "mknod"), mode, device) < 0) throw sysError("mknod", name);
}

/** The overlay file system's mark of a deletion: a character device 0:0. Every user may make one. */
export function makeWhiteoutAt(dir: number, name: ByteString): void {
  makeNodeAt(dir, name, S_IFCHR, 0, 0);
}

/** Replaces what has the new name, if anything has. */
export function renameAt(oldDir: number, oldName: ByteString, newDir: number, newName: ByteString): void {
  const result = libc().renameat(oldDir, cString(oldName, "rename"), newDir, cString(newName, "rename"));
  if (result < 0) throw sysError("rename", newName);
}

/** The target of a symbolic link, as it was written. */
export function readLinkAt(dir: number, name: ByteString): ByteString {
  linkBuffer ??= Buffer.allocUnsafeSlow(PATH_MAX);
  const length = libc().readlinkat(dir, cString(name, "readlink"), linkBuffer, PATH_MAX);
  if (length < 0) throw sysError("readlink", name);
  return fromBytes(linkBuffer.subarray(0, length));
}

let linkBuffer: Buffer | undefined;

/** The kernel clears setuid and setgid bits, so the mode is set afterwards. */
export function changeOwnerAt(dir: number, name: ByteString, uid: number, gid: number): void {
  const result = libc().fchownat(dir, cString(name, "lchown"), uid, gid, AT_SYMLINK_NOFOLLOW);
  if (result < 0) throw sysError("lchown", name);
}

/** `mode` is the twelve permission bits. A symbolic link has none of its own and gives ENOTSUP. */
export function changeModeAt(dir: number, name: ByteString, mode: number): void {
  if (fchmodat2Works) {
    if (libc().fchmodat2(dir, cString(name, "chmod"), mode, AT_SYMLINK_NOFOLLOW) === 0) return;
    const errno = lastErrno();
    // Linux before 6.6 lacks the call, and a sandbox that does not know it may answer EPERM instead.
    if (errno !== "ENOSYS" && errno !== "EPERM") throw errnoError(errno, "chmod", name);
    if (errno === "ENOSYS") fchmodat2Works = false;
  }
  changeModeThroughDescriptor(dir, name, mode);
}

let fchmodat2Works = true;

/** As `changeModeAt`, for kernels that can only change the mode of what a path leads to. */
export function changeModeThroughDescriptor(dir: number, name: ByteString, mode: number): void {
  const fd = openAt(dir, name, O_PATH);
  try {
    if (statFile(fd).kind === "symlink") throw errnoError("ENOTSUP", "chmod", name);
    if (libc().fchmodat(CURRENT_DIRECTORY, `/proc/self/fd/${fd}`, mode, 0) < 0) throw sysError("chmod", name);
  } finally {
    closeFile(fd);
  }
}

export function setTimesAt(dir: number, name: ByteString, atime: Time, mtime: Time): void {
  const times = timespecs(atime, mtime);
  if (libc().utimensat(dir, cString(name, "utimensat"), times, AT_SYMLINK_NOFOLLOW) < 0)
    throw sysError("utimensat", name);
}

/** `setTimesAt` for a file that is open. */
export function setTimes(fd: number, atime: Time, mtime: Time): void {
  if (libc().futimens(fd, timespecs(atime, mtime)) < 0) throw sysError("futimens", fd);
}

const words = new Uint32Array(8);
const wordBytes = new Uint8Array(words.buffer);

function timespecs(atime: Time, mtime: Time): Uint8Array {
  words[0] = atime.seconds;
  words[1] = Math.floor(atime.seconds / 2 ** 32);
  words[2] = atime.nanoseconds;
  words[4] = mtime.seconds;
  words[5] = Math.floor(mtime.seconds / 2 ** 32);
  words[6] = mtime.nanoseconds;
  return wordBytes;
}

/** One name in a directory. */
export interface DirectoryEntry {
  readonly name: ByteString;
  /** `unknown` where the file system keeps no types in its directories. */
  readonly kind: "directory" | "other" | "unknown";
}

/** The names in a directory that is open for reading, in the kernel's order, without `.` and `..`. */
export function readDirectory(fd: number): ByteString[] {
  const names: ByteString[] = [];
  for (const { name } of scanDirectory(fd)) names.push(name);
  return names;
}

/**
 * As `readDirectory`, piece by piece, with what the directory itself says about each name. The directory may change
 * meanwhile: what is added or removed may or may not be seen.
 */
export function* scanDirectory(fd: number): Generator<DirectoryEntry, void, undefined> {
  const { lseek, getdents64 } = libc();
  if (lseek(fd, 0, SEEK_SET) < 0) throw sysError("lseek", fd);
  directoryBuffer ??= Buffer.allocUnsafeSlow(DIRECTORY_BUFFER_SIZE);
  for (;;) {
    const length = getdents64(fd, directoryBuffer, DIRECTORY_BUFFER_SIZE);
    if (length < 0) throw sysError("getdents64", fd);
    if (length === 0) return;
    yield* parseEntries(directoryBuffer.subarray(0, length));
  }
}

let directoryBuffer: Buffer | undefined;

/** The records of getdents64(2): inode 8, offset 8, record length 2, type 1, name with its NUL and padding. */
function parseEntries(records: Buffer): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at < records.length; at += records.readUInt16LE(at + 16)) {
    const type = records[at + 18];
    const name = fromBytes(records.subarray(at + 19, records.indexOf(0, at + 19)));
    if (name === "." || name === "..") continue;
    entries.push({ name, kind: type === DT_DIR ? "directory" : type === DT_UNKNOWN ? "unknown" : "other" });
  }
  return entries;
}
