import { type ChainID, chainIDOf, type DiffID } from "../digest/chain-id.ts";
import { type Digest, digestOf } from "../digest/digest.ts";
import { type ImageConfig, parseImageConfig, type RootFS } from "./config.ts";

/**
 * Images (FORMATS 3). An image is its config's bytes: their SHA-256 is its ID, and they are kept and handed out as they
 * came, never written anew. The config names the image's layers.
 *
 * `config.ts`, `container-config.ts` and `history.ts` read a config and write new ones; `legacy-config.ts` makes one of
 * an old image's JSON and `v1-id.ts` the other way round. `backend.ts` says where images are kept, `file-backend.ts` is
 * the imagedb on disk. `store.ts` knows all images of a root, keeps their layers alive, and has their `family-tree.ts`
 * and `image-metadata.ts`.
 * `image-tar.ts` is all layers of an image as one tar.
 */
export interface Image {
  readonly id: ImageID;
  readonly raw: Buffer;
  readonly config: ImageConfig & { readonly rootfs: RootFS };
  /** Bottom first. */
  readonly diffIDs: readonly DiffID[];
  /** The whole stack of layers; `undefined` for an image without any. */
  readonly chainID: ChainID | undefined;
}

export type ImageID = Digest;

/**
 * Reads an image's bytes.
 *
 * @throws VarveError `invalid-archive`
 */
export function parseImage(raw: Uint8Array): Image {
  const config = parseImageConfig(raw);
  const diffIDs = config.rootfs.diffIDs ?? [];
  return { id: digestOf(raw), raw: Buffer.from(raw), config, diffIDs, chainID: chainIDOf(diffIDs) };
}
