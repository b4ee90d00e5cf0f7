import { AsyncLocalStorage } from "node:async_hooks";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ChainID } from "../digest/chain-id.ts";
import { hexOf } from "../digest/digest.ts";
import { errnoOf } from "../errors.ts";
import { FileLock } from "../sys/lock.ts";
import type { Doubts } from "./doubts.ts";

/**
 * Tells other processes what this one is using while no record on disk says so: a layer that was just registered or
 * that a save is reading, a container that is being committed. A lease is a shared lock on `<root>/varve/leases/<chain
 * hex>` or `container-<id>`, so the kernel ends it with its process. Whoever deletes looks for leases inside the root
 * lock. On a root without `varve/` nobody of us has ever deleted anything, and looking leaves no trace: there are no
 * leases then.
 */
export class Leases {
  readonly #directory: string;
  readonly #doubts: Doubts;
  readonly #held = new Map<string, { lock: FileLock | undefined; holders: number }>();
  readonly #scope = new AsyncLocalStorage<Holdings | undefined>();

  constructor(directory: string, doubts: Doubts) {
    this.#directory = directory;
    this.#doubts = doubts;
  }

  /** A set of leases that end together. What `Lease.run` runs takes its leases into the set, by `holdInScope`. */
  open(): Lease {
    const holdings: Holdings = { names: [], doubts: [] };
    return {
      run: (work) => this.#scope.run(holdings, work),
      holdContainer: (id) => {
        this.#hold(fileOfContainer(id));
        holdings.names.push(fileOfContainer(id));
      },
      [Symbol.dispose]: () => {
        for (const name of holdings.names.splice(0)) this.#release(name);
        for (const doubt of holdings.doubts.splice(0)) doubt[Symbol.dispose]();
      },
    };
  }

  /** Runs `work` outside of any set: what it is handed out is known to be on disk, or over before the root lock is. */
  outside<T>(work: () => T): T {
    return this.#scope.run(undefined, work);
  }

  /**
   * Takes a layer into the set that we are in, if we are in one.
   *
   * @param isNew whether it is about to be made by us: should we die before anything refers to it, others clear it away
   */
  holdInScope(chain: ChainID, isNew = false): void {
    const holdings = this.#scope.getStore();
    if (holdings === undefined) return;
    this.#hold(hexOf(chain));
    holdings.names.push(hexOf(chain));
    if (isNew) holdings.doubts.push(this.#doubts.raise(chain));
  }

  /** Whether another process holds a lease on the layer; a lease file that nobody holds is cleared away. */
  heldElsewhere(chain: ChainID): boolean {
    return this.#heldElsewhere(hexOf(chain));
  }

  /** Whether anybody is at work on the container, this process included. To be called inside the root lock. */
  isContainerHeld(id: string): boolean {
    return this.#held.has(fileOfContainer(id)) || this.#heldElsewhere(fileOfContainer(id));
  }

  /** Whether anybody uses the layer, this process included. To be called inside the root lock. */
  isHeld(chain: ChainID): boolean {
    return this.#held.has(hexOf(chain)) || this.heldElsewhere(chain);
  }

  /** Clears away the files of leases that are over. To be called inside the root lock. */
  sweep(): void {
    if (!existsSync(this.#directory)) return;
    for (const name of readdirSync(this.#directory)) this.#heldElsewhere(name);
  }

  #hold(name: string): void {
    const held = this.#held.get(name);
    if (held !== undefined) held.holders++;
    else this.#held.set(name, { lock: this.#lock(name), holders: 1 });
  }

  #release(name: string): void {
    const held = this.#held.get(name);
    if (held === undefined || --held.holders > 0) return;
    held.lock?.release();
    this.#held.delete(name);
  }

  #heldElsewhere(name: string): boolean {
    const path = join(this.#directory, name);
    if (!existsSync(path)) return false;
    const own = this.#held.get(name);
    own?.lock?.release();
    try {
      using lock = FileLock.tryAcquire(path, "exclusive");
      if (lock !== undefined) rmSync(path, { force: true });
      return lock === undefined;
    } finally {
      if (own !== undefined) own.lock = this.#lock(name);
    }
  }

  /** Where we may only read, nobody of our rank deletes either, and there is no lease. */
  #lock(name: string): FileLock | undefined {
    if (!existsSync(dirname(this.#directory))) return undefined;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      for (;;) {
        const lock = FileLock.tryAcquire(join(this.#directory, name), "shared");
        if (lock !== undefined) return lock;
      }
    } catch (error) {
      if (["EACCES", "EPERM", "EROFS"].includes(errnoOf(error) ?? "")) return undefined;
      throw error;
    }
  }
}

export interface Lease extends Disposable {
  run<T>(work: () => T): T;
  /** Keeps a container from being deleted. To be called inside the root lock. */
  holdContainer(id: string): void;
}

interface Holdings {
  /** File names, once for each time that they were taken. */
  readonly names: string[];
  readonly doubts: Disposable[];
}

function fileOfContainer(id: string): string {
  return `container-${id}`;
}
