import { type ChainID, type DiffID, extendChain } from "../digest/chain-id.ts";
import { type Digest, digestOf, hexOf } from "../digest/digest.ts";
import type { GoTime } from "../json/go-time.ts";
import { formatGo, formatSorted } from "../json/go-value.ts";
import { EMPTY_IMAGE_CONFIG, type ImageConfig, type V1Image, v1ImageType } from "./config.ts";

/** A layer of an image dressed up as an image of Docker before 1.10, as `docker save` does (FORMATS 1.6). */
export interface V1Layer {
  /** 64 hex characters. */
  readonly id: string;
  readonly diffID: DiffID;
  readonly chainID: ChainID;
  /** The content of the file `json`. */
  readonly json: Buffer;
}

/**
 * The v1 images that stand for an image's layers, bottom first.
 *
 * @param epoch the time that lower layers get, in the zone of the daemon whose IDs are wanted; UTC unless told
 */
export function v1Layers(
  config: ImageConfig,
  diffIDs: readonly DiffID[],
  epoch: GoTime = { seconds: 0, nanoseconds: 0, offset: 0 },
): V1Layer[] {
  const layers: V1Layer[] = [];
  let parent: V1Layer | undefined;
  for (const [i, diffID] of diffIDs.entries()) {
    const isTop = i === diffIDs.length - 1;
    const image: V1Image = isTop ? { ...config, parent: "" } : { ...EMPTY_IMAGE_CONFIG, created: epoch };
    const chainID = extendChain(parent?.chainID, diffID);
    const id = v1ID(image, chainID, parent?.id);
    const json = formatGo(v1ImageType.write({ ...image, id, parent: parent?.id ?? "", os: config.os }));
    parent = { id, diffID, chainID, json };
    layers.push(parent);
  }
  return layers;
}

/** The hash of the v1 object together with its layers and its parent. @param parent 64 hex characters */
function v1ID(image: V1Image, chainID: ChainID, parent: string | undefined): string {
  const fields = { ...v1ImageType.write({ ...image, id: "" }), layer_id: chainID };
  const id: Digest = digestOf(formatSorted(parent === undefined ? fields : { ...fields, parent: `sha256:${parent}` }));
  return hexOf(id);
}
