import { digestOf } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { cleanName } from "./clean-name.ts";
import { Crc64 } from "./crc64.ts";
import type { TarLimits } from "./entries.ts";
import type { Header } from "./header.ts";
import { TarReader } from "./reader.ts";
import { SparseContent } from "./sparse-content.ts";
import { formatSplitLine, type SplitEntry } from "./split.ts";

/** Where an entry's payload will be found again: under its name in the tree, or nowhere but in the tar-split. */
export type PayloadHome = "tree" | "split";

/**
 * Takes a tar's entries one after the other: `entry`, then `data` and `hole` in the order of the file's content, then
 * `entryEnd`. All calls are synchronous; bytes are valid only during the call. What it throws stops the stream.
 */
export interface EntrySink {
  /**
   * Every entry comes here, global PAX headers (type `g`) and empty ones too. With the answer `split` the tar-split
   * keeps the payload; `data` is called all the same. Sparse files go to the split whatever the answer.
   */
  entry(header: Header): PayloadHome;
  data(bytes: Uint8Array): void;
  /** `length` zero bytes that the tar does not hold (sparse files); may be far more than any memory or disk. */
  hole(length: number): void;
  entryEnd(): void;
}

export interface DisassemblerOptions {
  /** Takes the lines of the tar-split in order, each with its newline. */
  line(text: string): void;
  /** Takes the entries; without it the payloads are taken for kept. */
  readonly tree?: EntrySink;
  readonly limits?: TarLimits;
}

/**
 * Takes a layer's tar apart into the lines of a tar-split and a tree, in one pass over chunks of any size. The lines are
 * those that dockerd 20.10 writes (FORMATS 9.2), but for where they cut what follows the archive, and for payloads that
 * the tree does not keep: they lie in segments behind a file line without size, so that dockerd too can join it all again.
 * Memory is bounded by the largest header, and by the names, which are held to refuse duplicates.
 *
 * @throws VarveError `invalid-archive`
 * @example
 * const disassembler = new Disassembler({ line: (text) => gzip.write(text), tree });
 * for await (const chunk of layer) disassembler.write(chunk);
 * disassembler.end();
 */
export class Disassembler {
  readonly #options: DisassemblerOptions;
  readonly #reader: TarReader;
  readonly #names = new Set<string>();
  readonly #crc = new Crc64();
  #position = 0;
  #staged: Buffer = Buffer.allocUnsafe(1 << 14);
  #stagedLength = 0;
  #header: Header | undefined;
  #home: PayloadHome = "tree";
  #content: SparseContent | undefined;

  constructor(options: DisassemblerOptions) {
    this.#options = options;
    const sink = {
      raw: (bytes: Uint8Array) => this.#stage(bytes),
      header: (header: Header) => this.#begin(header),
      payload: (bytes: Uint8Array) => this.#payload(bytes),
      payloadEnd: () => this.#finish(),
      archiveEnd: () => this.#flush(),
    };
    this.#reader = new TarReader(sink, options.limits);
  }

  write(chunk: Uint8Array): void {
    this.#reader.write(chunk);
  }

  /** The stream is over. The last line is an empty segment, by which old versions of tar-split marked the end. */
  end(): void {
    this.#reader.end();
    this.#flush();
    this.#write({ kind: "segment", bytes: this.#staged.subarray(0, 0) });
  }

  #begin(header: Header): void {
    this.#flush();
    this.#refuseDuplicate(header.name);
    const { tree } = this.#options;
    const home = tree?.entry(header) ?? "tree";
    this.#header = header;
    if (header.sparse !== undefined) this.#home = "split";
    else this.#home = header.payloadSize === 0 ? "tree" : home;
    this.#content = header.sparse && tree && new SparseContent(header.sparse, header.size, tree);
    this.#crc.reset();
    if (this.#home === "split") this.#writeFile(header.name, 0);
  }

  #payload(bytes: Uint8Array): void {
    if (this.#home === "split") this.#stage(bytes);
    else this.#crc.update(bytes);
    if (this.#content === undefined) this.#options.tree?.data(bytes);
    else this.#content.write(bytes);
  }

  /** A type without payload keeps its size in the line as it keeps it in the header, with the CRC of nothing. */
  #finish(): void {
    const { name, size } = this.#header!;
    this.#content?.end();
    this.#options.tree?.entryEnd();
    if (this.#home === "tree") this.#writeFile(name, size);
  }

  #refuseDuplicate(name: ByteString): void {
    const clean = cleanName(name);
    const key = clean.length <= LONG_NAME ? clean : digestOf(clean);
    const before = this.#names.size;
    if (this.#names.add(key).size > before) return;
    throw new VarveError("invalid-archive", "duplicates of file paths not supported", { name: toText(name) });
  }

  /** Gathers bytes for the next segment, and cuts it when it is full. */
  #stage(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const length = Math.min(bytes.length - at, SEGMENT - this.#stagedLength);
      const piece = length === bytes.length ? bytes : bytes.subarray(at, at + length);
      at += length;
      this.#makeRoom(length);
      this.#staged.set(piece, this.#stagedLength);
      this.#stagedLength += length;
      if (this.#stagedLength === SEGMENT) this.#flush();
    }
  }

  #makeRoom(length: number): void {
    const needed = this.#stagedLength + length;
    if (needed <= this.#staged.length) return;
    const larger = Buffer.allocUnsafe(Math.min(SEGMENT, Math.max(needed, 4 * this.#staged.length)));
    this.#staged.copy(larger, 0, 0, this.#stagedLength);
    this.#staged = larger;
  }

  #flush(): void {
    if (this.#stagedLength === 0) return;
    const bytes = this.#staged.subarray(0, this.#stagedLength);
    this.#stagedLength = 0;
    this.#write({ kind: "segment", bytes });
  }

  #writeFile(name: ByteString, size: number): void {
    this.#write({ kind: "file", name, size, crc: size > 0 ? this.#crc.digest() : undefined });
  }

  #write(entry: SplitEntry): void {
    this.#options.line(formatSplitLine(entry, this.#position++));
  }
}

/** No segment is longer. */
const SEGMENT = 1 << 20;
/** Of names that are longer only a digest is held. */
const LONG_NAME = 255;
