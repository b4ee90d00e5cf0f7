import { ftruncateSync, readSync, writeSync } from "node:fs";
import { asVarveError } from "../errors.ts";
import { errnoError, lastErrno, libc } from "./libc.ts";

const FICLONE = 0x40049409;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const WINDOW = 256 * 1024;

/** Answers of a kernel or a file system that cannot do it in this way, or not between these two files. */
const CANNOT = ["EXDEV", "EINVAL", "ENOTSUP", "ENOSYS", "ENOTTY", "EPERM", "EBADF", "ETXTBSY"];

/**
 * Copies the first `size` bytes of a file to one that is empty: by sharing the blocks where the file system can, inside
 * the kernel where it can, by hand anywhere. Holes stay holes. Both descriptors stay open; where they stand afterwards
 * is not said. Of a source that has become shorter the rest reads as zeros.
 */
export function cloneOrCopyFile(source: number, target: number, size: number): void {
  if (size === 0) return;
  const cloned = clone(source, target);
  try {
    if (!cloned && size <= WINDOW) copyByHand(source, target, 0, size);
    else if (!cloned) copyData(source, target, size);
    ftruncateSync(target, size);
  } catch (error) {
    throw asVarveError(error);
  }
}

function clone(source: number, target: number): boolean {
  if (libc().ioctl(target, FICLONE, source) === 0) return true;
  const errno = lastErrno();
  if (!CANNOT.includes(errno)) throw errnoError(errno, "ioctl", target);
  return false;
}

/** Copies what is no hole. */
function copyData(source: number, target: number, size: number): void {
  for (let at = 0; at < size; ) {
    const begin = seek(source, at, SEEK_DATA);
    if (begin === undefined || begin >= size) return;
    const end = Math.min(seek(source, begin, SEEK_HOLE) ?? size, size);
    const copied = copyInKernel(source, target, begin, end);
    if (copied < end) copyByHand(source, target, copied, end);
    at = end;
  }
}

/** Nothing when there is no more of it. A file system that does not know its holes has only data. */
function seek(fd: number, offset: number, whence: number): number | undefined {
  const found = libc().lseek(fd, offset, whence);
  if (found >= 0) return found;
  const errno = lastErrno();
  if (errno === "ENXIO") return undefined;
  if (errno === "EINVAL") return whence === SEEK_DATA ? offset : undefined;
  throw errnoError(errno, "lseek", fd);
}

const from = new BigInt64Array(1);
const to = new BigInt64Array(1);
const fromBytes = new Uint8Array(from.buffer);
const toBytes = new Uint8Array(to.buffer);

/** @returns how far it came: the end, or where the kernel cannot go on */
function copyInKernel(source: number, target: number, begin: number, end: number): number {
  from[0] = to[0] = BigInt(begin);
  for (;;) {
    const at = Number(from[0]);
    if (at >= end) return at;
    const copied = libc().copy_file_range(source, fromBytes, target, toBytes, end - at, 0);
    if (copied > 0) continue;
    if (copied === 0) return at;
    const errno = lastErrno();
    if (CANNOT.includes(errno)) return at;
    throw errnoError(errno, "copy_file_range", target);
  }
}

function copyByHand(source: number, target: number, begin: number, end: number): void {
  buffer ??= Buffer.allocUnsafeSlow(WINDOW);
  for (let at = begin; at < end; ) {
    const length = readSync(source, buffer, 0, Math.min(WINDOW, end - at), at);
    if (length === 0) return;
    for (let done = 0; done < length; ) done += writeSync(target, buffer, done, length - done, at + done);
    at += length;
  }
}

let buffer: Buffer | undefined;
