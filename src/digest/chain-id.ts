import { type Digest, digestOf } from "./digest.ts";

/** SHA-256 of a layer's uncompressed tar (FORMATS 1.2). */
export type DiffID = Digest;
/** Names a stack of layers by their DiffIDs, bottom first (FORMATS 1.3). */
export type ChainID = Digest;

/** The DiffID of the canonical empty layer: 1024 zero bytes. A commit that yields it is recorded as `empty_layer`. */
export const EMPTY_LAYER_DIFF_ID: DiffID = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/** The chain one layer higher; without a parent the chain of a base layer, which is its DiffID. */
export function extendChain(parent: ChainID | undefined, diffID: DiffID): ChainID {
  return parent === undefined ? diffID : digestOf(`${parent} ${diffID}`);
}

/** The chain of a whole stack, bottom first; `undefined` for no layers at all. */
export function chainIDOf(diffIDs: readonly DiffID[]): ChainID | undefined {
  let chain: ChainID | undefined;
  for (const diffID of diffIDs) chain = extendChain(chain, diffID);
  return chain;
}
