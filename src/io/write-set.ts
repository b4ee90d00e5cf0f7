import { randomInt } from "node:crypto";
import { closeSync, fchmodSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { asVarveError, isVarveError } from "../errors.ts";
import { openDirectory } from "../sys/at.ts";
import { FileLock } from "../sys/lock.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { statFile } from "../sys/stat.ts";
import { beginSync, syncDirectory, syncFile } from "../sys/sync.ts";

/**
 * A directory of files that appears in one visible step (FORMATS 0.5): written under a name of its own, renamed when it
 * is complete. An exclusive lock on the directory says that somebody is at work on it; the lock stays through the
 * rename and goes with the process, so that a set without its lock was left behind by a crash.
 *
 * @example
 * const files = WriteSet.open(join(layerdb, "tmp"), { sync: true });
 * files.write("diff", diffID);
 * files.commit(join(layerdb, "sha256", hex));
 */
export class WriteSet {
  /** Where the files are until they are committed. */
  readonly path: string;
  readonly #sync: boolean;
  readonly #fd: number;
  readonly #lock: FileLock;
  /** What has been written since the last sync, open. */
  readonly #unsynced = new Set<number>();
  #open = true;

  /**
   * Makes `write-set-<digits>`, 0700, in a directory that exists. The files always reach the disk before a commit;
   * `sync` says whether the commit itself does before it returns.
   *
   * @param options.prefix another name before the digits, for what must be told from other sets when it is left behind
   */
  static open(directory: string, options: { readonly sync: boolean; readonly prefix?: string | undefined }): WriteSet {
    const { prefix = "write-set" } = options;
    for (;;) {
      const path = join(directory, `${prefix}-${randomInt(2 ** 47)}`);
      try {
        mkdirSync(path, { mode: 0o700 });
      } catch (error) {
        throw asVarveError(error);
      }
      const locked = lockDirectory(path);
      if (locked !== undefined) return new WriteSet(path, options.sync, ...locked);
    }
  }

  private constructor(path: string, sync: boolean, fd: number, lock: FileLock) {
    this.path = path;
    this.#sync = sync;
    this.#fd = fd;
    this.#lock = lock;
  }

  /** Creates a file, 0644 whatever the umask, open for writing until the set is committed or given up. */
  file(name: string): number {
    this.#mustBeOpen();
    try {
      const fd = openSync(join(this.path, name), "wx", 0o644);
      this.#unsynced.add(fd);
      fchmodSync(fd, 0o644);
      return fd;
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /** Creates a file with this content. */
  write(name: string, content: Uint8Array | string): void {
    const fd = this.file(name);
    try {
      writeFileSync(fd, content);
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /** Brings everything written so far to the disk and closes it, which `commit` then need not do. */
  sync(): void {
    this.#mustBeOpen();
    if (this.#unsynced.size === 0) return;
    // All of them under way first: then the file system has less to do for each than if it heard of them one by one.
    for (const fd of this.#unsynced) beginSync(fd, 0, 0);
    for (const fd of this.#unsynced) {
      syncFile(fd);
      this.#unsynced.delete(fd);
      closeSync(fd);
    }
    if (this.#sync) fsyncSync(this.#fd);
  }

  /**
   * Moves the set to its final name, where nothing may be.
   *
   * @throws VarveError with errno ENOTEMPTY or EEXIST when something is; the set then stays open, to be cancelled
   */
  commit(target: string): void {
    this.sync();
    try {
      renameSync(this.path, target);
    } catch (error) {
      throw asVarveError(error);
    }
    this.close();
    if (this.#sync) syncDirectory(dirname(target));
  }

  /** Removes the set. After a commit, or a second time, nothing happens. */
  cancel(): void {
    if (!this.#open) return;
    removeTree(this.path);
    this.close();
  }

  /** Leaves the set where it is, without its lock, for whoever clears up. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const fd of this.#unsynced) closeSync(fd);
    this.#lock.release();
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.cancel();
  }

  #mustBeOpen(): void {
    if (!this.#open) throw new Error(`the write set ${this.path} is closed`);
  }
}

/** Nothing when somebody took the new directory for one that was left behind. */
function lockDirectory(path: string): [number, FileLock] | undefined {
  let fd: number | undefined;
  try {
    fd = openDirectory(path);
    const lock = FileLock.tryAcquire(fd, "exclusive");
    if (lock !== undefined && statFile(fd).links > 0) return [fd, lock];
  } catch (error) {
    if (!isVarveError(error, "not-found")) throw error;
  }
  if (fd !== undefined) closeSync(fd);
  return undefined;
}
