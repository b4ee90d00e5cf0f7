import type { EntrySink } from "./disassemble.ts";
import type { Fragment } from "./header.ts";

/** Puts the holes of a sparse file between its fragments again, as lengths. */
export class SparseContent {
  readonly #fragments: readonly Fragment[];
  readonly #size: number;
  readonly #tree: EntrySink;
  #next = 0;
  #position = 0;
  #left = 0;

  constructor(fragments: readonly Fragment[], size: number, tree: EntrySink) {
    this.#fragments = fragments;
    this.#size = size;
    this.#tree = tree;
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) {
        const { offset, length } = this.#fragments[this.#next++]!;
        this.#holeUpTo(offset);
        this.#left = length;
      }
      const length = Math.min(this.#left, bytes.length - at);
      this.#tree.data(bytes.subarray(at, at + length));
      at += length;
      this.#left -= length;
      this.#position += length;
    }
  }

  end(): void {
    this.#holeUpTo(this.#size);
  }

  #holeUpTo(offset: number): void {
    if (offset > this.#position) this.#tree.hole(offset - this.#position);
    this.#position = offset;
  }
}
