import { type ChainID, type DiffID, extendChain } from "../digest/chain-id.ts";
import { VarveError } from "../errors.ts";
import type { Layer } from "../layer/layer.ts";

/** Where one layer's tar lies in the whole. */
export interface TarPart {
  readonly diffID: DiffID;
  readonly chainID: ChainID;
  readonly offset: number;
  readonly size: number;
}

/**
 * The tars of all layers of an image, bottom first, one behind the other: what a reader that goes on after the end of an
 * archive takes for one tar. Its size is known before a byte is read, and it can be read from anywhere.
 *
 * Whole layers before an offset are passed over unread; inside a layer, reading begins at the layer's start. The length of a
 * layer's tar comes from its tar-split alone. It belongs to the DiffID for good, so `lengths` may be kept and shared.
 *
 * @example
 * await using tar = await images.tarStream(id);
 * const tail = await tar.read(tar.size - 1024, 1024);
 */
export class ImageTar implements AsyncDisposable {
  readonly size: number;
  readonly parts: readonly TarPart[];
  readonly #layers: readonly Layer[];
  #cursor: Cursor | undefined;
  /** Reads come one after the other. */
  #lastRead: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(layers: readonly Layer[], parts: readonly TarPart[]) {
    this.#layers = layers;
    this.parts = parts;
    this.size = parts.reduce((sum, part) => sum + part.size, 0);
  }

  /** @throws VarveError `not-found` when a layer is not there */
  static async open(
    diffIDs: readonly DiffID[],
    source: { get(chain: ChainID): Layer },
    lengths: Map<DiffID, number> = new Map(),
  ): Promise<ImageTar> {
    const layers: Layer[] = [];
    try {
      let chainID: ChainID | undefined;
      for (const diffID of diffIDs) {
        chainID = extendChain(chainID, diffID);
        layers.push(source.get(chainID));
      }
      const parts: TarPart[] = [];
      let offset = 0;
      for (const layer of layers) {
        const { diffID, chainID } = layer;
        const size = lengths.get(diffID) ?? (await layer.tarSize());
        lengths.set(diffID, size);
        parts.push({ diffID, chainID, offset, size });
        offset += size;
      }
      return new ImageTar(layers, parts);
    } catch (error) {
      await releaseAll(layers);
      throw error;
    }
  }

  /**
   * The bytes from `offset` to the end. A chunk is valid until the next one is asked for. Layers that are read from their
   * first to their last byte are verified by their digests.
   *
   * @throws VarveError `corrupt` when a layer is no longer what it was, `invalid-argument` for an offset outside
   */
  async *stream(offset = 0, options: { signal?: AbortSignal | undefined } = {}): AsyncGenerator<Uint8Array> {
    this.#check(offset);
    for (const [i, part] of this.parts.entries()) {
      if (part.offset + part.size <= offset) continue;
      let skip = Math.max(0, offset - part.offset);
      let seen = 0;
      for await (const chunk of this.#layers[i]!.tarStream(options)) {
        seen += chunk.length;
        if (skip < chunk.length) yield chunk.subarray(skip);
        skip = Math.max(0, skip - chunk.length);
      }
      if (seen !== part.size)
        throw new VarveError("corrupt", `layer ${part.diffID} has ${seen} bytes where ${part.size} were recorded`, {
          diffID: part.diffID,
        });
    }
  }

  /**
   * Up to `length` bytes from `offset` on; fewer only at the end. Reading on from where the last call ended takes no
   * detour.
   *
   * @throws VarveError like `stream`
   */
  read(offset: number, length: number): Promise<Buffer> {
    const result = this.#lastRead.then(() => this.#read(offset, length));
    this.#lastRead = result.catch(() => {});
    return result;
  }

  /** Gives the layers back. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#lastRead;
    await this.#cursor?.close();
    await releaseAll(this.#layers);
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    this.#check(offset);
    if (!this.#cursor?.reaches(offset, this.#partAt(offset))) {
      await this.#cursor?.close();
      this.#cursor = new Cursor(this.stream(offset), offset);
    }
    try {
      return await this.#cursor.read(offset, Math.min(length, this.size - offset));
    } catch (error) {
      this.#cursor = undefined;
      throw error;
    }
  }

  #partAt(offset: number): TarPart | undefined {
    return this.parts.find((part) => offset < part.offset + part.size);
  }

  #check(offset: number): void {
    if (this.#disposed) throw new VarveError("invalid-argument", "the image tar is closed");
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > this.size)
      throw new VarveError("invalid-argument", `offset ${offset} is outside of the image tar`, { offset });
  }
}

/** A place in a stream, from which it can only be read onward. */
class Cursor {
  readonly #chunks: AsyncGenerator<Uint8Array>;
  #position: number;
  /** What was asked for and not yet taken. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncGenerator<Uint8Array>, position: number) {
    this.#chunks = chunks;
    this.#position = position;
  }

  /** Whether going on from here is the shortest way to an offset in `part`. */
  reaches(offset: number, part: TarPart | undefined): boolean {
    return offset === this.#position || (offset > this.#position && this.#position >= (part?.offset ?? offset));
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(Math.max(0, length));
    const end = offset + bytes.length;
    while (this.#position < end) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) return bytes.subarray(0, Math.max(0, this.#position - offset));
        this.#rest = next.value;
      }
      const until = this.#position < offset ? offset : end;
      const taken = this.#rest.subarray(0, until - this.#position);
      if (this.#position >= offset) bytes.set(taken, this.#position - offset);
      this.#rest = this.#rest.subarray(taken.length);
      this.#position += taken.length;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#chunks.return(undefined);
  }
}

async function releaseAll(layers: readonly Layer[]): Promise<void> {
  for (const layer of [...layers].reverse()) await layer.release();
}
