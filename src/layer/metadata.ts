import type { ChainID, DiffID } from "../digest/chain-id.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { Descriptor } from "./layer.ts";

/**
 * Where a layer store keeps its records. One implementation is the layerdb (`file-metadata.ts`).
 *
 * A record appears whole or not at all: `begin…`, write, `commit` by one visible step, or `cancel`. It disappears in one
 * step too (`setLayerAside`, `setMountAside`), after which its driver trees can be removed at leisure. Whatever a dead
 * process leaves between the steps names the trees that go with it and comes back from `leftovers`.
 */
export interface LayerMetadata {
  /** The chains that have a record, readable or not, in no order. */
  chains(): ChainID[];
  /** Differs when the chain's record is another one than before; `undefined` when there is none. */
  layerStamp(chain: ChainID): string | undefined;
  /**
   * @param stamp what `layerStamp` has just given, by which a store may know that it has read this record before
   * @throws VarveError `not-found` without a record, `corrupt` when it cannot be used
   */
  readLayer(chain: ChainID, stamp?: string): LayerRecord;
  /** The tar-split of a layer, gzip'ed (FORMATS 9.1). */
  splitStream(chain: ChainID): ByteSource;
  /** The file that it is in, where it is one that any thread of the process can read. */
  splitPath?(chain: ChainID): string;

  /** The names of writable layers that have a record, readable or not, in no order. */
  mounts(): string[];
  mountStamp(name: string): string | undefined;
  /** @throws VarveError `not-found` without a record, `corrupt` when it cannot be used */
  readMount(name: string): MountRecord;

  /** Announces a layer whose tree will be `cacheID`; to be called before the tree is made. */
  beginLayer(cacheID: string, options?: BeginOptions): Promise<LayerTransaction>;
  /** Announces a writable layer; to be called before its trees are made. */
  beginMount(record: MountRecord, options?: BeginOptions): Promise<MountTransaction>;

  /** Ends a layer's life for every reader, in one durable step. */
  setLayerAside(chain: ChainID): Promise<Removal>;
  /** Ends a writable layer's life for every reader, in one durable step. */
  setMountAside(name: string): Promise<MountRemoval>;
  /** Makes room for a chain whose record is broken, and keeps that. @returns where it was put */
  putBrokenAside(chain: ChainID): Promise<string>;

  /** What dead processes left, never what a living one is working on. Each is to be discarded or disposed of. */
  leftovers(): Leftover[];
}

export interface BeginOptions {
  /** Whether the trees are there already, and stay whatever becomes of the record: then `leftovers` does not name them. */
  readonly adopted?: boolean | undefined;
}

export interface LayerRecord {
  readonly diffID: DiffID;
  readonly size: number;
  readonly cacheID: string;
  readonly parent: ChainID | undefined;
  readonly descriptor: Descriptor | undefined;
}

/** FORMATS 2.7. */
export interface MountRecord {
  readonly mountID: string;
  readonly initID: string | undefined;
  readonly parent: ChainID | undefined;
}

export interface LayerTransaction {
  readonly split: SplitSink;
  /**
   * An open file for the gzip'ed tar-split, for whoever writes that himself, in another thread, instead of using `split`.
   * He must be through before any of the methods below is called.
   */
  readonly splitDescriptor: number;
  /** Writes the record, durably, where no reader looks. No line may follow. */
  write(record: LayerRecord): Promise<void>;
  /** The visible step. Fails with `already-exists` when the chain has a record, and can then still be cancelled. */
  commit(chain: ChainID): Promise<void>;
  /** Leaves no trace. */
  cancel(): Promise<void>;
  /** Leaves the announcement, for `leftovers`. */
  abandon(): Promise<void>;
}

export interface MountTransaction {
  /** The visible step. Fails with `already-exists` when the name has a record, and can then still be cancelled. */
  commit(name: string): Promise<void>;
  /** Leaves no trace. */
  cancel(): Promise<void>;
  /** Leaves the announcement, for `leftovers`. */
  abandon(): Promise<void>;
}

/** Takes the lines of a tar-split. Whoever writes much waits for `drained` whenever it is `full`. */
export interface SplitSink {
  write(line: string): void;
  readonly full: boolean;
  /** @throws VarveError when the lines could not be stored */
  drained(): Promise<void>;
}

/** A record on its way out. To be disposed of in any case; what was not finished then is left to `leftovers`. */
export interface Removal extends Disposable {
  /** Drops what is left of the record, after the trees. */
  finish(): Promise<void>;
}

export interface MountRemoval extends Removal {
  /** Puts the record back as it was. */
  undo(): Promise<void>;
}

export interface Leftover extends Disposable {
  readonly path: string;
  /** The driver trees that were meant to go or never came to be. */
  readonly trees: readonly string[];
  discard(): Promise<void>;
}
