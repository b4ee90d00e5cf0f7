import { closeSync, fstatSync, statSync } from "node:fs";
import { isVarveError } from "../errors.ts";
import { openDirectory } from "../sys/at.ts";
import { FileLock } from "../sys/lock.ts";

/**
 * Marks a record's directory as one that a living process is working on. The mark stays through renames and ends with
 * its process.
 */
export class DirectoryLock implements Disposable {
  readonly #fd: number;
  readonly #lock: FileLock;
  #held = true;

  /** `undefined` when somebody else has it, or there is no such directory (any more). */
  static tryAcquire(path: string): DirectoryLock | undefined {
    const fd = openUnlessGone(path);
    if (fd === undefined) return undefined;
    const lock = FileLock.tryAcquire(fd, "exclusive");
    if (lock !== undefined && isAt(path, fd)) return new DirectoryLock(fd, lock);
    closeSync(fd);
    return undefined;
  }

  private constructor(fd: number, lock: FileLock) {
    this.#fd = fd;
    this.#lock = lock;
  }

  [Symbol.dispose](): void {
    if (!this.#held) return;
    this.#held = false;
    this.#lock.release();
    closeSync(this.#fd);
  }
}

function openUnlessGone(path: string): number | undefined {
  try {
    return openDirectory(path);
  } catch (error) {
    if (isVarveError(error, "not-found")) return undefined;
    throw error;
  }
}

/** It may have been renamed or removed before the lock was ours. */
function isAt(path: string, fd: number): boolean {
  const there = statSync(path, { bigint: true, throwIfNoEntry: false });
  return there !== undefined && there.ino === fstatSync(fd, { bigint: true }).ino;
}
