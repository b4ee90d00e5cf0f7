import type { Unpacker } from "../io/packed.ts";
import type { IndexCodec } from "../io/record-index.ts";
import type { ImageID, ImageOutline } from "./image.ts";

/** What an index of records has of an image. */
export interface IndexedImage {
  readonly outline: ImageOutline;
  /** As it is recorded, whether it exists or not. */
  readonly parent: ImageID | undefined;
}

/** Images in an index of records, by ID. */
export const imageCodec: IndexCodec<IndexedImage> = {
  pack({ outline: { id, chainID, created, os, hasConfig, labels }, parent }, into) {
    into
      .latin(id)
      .text(chainID ?? "") // of DiffIDs that nobody checked
      .latin(parent ?? "");
    into.number(created.seconds).number(created.nanoseconds).number(created.offset).text(os);
    // 0 for no config, 1 for one without labels, else two more than there are.
    into.count(hasConfig ? 1 + (labels === null ? 0 : 1 + labels.size) : 0);
    for (const [name, value] of labels ?? []) into.text(name).text(value);
  },
  unpack(from) {
    const id = from.latin() as ImageID;
    const chainID = (from.text() as ImageID) || undefined;
    const parent = (from.latin() as ImageID) || undefined;
    const created = { seconds: from.number(), nanoseconds: from.number(), offset: from.number() };
    const os = from.text();
    const labelled = from.count();
    const labels = labelled < 2 ? null : labelsIn(from, labelled - 2);
    return { outline: { id, chainID, created, os, hasConfig: labelled > 0, labels }, parent };
  },
};

function labelsIn(from: Unpacker, many: number): Map<string, string> {
  const labels = new Map<string, string>();
  for (let left = many; left > 0; left--) labels.set(from.text(), from.text());
  return labels;
}
