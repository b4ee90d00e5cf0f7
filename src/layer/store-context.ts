import type { ChainID } from "../digest/chain-id.ts";
import type { Driver } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import type { LayerEntry, LayerTable } from "./layer-table.ts";
import type { LayerMetadata } from "./metadata.ts";

/** What the parts of one layer store share: `register.ts`, `writable.ts`, `collect.ts` and the handles. */
export interface StoreContext {
  readonly driver: Driver;
  readonly metadata: LayerMetadata;
  readonly table: LayerTable;
  readonly commit: Commit;
  /** See `LayerStoreOptions.threads`. */
  readonly threads: number | undefined;
  afterwards(work: () => Promise<void>): Promise<void>;
  heldElsewhere(chain: ChainID): boolean;
  keepsTree(tree: string): boolean;
  onHandOut(chain: ChainID, isNew: boolean): void;
  warn(message: string): void;
}

/** Runs a visible step; see `LayerStoreOptions.commit`. */
export type Commit = <T>(work: () => Promise<T>) => Promise<T>;

/** @throws VarveError `not-found` */
export function knownLayer({ table }: StoreContext, chain: ChainID): LayerEntry {
  const entry = table.layers.get(chain);
  if (entry === undefined) throw new VarveError("not-found", "layer does not exist", { chainID: chain });
  return entry;
}

/** A layer that must not go while long work stands on it. */
export class HeldParent implements Disposable {
  readonly entry: LayerEntry | undefined;
  readonly chainID: ChainID | undefined;
  /** Its tree when the work began. */
  readonly tree: string | undefined;

  constructor(context: StoreContext, chain: ChainID | undefined) {
    this.entry = chain === undefined ? undefined : knownLayer(context, chain);
    this.chainID = chain;
    this.tree = this.entry?.cacheID;
    if (this.entry !== undefined) this.entry.references++;
  }

  /**
   * Asked inside a visible step, on memory that agrees with the disk.
   *
   * @throws VarveError `conflict` when another process deleted it all the same
   */
  checkPresent(): void {
    if (this.entry === undefined || (!this.entry.gone && this.entry.cacheID === this.tree)) return;
    throw new VarveError("conflict", `the parent layer ${this.chainID} was deleted by another process meanwhile`, {
      chainID: this.chainID,
    });
  }

  [Symbol.dispose](): void {
    if (this.entry !== undefined) this.entry.references--;
  }
}

/** Inside a visible step: makes memory agree with the disk about these chains, which long work may have outdated. */
export function lookAgain({ table }: StoreContext, chains: readonly (ChainID | undefined)[]): void {
  if (!chains.every((chain) => chain === undefined || table.isCurrent(chain))) table.refresh();
}

/** For a layer that somebody still holds. */
export function vanished(chain: ChainID, cause?: unknown): VarveError {
  return new VarveError("not-found", `layer ${chain} is gone: another process deleted it`, { chainID: chain }, cause);
}
