import type { ChainID } from "../digest/chain-id.ts";
import type { VarveError } from "../errors.ts";
import type { GoTime } from "../json/go-time.ts";
import type { Layer, ReleasedLayer } from "../layer/layer.ts";
import type { ImageBackend } from "./backend.ts";
import type { Image, ImageID } from "./image.ts";
import type { ImageTar } from "./image-tar.ts";

/** What an image store needs of a layer store. */
export interface LayerSource {
  /** @throws VarveError `not-found` */
  get(chain: ChainID): Layer;
}

export interface ImageStoreOptions {
  readonly backend: ImageBackend;
  readonly layers: LayerSource;
  /** The operating system of the layer store's layers; an image for another one is refused. */
  readonly os?: string | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

export interface BrokenImage {
  readonly id: ImageID;
  readonly reason: string;
  readonly cause: VarveError;
}

export declare class ImageStore {
  static open(options: ImageStoreOptions): ImageStore;
  readonly broken: readonly BrokenImage[];
  create(raw: Uint8Array): Promise<ImageID>;
  has(id: ImageID): boolean;
  get(id: ImageID): Image;
  search(prefix: string): ImageID;
  delete(id: ImageID): Promise<ReleasedLayer[]>;
  parent(id: ImageID): ImageID | undefined;
  setParent(id: ImageID, parent: ImageID): void;
  children(id: ImageID): ImageID[];
  heads(): ReadonlyMap<ImageID, Image>;
  map(): ReadonlyMap<ImageID, Image>;
  lastUpdated(id: ImageID): GoTime | undefined;
  setLastUpdated(id: ImageID, date?: Date): void;
  size(id: ImageID): number;
  tarStream(id: ImageID): Promise<ImageTar>;
  refresh(): Promise<void>;
}
