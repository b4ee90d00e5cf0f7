import type { ByteString } from "./byte-string.ts";
import { CURRENT_DIRECTORY, cString, errnoError, lastErrno, libc, sysError } from "./libc.ts";
import type { Time } from "./time.ts";

/** What the kernel knows of one object. */
export interface Stat {
  readonly kind: FileKind;
  /** The twelve permission bits, without the type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** How many names the object has. */
  readonly links: number;
  readonly inode: bigint;
  /** The file system it lies on, `major:minor`; with the inode it tells two names of one object. */
  readonly device: string;
  /** Of a device node, what it stands for; else zero. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Whether a file system or a bind mount begins here. Kernels before 5.8 cannot tell and say no. */
  readonly mountRoot: boolean;
  readonly atime: Time;
  readonly mtime: Time;
  readonly ctime: Time;
}

export type FileKind = "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
const AT_EMPTY_PATH = 0x1000;
const STATX_TYPE = 0x1;
const STATX_BASIC_STATS = 0x7ff;
const STATX_ATTR_MOUNT_ROOT = 0x2000;
const STATX_SIZE = 256;

/** By the type bits of the mode, `S_IFMT` shifted down. */
const KINDS: Readonly<Record<number, FileKind>> = {
  1: "fifo",
  2: "char",
  4: "directory",
  6: "block",
  8: "file",
  10: "symlink",
  12: "socket",
};

/** The stat of `name` itself, a link included; `undefined` when nothing has that name. */
export function statAt(dir: number, name: ByteString): Stat | undefined {
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (libc().statx(dir, cString(name, "lstat"), flags, STATX_BASIC_STATS, bytes) === 0) return readStat();
  const errno = lastErrno();
  if (errno === "ENOENT") return undefined;
  throw errnoError(errno, "lstat", name);
}

/** What `name` itself is, a link included, for looking at very many; `undefined` when nothing has that name. */
export function kindAt(dir: number, name: ByteString): FileKind | undefined {
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (libc().statx(dir, cString(name, "lstat"), flags, STATX_TYPE, bytes) === 0)
    return kindOf(view.getUint16(28, true));
  const errno = lastErrno();
  if (errno === "ENOENT") return undefined;
  throw errnoError(errno, "lstat", name);
}

/** The stat of an open file, which may be open with `O_PATH`. */
export function statFile(fd: number): Stat {
  if (libc().statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, bytes) < 0) throw sysError("fstat", fd);
  return readStat();
}

/**
 * What of a stat tells one state of an object from another: its inode, its size, and when it and its inode were last
 * changed, in `STATE_LENGTH` characters. For looking at very many objects; it costs nothing but the call.
 *
 * @param follow whether a link stands for what it leads to
 * @returns `undefined` when nothing is there
 */
export function stateOf(path: ByteString, follow: boolean): string | undefined {
  const flags = AT_NO_AUTOMOUNT | (follow ? 0 : AT_SYMLINK_NOFOLLOW);
  if (libc().statx(CURRENT_DIRECTORY, cString(path, "stat"), flags, STATX_BASIC_STATS, bytes) === 0)
    return buffer.toString("latin1", 32, 48) + buffer.toString("latin1", 96, 128);
  const errno = lastErrno();
  if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
  throw errnoError(errno, "stat", path);
}

/** When an object in this state was last changed, in seconds since the epoch. */
export function lastChangeOf(state: string): number {
  const record = Buffer.from(state, "latin1");
  const time = (at: number): number => Number(record.readBigInt64LE(at)) + record.readUInt32LE(at + 8) / 1e9;
  return Math.max(time(16), time(32));
}

export const STATE_LENGTH = 48;

const bytes = new Uint8Array(STATX_SIZE);
const buffer: Buffer = Buffer.from(bytes.buffer);
const view = new DataView(bytes.buffer);

function kindOf(typeAndMode: number): FileKind {
  return KINDS[typeAndMode >> 12] ?? "file";
}

/** `struct statx`, which is laid out alike on every architecture. */
function readStat(): Stat {
  const typeAndMode = view.getUint16(28, true);
  return {
    kind: kindOf(typeAndMode),
    mode: typeAndMode & 0o7777,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    size: Number(view.getBigUint64(40, true)),
    links: view.getUint32(16, true),
    inode: view.getBigUint64(32, true),
    device: `${view.getUint32(136, true)}:${view.getUint32(140, true)}`,
    deviceMajor: view.getUint32(128, true),
    deviceMinor: view.getUint32(132, true),
    mountRoot: (view.getUint32(8, true) & STATX_ATTR_MOUNT_ROOT) !== 0,
    atime: readTime(64),
    mtime: readTime(112),
    ctime: readTime(96),
  };
}

function readTime(at: number): Time {
  return { seconds: Number(view.getBigInt64(at, true)), nanoseconds: view.getUint32(at + 8, true) };
}
