import type { ChainID, DiffID } from "../digest/chain-id.ts";
import type { LayerContent } from "../driver/driver.ts";
import type { VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { GoInteger } from "../json/go-type.ts";
import type { WriteTarOptions } from "./layer-tar.ts";
import type { TarPlace } from "./tar-jobs.ts";

/**
 * The layer store (FORMATS 2): read-only layers, each a difference to its parent, named by the chain of DiffIDs below
 * and including it, and writable layers on top of them.
 *
 * `store.ts` is the way in. A layer comes to life by `register`: `unpack.ts` takes its tar once and makes the driver's
 * tree, the tar-split and the DiffID of it, then one rename of `metadata.ts` publishes the record. What is on disk is
 * known to `layer-table.ts`, which reads it at the start and again after other processes changed it. Nothing is stored
 * twice: a chain that is there already is handed out again. `layer-tar.ts` gives the tar back, byte for byte or as an
 * error. Whoever gets a layer holds a reference; when the last one goes, the layer is deleted, then its parent when
 * that was the parent's last reference, and so on up the chain.
 */
export interface LayerInfo {
  readonly chainID: ChainID;
  readonly diffID: DiffID;
  readonly parent: ChainID | undefined;
  /** The layer's tree in the driver. */
  readonly cacheID: string;
  /** Bytes of this layer alone, as the driver that applied it counted them (FORMATS 2.3). */
  readonly size: number;
  /** How many layers the stack has up to this one; 1 for a base layer. */
  readonly depth: number;
  /** Where a foreign layer can be fetched from (FORMATS 2.2). */
  readonly descriptor: Descriptor | undefined;
}

/** The content of `descriptor.json`. */
export interface Descriptor {
  readonly mediaType: string;
  readonly size: GoInteger;
  readonly digest: string;
  readonly urls: readonly string[] | null;
}

/**
 * A reference to a layer. It must be given back once, by `release` or by leaving an `await using` block; a layer that
 * another process deleted meanwhile answers every question about its content with a `not-found` error.
 *
 * @example
 * await using layer = store.get(chainID);
 * await writeAll(output, layer.tarStream());
 */
export interface Layer extends LayerInfo, AsyncDisposable {
  /** Bytes of this layer and of all below it. */
  totalSize(): number;
  /**
   * The tar that was registered, byte for byte. A chunk is valid until the next one is asked for.
   *
   * @throws VarveError `corrupt` while or after streaming, when the layer's files are no longer what they were;
   *   `cancelled` when the signal aborts
   */
  tarStream(options?: { signal?: AbortSignal | undefined }): ByteSource;
  /** How long that tar is, from its tar-split alone. */
  tarSize(options?: { signal?: AbortSignal | undefined }): Promise<number>;
  /**
   * Puts the same tar into a part of a file, `place.size` bytes at `place.offset`. Several layers may be written at a
   * time. A part whose layer failed holds anything.
   *
   * @throws VarveError as `tarStream`, or that of the writing
   */
  writeTar(place: TarPlace, options?: WriteTarOptions): Promise<void>;
  /** `tar-split.json.gz` as it lies on disk. */
  splitStream(): ByteSource;
  /** Opens this layer's own files by the names they have in its tar; to be closed. */
  content(): Promise<LayerContent>;
  /** What the driver tells about the tree, for `inspect`. */
  metadata(): Promise<Record<string, string>>;
  /**
   * Gives the reference back and deletes what nobody refers to any more.
   *
   * @returns what was deleted, top first
   * @throws VarveError `invalid-argument` when it was given back already. When a tree could not be removed: the driver's
   *   error, with the deleted layers in `details.released`; the layers are gone and `cleanup` tries the trees again.
   */
  release(): Promise<ReleasedLayer[]>;
  /** Gives the reference back and deletes nothing: for one who finds that another process took care of it. */
  forget(): void;
}

export interface ReleasedLayer {
  readonly chainID: ChainID;
  readonly diffID: DiffID;
  readonly cacheID: string;
  readonly size: number;
}

/** A record that is on disk and cannot be used. */
export interface BrokenLayer {
  readonly kind: "layer" | "mount";
  /** The chain, or the name of the writable layer. */
  readonly name: string;
  /** What is wrong, in one line. */
  readonly reason: string;
  readonly cause: VarveError;
}

/** No stack may be higher (FORMATS 2.4). */
export const MAX_DEPTH = 125;
