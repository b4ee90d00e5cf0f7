import { renameSync } from "node:fs";
import { dirname } from "node:path";
import { asVarveError, VarveError } from "../errors.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { syncDirectory } from "../sys/sync.ts";
import { DirectoryLock } from "./directory-lock.ts";
import type { MountRemoval } from "./metadata.ts";

/** A record that was moved out of the way of readers, locked until it is gone or back. */
export class SetAside implements MountRemoval {
  readonly #lock: DirectoryLock;
  readonly #from: string;
  readonly #to: string;
  readonly #sync: boolean;

  /** The visible step. The caller keeps others from taking it at the same time. */
  static move(from: string, to: string, sync: boolean): SetAside {
    const lock = DirectoryLock.tryAcquire(from);
    if (lock === undefined) throw new VarveError("not-found", `${from} is gone or on its way out`, { path: from });
    const aside = new SetAside(lock, from, to, sync);
    try {
      aside.#move(from, to);
      return aside;
    } catch (error) {
      aside[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(lock: DirectoryLock, from: string, to: string, sync: boolean) {
    this.#lock = lock;
    this.#from = from;
    this.#to = to;
    this.#sync = sync;
  }

  async finish(): Promise<void> {
    removeTree(this.#to);
  }

  async undo(): Promise<void> {
    this.#move(this.#to, this.#from);
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }

  #move(from: string, to: string): void {
    try {
      renameSync(from, to);
    } catch (error) {
      throw asVarveError(error);
    }
    if (this.#sync) syncDirectory(dirname(this.#from));
  }
}
