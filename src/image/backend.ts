import type { ImageID } from "./image.ts";

/**
 * Where images are kept (FORMATS 3.1, 3.2): config bytes by their SHA-256, and beside each a few named values. One
 * implementation is the imagedb (`file-backend.ts`). Calls are synchronous, and each write is one visible step.
 */
export interface ImageBackend {
  /** All images that are there, readable or not, in no order. */
  ids(): ImageID[];
  /** @throws VarveError `not-found`; `corrupt` when the bytes are not those that the ID names */
  get(id: ImageID): Buffer;
  /**
   * Differs when the image's bytes or its `parent` are not what they were, as far as can be told without reading them;
   * `undefined` when the image is not there. A store without stamps has its images read again and again.
   */
  stamp?(id: ImageID): string | undefined;
  /** Keeps the bytes; the same bytes again change nothing. @throws VarveError `invalid-argument` for no bytes at all */
  set(raw: Uint8Array): ImageID;
  /** Removes the values, then the bytes. An image that is not there is no error. */
  delete(id: ImageID): void;
  /** `undefined` when the image has no such value. @throws VarveError like `get` */
  metadata(id: ImageID, key: string): Buffer | undefined;
  /** @throws VarveError like `get`; `invalid-argument` for a key that is no plain name */
  setMetadata(id: ImageID, key: string, value: Uint8Array): void;
  deleteMetadata(id: ImageID, key: string): void;
}
