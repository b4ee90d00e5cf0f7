import { renameSync } from "node:fs";
import { dirname } from "node:path";
import { asVarveError, VarveError } from "../errors.ts";
import { FileLock } from "../sys/lock.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { syncDirectory } from "../sys/sync.ts";
import type { MountRemoval } from "./metadata.ts";

/** A record that was moved out of the way of readers, locked until it is gone or back. */
export class SetAside implements MountRemoval {
  readonly #lock: FileLock;
  readonly #from: string;
  readonly #to: string;
  readonly #sync: boolean;

  /** The visible step. The caller keeps others from taking it at the same time. */
  static move(from: string, to: string, sync: boolean): SetAside {
    const lock = FileLock.tryAcquire(from, "exclusive");
    if (lock === undefined) throw new VarveError("locked", `${from} is locked by another process`, { path: from });
    const aside = new SetAside(lock, from, to, sync);
    aside.#move(from, to);
    return aside;
  }

  private constructor(lock: FileLock, from: string, to: string, sync: boolean) {
    this.#lock = lock;
    this.#from = from;
    this.#to = to;
    this.#sync = sync;
  }

  async finish(): Promise<void> {
    removeTree(this.#to);
    this[Symbol.dispose]();
  }

  async undo(): Promise<void> {
    this.#move(this.#to, this.#from);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#lock.release();
  }

  #move(from: string, to: string): void {
    try {
      renameSync(from, to);
      if (this.#sync) syncDirectory(dirname(this.#from));
    } catch (error) {
      this[Symbol.dispose]();
      throw asVarveError(error);
    }
  }
}
