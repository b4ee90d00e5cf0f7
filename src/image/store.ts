import type { ChainID, DiffID } from "../digest/chain-id.ts";
import { isVarveError, VarveError } from "../errors.ts";
import type { RecordIndex } from "../io/record-index.ts";
import type { GoTime } from "../json/go-time.ts";
import type { Layer, ReleasedLayer } from "../layer/layer.ts";
import type { ImageBackend } from "./backend.ts";
import { FamilyTree } from "./family-tree.ts";
import { type Image, type ImageID, type ImageOutline, outlineOf, parseImage } from "./image.ts";
import type { IndexedImage } from "./image-index.ts";
import { ImageMetadata } from "./image-metadata.ts";
import type { ImageTar } from "./image-tar.ts";

/** What an image store needs of a layer store. */
export interface LayerSource {
  /** @throws VarveError `not-found` */
  get(chain: ChainID): Layer;
}

export interface ImageStoreOptions {
  readonly backend: ImageBackend;
  readonly layers: LayerSource;
  /** The operating system that the layers are for; `linux` unless told. An image for another one is refused. */
  readonly os?: string | undefined;
  /** Spares the store images that are as they were, if the backend has stamps. */
  readonly index?: RecordIndex<IndexedImage> | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** An image that is on disk and cannot be used. */
export interface BrokenImage {
  readonly id: ImageID;
  /** What is wrong, in one line. */
  readonly reason: string;
  readonly cause: VarveError;
}

/**
 * All images of a root (FORMATS 3). Every image that is known here holds a reference to its top layer, which keeps its
 * whole stack alive. Which images there are, and their outlines, it knows by heart; `refresh` catches up with what other
 * processes did. The bytes of an image are read, and held against its ID, whenever `get` is asked for them.
 *
 * @example
 * const images = ImageStore.open({ backend, layers });
 * const id = await images.create(configBytes);
 * for (const released of await images.delete(id)) console.log(`deleted ${released.chainID}`);
 */
export class ImageStore {
  readonly #backend: ImageBackend;
  readonly #metadata: ImageMetadata;
  readonly #layers: LayerSource;
  readonly #os: string;
  readonly #index: RecordIndex<IndexedImage> | undefined;
  readonly #onWarning: (message: string) => void;
  readonly #images = new Map<ImageID, KnownImage>();
  readonly #tarLengths = new Map<DiffID, number>();
  #broken = new Map<ImageID, BrokenImage>();
  #family = new FamilyTree();

  constructor(options: ImageStoreOptions) {
    this.#backend = options.backend;
    this.#metadata = new ImageMetadata(options.backend);
    this.#layers = options.layers;
    this.#os = options.os ?? "linux";
    this.#index = options.index;
    this.#onWarning = options.onWarning ?? (() => {});
  }

  /** Takes in what the backend holds (FORMATS 3.5). Images that cannot be used end in `broken`, with a warning. */
  static open(options: ImageStoreOptions): ImageStore {
    const store = new ImageStore(options);
    store.refresh();
    return store;
  }

