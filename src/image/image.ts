import { type ChainID, chainIDOf, type DiffID } from "../digest/chain-id.ts";
import { type Digest, digestOf } from "../digest/digest.ts";
import type { GoTime } from "../json/go-time.ts";
import { type ImageConfig, parseImageConfig, type RootFS } from "./config.ts";

/**
 * Images (FORMATS 3). An image is its config's bytes: their SHA-256 is its ID, and they are kept and handed out as they
 * came, never written anew. The config names the image's layers.
 *
 * `config.ts`, `container-config.ts` and `history.ts` read a config and write new ones; `legacy-config.ts` makes one of
 * an old image's JSON and `v1-id.ts` the other way round. `backend.ts` says where images are kept, `file-backend.ts` is
 * the imagedb on disk. `store.ts` knows all images of a root by their outlines, keeps their layers alive, and has their
 * `family-tree.ts` and `image-metadata.ts`; `image-index.ts` is what it remembers of them from one process to the next.
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

/** What is asked of many images at once. The rest is read from an image's bytes when somebody wants it. */
export interface ImageOutline {
  readonly id: ImageID;
  /** As for `Image`. */
  readonly chainID: ChainID | undefined;
  readonly created: GoTime;
  readonly os: string;
  /** Whether it says how containers of it are to be run. */
  readonly hasConfig: boolean;
  readonly labels: ReadonlyMap<string, string> | null;
}

/**
 * Reads an image's bytes.
 *
 * @param id the ID that they are known to have
 * @throws VarveError `invalid-archive`
 */
export function parseImage(raw: Uint8Array, id: ImageID = digestOf(raw)): Image {
  const config = parseImageConfig(raw);
  const diffIDs = config.rootfs.diffIDs ?? [];
  return { id, raw: Buffer.from(raw), config, diffIDs, chainID: chainIDOf(diffIDs) };
}

export function outlineOf({ id, chainID, config: { created, os, config } }: Image): ImageOutline {
  return { id, chainID, created, os, hasConfig: config !== null, labels: config?.labels ?? null };
}
