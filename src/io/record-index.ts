import type { Packer, Unpacker } from "./packed.ts";
import { isSettled } from "./stamp.ts";

/**
 * What processes before this one read in small files, by key: with each value the stamp that the files had then. Who
 * needs a value takes the stamp of the files as they are now, and reads them only if the index has none with that stamp.
 * So the index is never believed over the files, and an index that is old, or none at all, makes a start slower and
 * nothing else.
 *
 * An entry is a value that was read and found good, out of files that nobody had touched for a while.
 */
export class RecordIndex<Value> {
  readonly #codec: IndexCodec<Value>;
  /** Before anything was read. */
  readonly #begun: number = Date.now();
  #remembered: ReadonlyMap<string, Entry<Value>>;
  #current: Map<string, Entry<Value>> | undefined = new Map();
  #news = 0;

  constructor(codec: IndexCodec<Value>, remembered: ReadonlyMap<string, Entry<Value>> = new Map()) {
    this.#codec = codec;
    this.#remembered = remembered;
  }

  /** What `pack` packed. @throws RangeError for bytes that hold no index */
  static unpack<Value>(codec: IndexCodec<Value>, from: Unpacker): RecordIndex<Value> {
    const remembered = new Map<string, Entry<Value>>();
    for (let left = from.count(); left > 0; left--)
      remembered.set(from.latin(), { stamp: from.latin(), value: codec.unpack(from) });
    return new RecordIndex(codec, remembered);
  }

  /** The value that is in the files, if they were read while they had this stamp. */
  recall(key: string, stamp: string): Value | undefined {
    const entry = this.#remembered.get(key);
    if (entry?.stamp !== stamp) return undefined;
    this.#current?.set(key, entry);
    return entry.value;
  }

  /** Keeps what was just read, after the stamp was taken. */
  note(key: string, stamp: string, value: Value): void {
    if (this.#current === undefined || !isSettled(stamp, this.#begun)) return;
    this.#current.set(key, { stamp, value });
    this.#news++;
  }

  /** How many entries the next process would be better off with, or without. */
  get changes(): number {
    return this.#news + Math.max(0, this.#remembered.size - (this.size - this.#news));
  }

  /** How many entries `pack` gives. */
  get size(): number {
    return this.#current?.size ?? 0;
  }

  pack(into: Packer): void {
    into.count(this.size);
    for (const [key, { stamp, value }] of this.#current ?? []) {
      into.latin(key).latin(stamp);
      this.#codec.pack(value, into);
    }
  }

  /** Gives the memory back; from now on nothing is recalled or kept. */
  forget(): void {
    this.#remembered = new Map();
    this.#current = undefined;
    this.#news = 0;
  }
}

/** How a value is packed. */
export interface IndexCodec<Value> {
  pack(value: Value, into: Packer): void;
  /** @throws RangeError for bytes that hold none */
  unpack(from: Unpacker): Value;
}

/** What the files of a key said while they had a stamp. */
export interface Entry<Value> {
  readonly stamp: string;
  readonly value: Value;
}