  /** What the last look at the disk had to leave out. */
  get broken(): readonly BrokenImage[] {
    return [...this.#broken.values()];
  }

  /**
   * Keeps an image whose layers are there (FORMATS 3.4). An image that is there already stays as it is.
   *
   * @throws VarveError `invalid-archive` for bytes that are no image, `unsupported` for one of another operating system,
   *   `not-found` without its layers. The store is then as it was.
   */
  async create(raw: Uint8Array): Promise<ImageID> {
    const image = parseImage(raw);
    refuseUnmatchedHistory(image);
    if (this.#images.has(image.id)) return image.id;
    const outline = outlineOf(image);
    const layer = this.#layerOf(outline);
    try {
      this.#backend.set(image.raw);
    } catch (error) {
      layer?.forget();
      throw error;
    }
    const stamp = this.#backend.stamp?.(image.id);
    const known = { stamp, outline, parent: this.#metadata.parent(image.id), layer };
    this.#images.set(image.id, known);
    this.#broken.delete(image.id);
    this.#link(known);
    return image.id;
  }

  has(id: ImageID): boolean {
    return this.#images.has(id);
  }

  /**
   * An image by its full ID, as it is on disk; also one that is only there, because its layers are gone.
   *
   * @throws VarveError `not-found`; `corrupt` or `invalid-archive` when its bytes are not what they were
   */
  get(id: ImageID): Image {
    return parseImage(this.#backend.get(id), id);
  }

  /**
   * The one image whose ID begins so, with or without `sha256:`.
   *
   * @throws VarveError `not-found` or `ambiguous`
   */
  search(prefix: string): ImageID {
    const hex = prefix.startsWith("sha256:") ? prefix.slice(7) : prefix;
    const matches = hex === "" ? [] : [...this.#images.keys()].filter((id) => id.startsWith(`sha256:${hex}`));
    const [id] = matches;
    if (id === undefined) throw new VarveError("not-found", `No such image: ${prefix}`, { prefix });
    if (matches.length > 1)
      throw new VarveError("ambiguous", `ambiguous image ID: ${prefix} begins ${matches.length} of them`, {
        prefix,
        matches: matches.sort(),
      });
    return id;
  }

  /**
   * Deletes an image with its metadata and gives its layers back (FORMATS 3.7). Its children lose their parent link.
   *
   * @returns the layers that nobody else needed, top first
   * @throws VarveError `not-found`; an error of `Layer.release`, after which the image is gone all the same
   */
  async delete(id: ImageID): Promise<ReleasedLayer[]> {
    const layer = this.#known(id).layer;
    for (const child of this.#family.children(id)) {
      this.#metadata.clearParent(child);
      this.#family.unlink(child);
      this.#remember(child, undefined);
    }
    this.#backend.delete(id);
    this.#images.delete(id);
    this.#family.unlink(id);
    return (await layer?.release()) ?? [];
  }

  /** The image that this one was made from, if that is recorded; it may be gone. */
  parent(id: ImageID): ImageID | undefined {
    return this.#images.has(id) ? this.#family.parent(id) : this.#metadata.parent(id);
  }

  /**
   * Records from which image this one was made.
   *
   * @throws VarveError `not-found` when either is not there, `invalid-argument` when that would make an image its own
   *   ancestor
   */
  setParent(id: ImageID, parent: ImageID): void {
    this.#known(id);
    if (!this.#images.has(parent))
      throw new VarveError("not-found", `unknown parent image ID ${parent}`, { id, parent });
    const before = this.#family.parent(id);
    if (!this.#family.link(id, parent))
      throw new VarveError("invalid-argument", `image ${id} would be its own ancestor`, { id, parent });
    try {
      this.#metadata.setParent(id, parent);
      this.#remember(id, parent);
    } catch (error) {
      this.#family.unlink(id);
      if (before !== undefined) this.#family.link(id, before);
      throw error;
    }
  }

  /** The images that were made from this one, sorted. */
  children(id: ImageID): ImageID[] {
    return this.#family.children(id);
  }

  /** The images that no other was made from. */
  heads(): Map<ImageID, ImageOutline> {
    return new Map([...this.map()].filter(([id]) => !this.#family.hasChildren(id)));
  }

  map(): Map<ImageID, ImageOutline> {
    return new Map([...this.#images].map(([id, { outline }]) => [id, outline]));
  }

  /** When the image was last tagged; `undefined` if it never was. @throws VarveError `corrupt` when the record is no time */
  lastUpdated(id: ImageID): GoTime | undefined {
    return this.#metadata.lastUpdated(id);
  }

  /** Remembers that the image was tagged, in this process's zone as dockerd does. */
  setLastUpdated(id: ImageID, date: Date = new Date()): void {
    this.#known(id);
    this.#metadata.setLastUpdated(id, date);
  }

  /** Bytes of all its layers. */
  size(id: ImageID): number {
    return this.#known(id).layer?.totalSize() ?? 0;
  }

  /**
   * All layers' tars, bottom first, as one seekable tar. It holds the layers until it is disposed of.
   *
   * @throws VarveError `not-found`
   */
  async tarStream(id: ImageID): Promise<ImageTar> {
    const { ImageTar } = await import("./image-tar.ts");
    return ImageTar.open(this.get(this.#known(id).outline.id).diffIDs, this.#layers, this.#tarLengths);
  }

  /**
   * Catches up with the backend and the layers: images that came are taken in if they can be used, those that went are let
   * go. The layers are to be refreshed first.
   */
  refresh(): void {
    const before = { images: new Map(this.#images), broken: this.#broken };
    this.#broken = new Map();
    this.#images.clear();
    for (const id of this.#backend.ids().sort()) this.#take(id, before.images.get(id), before.broken.get(id));
    for (const { layer } of before.images.values()) layer?.forget();
    this.#family = new FamilyTree();
    for (const known of this.#images.values()) this.#link(known);
  }

  /** Knows an image from now on, with a layer as the layer store has it now, or knows what is wrong with it. */
  #take(id: ImageID, known: KnownImage | undefined, broken: BrokenImage | undefined): void {
    try {
      const image = this.#read(id, known);
      if (image !== undefined) this.#images.set(id, { ...image, layer: this.#layerOf(image.outline) });
    } catch (error) {
      if (!isVarveError(error)) throw error;
      this.#broken.set(id, { id, reason: error.message, cause: error });
      if (broken?.reason !== error.message) this.#onWarning(`not restoring image ${id}: ${error.message}`);
    }
  }

  /** Nothing when the image was deleted since it was listed. */
  #read(id: ImageID, known: KnownImage | undefined): StampedImage | undefined {
    // Taken first: what changes while we read has another stamp the next time.
    const stamp = this.#backend.stamp?.(id);
    if (stamp !== undefined && stamp === known?.stamp) return known;
    const recalled = stamp === undefined ? undefined : this.#index?.recall(id, stamp);
    if (recalled !== undefined) return { stamp, ...recalled };
    try {
      const outline = outlineOf(parseImage(this.#backend.get(id), id));
      const parent = this.#metadata.parent(id);
      if (stamp !== undefined) this.#index?.note(id, stamp, { outline, parent });
      return { stamp, outline, parent };
    } catch (error) {
      if (isVarveError(error, "not-found")) return undefined;
      throw error;
    }
  }

  #layerOf({ os, chainID }: ImageOutline): Layer | undefined {
    if (chainID === undefined) return undefined;
    if (os !== "" && os.toLowerCase() !== this.#os)
      throw new VarveError("unsupported", `operating system is not supported: ${os}`, { os });
    try {
      return this.#layers.get(chainID);
    } catch (error) {
      throw isVarveError(error, "not-found") ? noLayer(chainID, error) : error;
    }
  }

  /** Takes in the recorded parent, unless that would close a circle. */
  #link({ outline: { id }, parent }: StampedImage): void {
    if (parent !== undefined && !this.#family.link(id, parent))
      this.#onWarning(`ignoring the parent of image ${id}: it would be its own ancestor`);
  }

  /** What we have just recorded ourselves need not be read. */
  #remember(id: ImageID, parent: ImageID | undefined): void {
    const known = this.#images.get(id);
    if (known !== undefined) this.#images.set(id, { ...known, parent, stamp: this.#backend.stamp?.(id) });
  }

  #known(id: ImageID): KnownImage {
    const known = this.#images.get(id);
    if (known === undefined) throw new VarveError("not-found", `unrecognized image ID ${id}`, { id });
    return known;
  }
}

/** What was read of an image while it had a stamp. */
interface StampedImage extends IndexedImage {
  readonly stamp: string | undefined;
}

interface KnownImage extends StampedImage {
  /** Its top layer. */
  readonly layer: Layer | undefined;
}

function refuseUnmatchedHistory({ config, diffIDs }: Image): void {
  const layers = (config.history ?? []).filter((entry) => !entry.emptyLayer).length;
  if (layers > diffIDs.length)
    throw new VarveError("invalid-archive", "too many non-empty layers in History section", {
      history: layers,
      layers: diffIDs.length,
    });
}

function noLayer(chainID: ChainID, cause?: unknown): VarveError {
  return new VarveError("not-found", `failed to get layer ${chainID}: layer does not exist`, { chainID }, cause);
}
