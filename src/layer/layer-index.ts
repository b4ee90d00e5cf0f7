import type { DiffID } from "../digest/chain-id.ts";
import type { IndexCodec } from "../io/record-index.ts";
import type { LayerRecord } from "./metadata.ts";

/** Layers in an index of records, by chain; those without a descriptor, that is nearly all. */
export const layerCodec: IndexCodec<LayerRecord> = {
  pack({ diffID, size, cacheID, parent }, into) {
    into
      .latin(diffID)
      .number(size)
      .text(cacheID)
      .latin(parent ?? "");
  },
  unpack(from) {
    const diffID = from.latin() as DiffID;
    const size = from.number();
    const cacheID = from.text();
    const parent = from.latin() as DiffID;
    return { diffID, size, cacheID, parent: parent || undefined, descriptor: undefined };
  },
};
