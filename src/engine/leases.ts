import { AsyncLocalStorage } from "node:async_hooks";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ChainID } from "../digest/chain-id.ts";
import { hexOf } from "../digest/digest.ts";
import { errnoOf } from "../errors.ts";
import { FileLock } from "../sys/lock.ts";

/**
 * Tells other processes which layers this one is using while no record on disk says so yet: a layer that was just
 * registered, or the one that a save is reading. A lease is a shared lock on `<root>/varve/leases/<chain hex>`, so the
 * kernel ends it with its process. Whoever deletes layers looks for leases inside the root lock. On a root without
 * `varve/` nobody of us has ever deleted anything, and looking leaves no trace: there are no leases then.
 */
export class Leases {
  readonly #directory: string;
  readonly #held = new Map<ChainID, { lock: FileLock | undefined; holders: number }>();
  readonly #scope = new AsyncLocalStorage<ChainID[]>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A set of leases that end together. What `Lease.run` runs takes its leases into the set, by `holdInScope`. */
  open(): Lease {
    const chains: ChainID[] = [];
    return {
      run: (work) => this.#scope.run(chains, work),
      [Symbol.dispose]: () => {
        for (const chain of chains.splice(0)) this.release(chain);
      },
    };
  }

  /** Outside of `Lease.run` nothing is held: what happens there is over before the root lock is let go. */
  holdInScope(chain: ChainID): void {
    const chains = this.#scope.getStore();
    if (chains === undefined) return;
    this.hold(chain);
    chains.push(chain);
  }

  /** Each `hold` needs one `release`. */
  hold(chain: ChainID): void {
    const held = this.#held.get(chain);
    if (held !== undefined) held.holders++;
    else this.#held.set(chain, { lock: this.#lock(chain), holders: 1 });
  }

  release(chain: ChainID): void {
    const held = this.#held.get(chain);
    if (held === undefined || --held.holders > 0) return;
    held.lock?.release();
    this.#held.delete(chain);
  }

  /** Whether another process holds a lease on the chain; a lease file that nobody holds is cleared away. */
  heldElsewhere(chain: ChainID): boolean {
    if (!existsSync(this.#path(chain))) return false;
    const own = this.#held.get(chain);
    own?.lock?.release();
    try {
      using lock = FileLock.tryAcquire(this.#path(chain), "exclusive");
      if (lock !== undefined) rmSync(this.#path(chain), { force: true });
      return lock === undefined;
    } finally {
      if (own !== undefined) own.lock = this.#lock(chain);
    }
  }

  /** Clears away the files of leases that are over. To be called inside the root lock. */
  sweep(): void {
    if (!existsSync(this.#directory)) return;
    for (const name of readdirSync(this.#directory)) this.heldElsewhere(`sha256:${name}`);
  }

  /** Where we may only read, nobody of our rank deletes either, and there is no lease. */
  #lock(chain: ChainID): FileLock | undefined {
    if (!existsSync(dirname(this.#directory))) return undefined;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      for (;;) {
        const lock = FileLock.tryAcquire(this.#path(chain), "shared");
        if (lock !== undefined) return lock;
      }
    } catch (error) {
      if (["EACCES", "EPERM", "EROFS"].includes(errnoOf(error) ?? "")) return undefined;
      throw error;
    }
  }

  #path(chain: ChainID): string {
    return join(this.#directory, hexOf(chain));
  }
}

export interface Lease extends Disposable {
  run<T>(work: () => T): T;
}
