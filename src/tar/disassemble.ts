import type { Header } from "./header.ts";

/** Where an entry's payload will be found again: under its name in the tree, or nowhere but in the tar-split. */
export type PayloadHome = "tree" | "split";

/**
 * Takes a tar's entries one after the other: `entry`, then `data` and `hole` in the order of the file's content, then
 * `entryEnd`. All calls are synchronous; bytes are valid only during the call. What it throws stops the stream.
 */
export interface EntrySink {
  /**
   * Every entry comes here, global PAX headers (type `g`) and empty ones too. With the answer `split` the tar-split
   * keeps the payload; `data` is called all the same. For sparse entries the answer is not asked: they go to the split.
   */
  entry(header: Header): PayloadHome;
  data(bytes: Uint8Array): void;
  /** `length` zero bytes that the tar does not hold (sparse files); may be far more than any memory or disk. */
  hole(length: number): void;
  entryEnd(): void;
}
