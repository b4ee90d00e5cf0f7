import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import { errnoError, lastErrno, libc } from "./libc.ts";

export type LockMode = "shared" | "exclusive";

const OPERATIONS: Readonly<Record<LockMode, number>> = { shared: 1, exclusive: 2 };
const LOCK_NB = 4;
const LOCK_UN = 8;

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 200;

/**
 * A flock(2) on a file or a directory. It belongs to the open file: the kernel drops it when this process ends, however
 * it ends, and a second lock taken in the same process conflicts with the first like anybody else's.
 *
 * @example
 * using _lock = await FileLock.acquire("/var/lib/docker/varve/lock", "exclusive", { signal });
 */
export class FileLock {
  readonly #fd: number;
  readonly #ownsFile: boolean;
  #held = true;

  private constructor(fd: number, ownsFile: boolean) {
    this.#fd = fd;
    this.#ownsFile = ownsFile;
  }

  /**
   * Takes the lock, waiting for whoever has it. The file is created 0600 when it is missing; whoever holds it
   * exclusively may remove it.
   *
   * @throws VarveError `locked` at once when `wait` is false and somebody has it; `cancelled`
   */
  static async acquire(
    path: string,
    mode: LockMode,
    options: { readonly wait?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<FileLock> {
    const { wait = true, signal } = options;
    for (let milliseconds = FIRST_PAUSE_MS; ; milliseconds = Math.min(milliseconds * 2, LONGEST_PAUSE_MS)) {
      if (signal?.aborted) throw cancelled(path, signal.reason);
      const lock = FileLock.tryAcquire(path, mode);
      if (lock !== undefined) return lock;
      if (!wait) throw new VarveError("locked", `${path} is locked by another process`, { path });
      try {
        // The random part keeps two who wait for each other's turn from staying in step.
        await pause(milliseconds * (0.5 + Math.random() / 2), undefined, signal && { signal });
      } catch (error) {
        throw cancelled(path, error);
      }
    }
  }

  /**
   * Takes the lock if nobody has it, without waiting. An open file stays open after the release; a path is opened as
   * `acquire` does.
   */
  static tryAcquire(file: string | number, mode: LockMode): FileLock | undefined {
    if (typeof file === "number") return lockDescriptor(file, mode) ? new FileLock(file, false) : undefined;
    for (;;) {
      const fd = openLockFile(file);
      if (!lockDescriptor(fd, mode)) {
        closeSync(fd);
        return undefined;
      }
      if (isStillAt(fd, file)) return new FileLock(fd, true);
      closeSync(fd);
    }
  }

  /** Gives the lock back. A second release does nothing. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.#ownsFile) closeSync(this.#fd);
    else libc().flock(this.#fd, LOCK_UN);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

function lockDescriptor(fd: number, mode: LockMode): boolean {
  if (libc().flock(fd, OPERATIONS[mode] | LOCK_NB) === 0) return true;
  const errno = lastErrno();
  if (errno === "EAGAIN") return false;
  throw errnoError(errno, "flock", fd);
}

/** A directory, or a file that we may only read, can be locked as well as any other. */
function openLockFile(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    if (!["EISDIR", "EACCES", "EPERM", "EROFS"].includes(errnoOf(error) ?? "")) throw asVarveError(error);
  }
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw asVarveError(error);
  }
}

/** A file that was removed or renamed between the opening and the locking guards nothing. */
function isStillAt(fd: number, path: string): boolean {
  const there = statSync(path, { bigint: true, throwIfNoEntry: false });
  const locked = fstatSync(fd, { bigint: true });
  return there?.ino === locked.ino && there.dev === locked.dev;
}

function cancelled(path: string, reason: unknown): VarveError {
  return new VarveError("cancelled", `cancelled while waiting for the lock on ${path}`, { path }, reason);
}
