import { constants, fchmodSync, fchownSync } from "node:fs";
import { errnoOf, VarveError } from "../errors.ts";
import {
  changeModeAt,
  changeOwnerAt,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  openAt,
  setTimes,
  setTimesAt,
  symlinkAt,
} from "../sys/at.ts";
import { type ByteString, toBytes, toText } from "../sys/byte-string.ts";
import type { Stat } from "../sys/stat.ts";
import { compareTimes, type Time } from "../sys/time.ts";
import type { Place } from "../sys/tree-root.ts";
import { setXattrAt } from "../sys/xattr.ts";
import { type Header, TYPE, XATTR_PREFIX } from "../tar/header.ts";
import type { Identity } from "./id-map.ts";
import type { Spot } from "./writable-tree.ts";

/**
 * One object of a tree, made as Docker makes it (FORMATS 8.5): the object, its owner, its attributes, its mode, its
 * times, in this order, since a change of owner takes setuid bits and capabilities away. Objects begin closed to everyone
 * else and get their exact mode at last, so the umask does not matter.
 */
export interface Metadata {
  readonly header: Header;
  /** Undefined to leave the owner as it is. */
  readonly owner: Identity | undefined;
  /** Whoever runs this process. */
  readonly creator: Identity;
  readonly mode: number;
  readonly acceptsXattr: (name: string) => boolean;
  readonly warn: (text: string) => void;
}

/**
 * Makes what a header describes at a place that must be free (else errno EEXIST), without metadata.
 *
 * @param linkTarget where a hard link leads
 * @returns the descriptor of a regular file, open for its content
 * @throws VarveError `invalid-archive` for types that Docker refuses
 */
export function makeObject(
  { dir, base }: Place,
  header: Header,
  linkTarget: (name: ByteString) => Place,
): number | undefined {
  switch (header.type) {
    case TYPE.directory:
      return void makeDirectoryAt(dir, base, 0o700);
    case TYPE.file:
      return openAt(dir, base, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    case TYPE.symlink:
      return void symlinkAt(header.linkname, dir, base);
    case TYPE.hardLink: {
      const target = linkTarget(header.linkname);
      return void linkAt(target.dir, target.base, dir, base);
    }
    case TYPE.charDevice:
      return void makeDevice({ dir, base }, constants.S_IFCHR, header);
    case TYPE.blockDevice:
      return void makeDevice({ dir, base }, constants.S_IFBLK, header);
    case TYPE.fifo:
      return void makeNodeAt(dir, base, constants.S_IFIFO | 0o600, 0, 0);
    default: {
      const number = header.type.charCodeAt(0);
      throw new VarveError("invalid-archive", `unhandled tar header type ${number}`, {
        type: number,
        name: toText(header.name),
      });
    }
  }
}

/** Of numbers that are too large for the kernel Docker keeps the lower bits. */
function makeDevice({ dir, base }: Place, kind: number, { deviceMajor, deviceMinor }: Header): void {
  makeNodeAt(dir, base, kind | 0o600, deviceMajor & 0xfff, deviceMinor & 0xfffff);
}

/** For a regular file that `makeObject` has just made and that has its content. */
export function finishFile(fd: number, spot: Spot, metadata: Metadata): void {
  const { header, owner, creator, mode } = metadata;
  if (owner !== undefined && !isBornTo(owner, creator, spot)) fchownSync(fd, owner.uid, owner.gid);
  setXattrs(spot, metadata);
  fchmodSync(fd, mode);
  setTimes(fd, ...fileTimes(header));
}

/** For a new object of any other kind. A directory gets its times when nothing is put into it any more. */
export function finishObject(spot: Spot, metadata: Metadata): void {
  const { dir, base } = spot;
  const { header, owner, creator, mode } = metadata;
  if (owner !== undefined && !isBornTo(owner, creator, spot)) changeOwnerAt(dir, base, owner.uid, owner.gid);
  setXattrs(spot, metadata);
  if (header.type === TYPE.symlink) setTimesAt(dir, base, ...linkTimes(header));
  else {
    changeModeAt(dir, base, mode);
    if (header.type !== TYPE.directory) setTimesAt(dir, base, ...fileTimes(header));
  }
}

/** For an object that had other metadata before: a directory that is already there, or a file that gets another name. */
export function changeObject(spot: Spot, stat: Stat, metadata: Metadata): void {
  const { dir, base } = spot;
  const { header, owner, mode } = metadata;
  const isDirectory = stat.kind === "directory";
  // Even a change of owner that changes nothing takes a file's capabilities.
  const sameOwner = isDirectory && owner !== undefined && owner.uid === stat.uid && owner.gid === stat.gid;
  if (owner !== undefined && !sameOwner) changeOwnerAt(dir, base, owner.uid, owner.gid);
  setXattrs(spot, metadata);
  if (stat.kind === "symlink") return;
  if (!isDirectory || mode !== stat.mode) changeModeAt(dir, base, mode);
  if (!isDirectory) setTimesAt(dir, base, ...fileTimes(header));
}

/** The last word on a directory: unlike a file's, its access time is not raised to its mtime. */
export function directoryTimes({ atime, mtime }: Pick<Header, "atime" | "mtime">): [Time, Time] {
  return [clampTime(atime ?? EPOCH), clampTime(mtime)];
}

function fileTimes(header: Header): [Time, Time] {
  return [clampTime(accessTime(header)), clampTime(header.mtime)];
}

/** Links keep times that files may not have. */
function linkTimes(header: Header): [Time, Time] {
  return [wrapTime(accessTime(header)), wrapTime(header.mtime)];
}

function accessTime({ atime, mtime }: Header): Time {
  return atime === undefined || compareTimes(atime, mtime) < 0 ? mtime : atime;
}

const EPOCH: Time = { seconds: 0, nanoseconds: 0 };
/** The last moment that 64 bits of nanoseconds can say. */
const LAST: Time = { seconds: 9_223_372_036, nanoseconds: 854_775_807 };

/** What Docker cannot set on a file becomes the epoch. */
export function clampTime(time: Time): Time {
  return time.seconds < 0 || compareTimes(time, LAST) > 0 ? EPOCH : time;
}

/** 64 bits of nanoseconds, as they overflow. */
function wrapTime(time: Time): Time {
  if (Math.abs(time.seconds) < LAST.seconds) return time;
  const nanoseconds = BigInt.asIntN(64, BigInt(time.seconds) * NANOSECONDS + BigInt(time.nanoseconds));
  const rest = ((nanoseconds % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  return { seconds: Number((nanoseconds - rest) / NANOSECONDS), nanoseconds: Number(rest) };
}

const NANOSECONDS = 1_000_000_000n;

/** Whether the kernel gives new objects here to that owner anyway, whatever the parent's setgid bit and the mount say. */
function isBornTo({ uid, gid }: Identity, creator: Identity, spot: Spot): boolean {
  return uid === creator.uid && gid === creator.gid && gid === spot.parent.gid;
}

function setXattrs(spot: Spot, { header, acceptsXattr, warn }: Metadata): void {
  if (header.records.size === 0) return;
  for (const [key, value] of header.records) {
    if (!key.startsWith(XATTR_PREFIX) || value === "") continue;
    const name = key.slice(XATTR_PREFIX.length);
    if (!acceptsXattr(name)) continue;
    try {
      setXattrAt(spot.dir, spot.base, name, toBytes(value));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== "ENOTSUP" && errno !== "EPERM") throw error;
      warn(`cannot set ${name} of ${toText(spot.name)}: ${errno}`);
    }
  }
}
