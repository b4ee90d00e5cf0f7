import type { ByteString } from "./byte-string.ts";
import { cString, errnoError, lastErrno, libc, sysError } from "./libc.ts";
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

/** The stat of an open file, which may be open with `O_PATH`. */
export function statFile(fd: number): Stat {
  if (libc().statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, bytes) < 0) throw sysError("fstat", fd);
  return readStat();
}

const bytes = new Uint8Array(STATX_SIZE);
const view = new DataView(bytes.buffer);

/** `struct statx`, which is laid out alike on every architecture. */
function readStat(): Stat {
  const typeAndMode = view.getUint16(28, true);
  return {
    kind: KINDS[typeAndMode >> 12] ?? "file",
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
