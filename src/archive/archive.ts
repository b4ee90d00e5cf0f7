import type { DiffID } from "../digest/chain-id.ts";
import type { Digest } from "../digest/digest.ts";
import type { VarveError } from "../errors.ts";
import type { Image, ImageID } from "../image/image.ts";
import type { ImageStore } from "../image/store.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { Descriptor } from "../layer/layer.ts";
import type { WriteTarOptions } from "../layer/layer-tar.ts";
import type { LayerStore } from "../layer/store.ts";
import type { Commit } from "../layer/store-context.ts";
import type { StoredTar } from "../layer/stored-tar.ts";
import type { TarPlace } from "../layer/tar-jobs.ts";
import type { Reference } from "../reference/reference.ts";
import type { ReferenceStore } from "../reference/reference-store.ts";
import type { ArchivePlan } from "./tar-output.ts";

/**
 * Ways in and out (FORMATS 10, 12). Whatever holds images gives them as `SourceImage`s, and whatever takes images takes
 * those, so that each way in works with each way out:
 *
 *     docker-archive.ts  legacy-archive.ts ─┐                        ┌─ load.ts            into a store
 *     oci-layout.ts                         ├─ SourceImage ──────────┼─ docker-sink.ts     what dockerd 20.10 saves
 *     store-source.ts                       ┘                        └─ blob-sink.ts       what 25 saves; an OCI layout
 *
 * An archive is not unpacked: `open-archive.ts` makes `ArchiveFiles` of it, which `archive-index.ts` reads in place by
 * offsets and `archive-directory.ts` out of a directory; only what comes through a pipe or is compressed as a whole goes
 * to disk once (`spool.ts`). `save.ts` writes straight to its reader. `import.ts`, `commit.ts` and `export.ts` are the ways
 * between plain file trees and images, and `changes.ts` is what `--change` does to a config. `v1-sink.ts` makes the archive
 * of Docker 1.9, where an image and a layer are the same.
 */
export interface ImageSource extends AsyncDisposable {
  /** In the order in which they are to be loaded; read and checked, except for the layers' bytes. */
  readonly images: readonly SourceImage[];
}

export interface SourceImage extends Image {
  /** One for each DiffID of the image, bottom first. */
  readonly layers: readonly SourceLayer[];
  /** The tags that come with the image, in the order asked for. */
  readonly references: readonly Reference[];
  /** The parent image, when the source says which it is. */
  readonly parent: ImageID | undefined;
}

export interface SourceLayer {
  readonly diffID: DiffID;
  /** What progress calls it: 12 characters of the DiffID, or of the v1 id in archives that have those. */
  readonly label: string;
  /** Where a foreign layer can be fetched from. */
  readonly descriptor: Descriptor | undefined;
  /** Whether the source has the bytes: a thin archive leaves out what its reader is known to have. */
  readonly available: boolean;
  /** Bytes of the uncompressed tar. May have to read the layer. */
  tarSize(signal?: AbortSignal): Promise<number>;
  /**
   * The uncompressed tar. Whether it has the DiffID is for the taker to see.
   *
   * @throws VarveError `invalid-archive` when the bytes are not there or not those that were promised
   */
  open(options?: StreamOptions): ByteSource;
  /** Puts the uncompressed tar, verified, into a part of a file; where the source can do several layers at a time. */
  readonly writeTar?: ((place: TarPlace, options?: WriteTarOptions) => Promise<void>) | undefined;
  /** The tar as it lies in a file, where it does. */
  readonly stored?: StoredLayer | undefined;
}

/** A layer's tar that any thread can read in place, compressed or not. */
export interface StoredLayer {
  /** Bytes as stored. */
  readonly size: number;
  /** @throws VarveError `invalid-archive` when it is not there */
  open(): StoredTar;
  /** The error of `SourceLayer.open` for bytes that are not the promised ones. */
  wrongBytes(actual: Digest): VarveError;
}

export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told after each chunk how far the reading is, in bytes as stored. */
  readonly onBytes?: ((current: number, total: number) => void) | undefined;
}

/** Takes images and says what an archive of them consists of; `tar-output.ts` makes the archive. */
export type ImageSink = (images: readonly SourceImage[], options?: SinkOptions) => Promise<ArchivePlan>;

export interface SinkOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onLayer?: ((progress: LayerProgress) => void) | undefined;
}

/** How far one layer is, in bytes of the side that it comes from. */
export interface LayerProgress {
  readonly kind: "layer";
  /** `SourceLayer.label`. */
  readonly label: string;
  readonly diffID: DiffID;
  readonly current: number;
  readonly total: number;
}

/** The stores of one data-root. */
export interface Stores {
  readonly layers: LayerStore;
  readonly images: ImageStore;
  readonly references: ReferenceStore;
  /**
   * Runs a visible step while no other process makes one, on stores that have seen what others did; layers are registered
   * outside of it. Without it the stores are nobody else's.
   */
  readonly commit?: Commit | undefined;
  /**
   * Runs the work on one image, whose layers no other process deletes meanwhile. Each takes a descriptor for as long, so
   * this is not for many images at a time.
   */
  readonly hold?: Commit | undefined;
}

/** Runs `work` as one visible step. */
export async function commitTo<T>(stores: Stores, work: () => Promise<T>): Promise<T> {
  return stores.commit === undefined ? await work() : await stores.commit(work);
}

/** What an archive may cost. */
export interface ArchiveLimits {
  /** Bytes on disk for an archive that comes through a pipe or is compressed as a whole; 256 GiB if absent. */
  readonly spoolBytes?: number | undefined;
  /** Bytes of one layer, uncompressed; 256 GiB if absent. */
  readonly layerBytes?: number | undefined;
  /** Bytes of a manifest, an index or a config; 8 MiB if absent. */
  readonly documentBytes?: number | undefined;
  /** Members of the archive; 500,000 if absent. */
  readonly members?: number | undefined;
}

export type SettledLimits = { readonly [Key in keyof ArchiveLimits]-?: number };

export function settleLimits(limits: ArchiveLimits = {}): SettledLimits {
  return {
    spoolBytes: limits.spoolBytes ?? 256 * 2 ** 30,
    layerBytes: limits.layerBytes ?? 256 * 2 ** 30,
    documentBytes: limits.documentBytes ?? 8 * 2 ** 20,
    members: limits.members ?? 500_000,
  };
}
