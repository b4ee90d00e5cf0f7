import { closeSync, constants, fsyncSync, openSync } from "node:fs";
import { asVarveError } from "../errors.ts";
import { openDirectory } from "./at.ts";
import { fromText } from "./byte-string.ts";
import { errnoError, libc, syncfsInPool, sysError } from "./libc.ts";

/**
 * What has to reach the disk before the next step may. Each call returns when it has; a disk that failed meanwhile is
 * reported here or never.
 */

/** Content and metadata of one open file. */
export function syncFile(fd: number): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    throw asVarveError(error);
  }
}

/**
 * Lets the kernel begin to write a part of a file to the disk, so that there is less to wait for in the `syncFile` to come.
 * A hint: it tells of no failure.
 */
export function beginSync(fd: number, offset: number, length: number): void {
  libc().sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

const SYNC_FILE_RANGE_WRITE = 2;

/** The names in a directory: what was made, renamed or removed there. */
export function syncDirectory(path: string): void {
  const fd = openDirectory(path);
  try {
    syncFile(fd);
  } finally {
    closeSync(fd);
  }
}

/** Everything on the file system that holds this path or open file, whoever wrote it. */
export function syncFileSystem(place: string | number): void {
  if (typeof place === "number") {
    if (libc().syncfs(place) < 0) throw sysError("syncfs", place);
    return;
  }
  const fd = openAnything(place);
  try {
    syncFileSystem(fd);
  } finally {
    closeSync(fd);
  }
}

/** As `syncFileSystem`, while this thread goes on. */
export async function syncFileSystemMeanwhile(path: string): Promise<void> {
  const fd = openAnything(path);
  try {
    // What errno said stays with the thread that made the call; a file system that exists can only fail to write.
    if ((await syncfsInPool(fd)) < 0) throw errnoError("EIO", "syncfs", fromText(path));
  } finally {
    closeSync(fd);
  }
}

function openAnything(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw asVarveError(error);
  }
}
