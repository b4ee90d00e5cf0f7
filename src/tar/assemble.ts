import { closeSync, readSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { Crc64 } from "./crc64.ts";
import type { Header } from "./header.ts";
import { LastBlock } from "./last-block.ts";
import { TarReader } from "./reader.ts";
import { type SplitEntry, type SplitFile, SplitParser } from "./split.ts";

/** Where the payloads are that are not in the tar-split. */
export interface PayloadFiles {
  /** A descriptor of the regular file of that name, at its start; it is closed by who asked. Names are not to be trusted. */
  open(name: ByteString): number;
}

/**
 * The exact tar out of a tar-split's entries and the files (FORMATS 9.5). Each file is verified by its CRC, after its bytes
 * were given out. A chunk is valid until the next one is asked for.
 *
 * @throws VarveError `corrupt` when a file is not the one that the tar held, and whatever `open` throws
 * @example
 * for await (const chunk of assemble(readSplit(createReadStream("tar-split.json.gz")), files)) writeSync(output, chunk);
 */
export async function* assemble(
  batches: AsyncIterable<readonly SplitEntry[]>,
  files: PayloadFiles,
  nextWindow?: () => Buffer,
): AsyncGenerator<Uint8Array, void, undefined> {
  const assembler = new Assembler(files, nextWindow);
  for await (const batch of batches) yield* assembler.add(batch);
  yield* assembler.end();
}

/** The work of `assemble`, synchronous, for callers that have the entries at hand. */
export class Assembler {
  readonly #files: PayloadFiles;
  readonly #crc = new Crc64();
  readonly #lastBlock = new LastBlock();
  readonly #nextWindow: () => Buffer;
  #window: Buffer | undefined;
  #filled = 0;

  /**
   * @param nextWindow gives memory of `ASSEMBLER_WINDOW` bytes to put the next chunk into, once what is done with the last
   *   one is over; by default the same memory again
   */
  constructor(files: PayloadFiles, nextWindow: () => Buffer = sameWindow()) {
    this.#files = files;
    this.#nextWindow = nextWindow;
  }

  *add(entries: Iterable<SplitEntry>): Generator<Uint8Array, void, undefined> {
    for (const entry of entries) {
      if (entry.kind === "file") {
        if (entry.size > 0 && !this.#lastBlock.hasNoPayload(entry)) yield* this.#file(entry);
      } else {
        this.#lastBlock.remember(entry.bytes);
        if (entry.bytes.length > CHUNK - this.#filled) yield* this.#spill(entry.bytes);
        else this.#put(entry.bytes);
      }
    }
  }

  *end(): Generator<Uint8Array, void, undefined> {
    if (this.#filled > 0) yield this.#take();
  }

  /** Reads a file straight into the window. */
  *#file(file: SplitFile): Generator<Uint8Array, void, undefined> {
    const fd = this.#files.open(file.name);
    try {
      this.#crc.reset();
      for (let left = file.size; left > 0; ) {
        if (this.#filled === CHUNK) yield this.#take();
        const window = this.#open();
        const room = CHUNK - this.#filled;
        const length = this.#read(fd, window, left <= room ? left + 1 : room);
        if (length === 0 || length > left) throw integrityError(file);
        const end = this.#filled + length;
        this.#crc.update(window.subarray(this.#filled, end));
        this.#filled = end;
        left -= length;
      }
      if (file.crc === undefined || !this.#crc.digest().equals(file.crc)) throw integrityError(file);
    } finally {
      closeSync(fd);
    }
  }

  #read(fd: number, window: Buffer, length: number): number {
    try {
      return readSync(fd, window, this.#filled, length, null);
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /** Bytes that do not fit into what is left of the window. */
  *#spill(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === CHUNK) yield this.#take();
      const part = bytes.subarray(at, at + CHUNK - this.#filled);
      this.#put(part);
      at += part.length;
    }
  }

  #put(bytes: Uint8Array): void {
    this.#open().set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #open(): Buffer {
    this.#window ??= this.#nextWindow();
    return this.#window;
  }

  #take(): Uint8Array {
    const filled = this.#open().subarray(0, this.#filled);
    this.#filled = 0;
    this.#window = undefined;
    return filled;
  }
}

/** Bytes that are given out at once. */
const CHUNK = 1 << 19;
/** One byte more than is given out, to see whether a file goes on where it should end. */
export const ASSEMBLER_WINDOW: number = CHUNK + 1;

function sameWindow(): () => Buffer {
  let window: Buffer | undefined;
  return () => {
    window ??= Buffer.allocUnsafeSlow(ASSEMBLER_WINDOW);
    return window;
  };
}

/**
 * The entries of a `tar-split.json.gz`, in batches of what was unpacked at once.
 *
 * @throws VarveError `corrupt` when it is cut off or no tar-split; what `source` throws passes through
 */
export async function* readSplit(source: AsyncIterable<Uint8Array>): AsyncGenerator<SplitEntry[], void, undefined> {
  const parser = new SplitParser();
  for await (const chunk of unpackSplit(source)) yield parser.write(chunk);
  yield parser.end();
}

/** Its lines, gunzipped, in chunks of their own memory. @throws VarveError as `readSplit` */
export async function* unpackSplit(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  const gunzip = createGunzip({ chunkSize: UNPACKED });
  const feeding = pipeline(copiesOf(source), gunzip).catch(() => undefined);
  try {
    yield* gunzip;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && String(error.code).startsWith("Z_"))) throw error;
    throw new VarveError("corrupt", `tar-split: ${error.message}`, {}, error);
  } finally {
    await feeding;
  }
}

/** Bytes that are unpacked at once. Each time costs a way to another thread and back. */
const UNPACKED = 1 << 18;

/** zlib still reads a chunk when it asks for the next one. */
async function* copiesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield Buffer.from(chunk);
}

/**
 * The headers of a layer out of its `tar-split.json.gz` alone, in the tar's order; no payload is read.
 *
 * @throws VarveError `corrupt`
 * @example
 * for await (const header of readHeaders(layer.splitStream())) console.log(toText(header.name), header.size);
 */
export async function* readHeaders(source: AsyncIterable<Uint8Array>): AsyncGenerator<Header, void, undefined> {
  const headers: Header[] = [];
  const sink = { raw() {}, payload() {}, header: (header: Header) => void headers.push(header) };
  const reader = new TarReader(sink, { specialBytes: LARGEST_STORED_RECORD });
  try {
    for await (const batch of readSplit(source)) {
      for (const entry of batch) {
        if (entry.kind === "segment") reader.write(entry.bytes);
        else if (entry.size > 0) reader.skipPayload();
      }
      yield* headers.splice(0);
    }
    reader.end();
  } catch (error) {
    if (!isVarveError(error, "invalid-archive")) throw error;
    throw new VarveError("corrupt", `tar-split: ${error.message}`, error.details, error);
  }
}

/** Old versions of tar-split took PAX headers of any length. */
const LARGEST_STORED_RECORD = 16 << 20;

function integrityError({ name }: SplitFile): VarveError {
  const text = toText(name);
  return new VarveError("corrupt", `file integrity checksum failed for ${JSON.stringify(text)}`, { name: text });
}
