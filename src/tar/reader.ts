import { type Demand, type EntryEvents, readEntries, type TarLimits } from "./entries.ts";
import type { Header } from "./header.ts";
import { unexpectedEnd } from "./tar-error.ts";

/**
 * Takes a tar apart. All calls are synchronous and in stream order; the bytes of all `raw` and `payload` calls, joined,
 * are the stream. Bytes are valid only during the call. What a sink throws ends the reading.
 */
export interface TarSink extends EntryEvents {
  /** Bytes that are not payload: header blocks, PAX records, long names, sparse maps, padding, everything at the end. */
  raw(bytes: Uint8Array): void;
  /** An entry, after the last `raw` of its header. Global PAX headers are entries of type `g`. */
  header(header: Header): void;
  /** A piece of the entry's payload as stored: of a sparse file the fragments without the holes. */
  payload(bytes: Uint8Array): void;
  /** After the last payload of each entry, also when it has none. */
  payloadEnd?(): void;
  /** The two zero blocks have passed; what `raw` gets now is behind the archive, and may be anything of any length. */
  archiveEnd?(): void;
}

/**
 * Reads a tar pushed in chunks of any size. It accepts and refuses what Go's archive/tar does (FORMATS 9.4), with two
 * exceptions: sizes beyond 2^53 - 1 are refused, and a sparse file whose map and payload differ in length is refused
 * at its header instead of while its content is read.
 *
 * @throws VarveError `invalid-archive`, from `write` and `end`; a reader that has thrown throws the same again
 * @example
 * const names: ByteString[] = [];
 * const reader = new TarReader({ raw() {}, payload() {}, header: (header) => void names.push(header.name) });
 * for await (const chunk of createReadStream("layer.tar")) reader.write(chunk);
 * reader.end();
 */
export class TarReader {
  readonly #sink: TarSink;
  readonly #entries: Iterator<Demand, void, Buffer>;
  #demand: Demand;
  /** How much of the demand has been met, and the bytes of it if it is a piece that came in parts. */
  #met = 0;
  #parts: Buffer = Buffer.allocUnsafe(512);
  /** Where in the stream the current chunk began, and the piece that was served last. */
  #offset = 0;
  #pieceOffset = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(sink: TarSink, limits: TarLimits = {}) {
    this.#sink = sink;
    this.#entries = readEntries(sink, limits, () => this.#pieceOffset);
    this.#demand = this.#entries.next().value as Demand;
  }

  /** The next bytes of the stream. */
  write(chunk: Uint8Array): void {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#guard(() => {
      for (let at = 0; at < bytes.length; ) at = this.#serve(bytes, at);
    });
    this.#offset += bytes.length;
  }

  /** The stream is over. It may be over behind any entry, within its padding, and with or without the zero blocks. */
  end(): void {
    this.#guard(() => {
      const { kind, mayEnd } = this.#demand;
      if (!mayEnd || (kind === "take" && this.#met > 0)) throw unexpectedEnd({ offset: this.#offset });
    });
  }

  /**
   * The payload of the entry whose header came last is not in the stream: what is written next stands behind it.
   * For streams of which only the raw bytes were kept.
   */
  skipPayload(): void {
    this.#guard(() => {
      if (this.#demand.kind === "payload") this.#advance(NOTHING);
    });
  }

  /** Gives the grammar as much of `bytes` from `at` on as it asked for. Returns the position behind. */
  #serve(bytes: Buffer, at: number): number {
    const { kind, length } = this.#demand;
    if (this.#met === 0) this.#pieceOffset = this.#offset + at;
    const end = Math.min(bytes.length, at + length - this.#met);
    if (kind === "take") return this.#gather(bytes, at, end);
    const passing = end - at === bytes.length ? bytes : bytes.subarray(at, end);
    if (kind === "payload") this.#sink.payload(passing);
    else this.#sink.raw(passing);
    this.#met += passing.length;
    if (this.#met === length) this.#advance(NOTHING);
    return end;
  }

  /** Hands over a piece: in place, or out of its parts when it came in several chunks. */
  #gather(bytes: Buffer, at: number, end: number): number {
    const { length } = this.#demand;
    if (end - at === length) {
      const piece = bytes.subarray(at, end);
      this.#sink.raw(piece);
      this.#advance(piece);
      return end;
    }
    if (this.#parts.length < length) this.#parts = Buffer.allocUnsafe(length);
    this.#met += bytes.copy(this.#parts, this.#met, at, end);
    if (this.#met === length) {
      const piece = this.#parts.subarray(0, length);
      this.#sink.raw(piece);
      this.#advance(piece);
    }
    return end;
  }

  #advance(piece: Buffer): void {
    this.#met = 0;
    this.#demand = this.#entries.next(piece).value as Demand;
  }

  #guard(work: () => void): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      work();
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
