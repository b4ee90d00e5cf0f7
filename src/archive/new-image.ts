import { VarveError } from "../errors.ts";
import type { ImageID } from "../image/image.ts";
import { type GoTime, timeOf } from "../json/go-time.ts";
import { parseNormalized, type Reference, withDefaultTag } from "../reference/reference.ts";
import { commitTo, type Stores } from "./archive.ts";
import { publishImage } from "./publish.ts";

/** The Docker that an image made here is like; configs have a place for it, and some readers look. */
export const DOCKER_VERSION = "20.10.24";

/**
 * The name for an image that is about to be made; without a tag it gets `latest`.
 *
 * @throws VarveError `invalid-reference`, `invalid-argument` for a digest
 */
export function newName(text: string | undefined, doing: "import" | "commit"): Reference | undefined {
  if (text === undefined || text === "") return undefined;
  const reference = parseNormalized(text);
  if (reference.digest !== undefined)
    throw new VarveError("invalid-argument", `cannot ${doing} digest reference`, { text });
  return withDefaultTag(reference);
}

/** The time for `created`. */
export function now(): GoTime {
  return timeOf(new Date());
}

/** Makes a new image visible, with its tag and its parent. */
export async function createImage(
  stores: Stores,
  raw: Uint8Array,
  options: { readonly reference: Reference | undefined; readonly parent?: ImageID | undefined },
): Promise<ImageID> {
  const { reference, parent } = options;
  const references = reference === undefined ? [] : [reference];
  const { id } = await commitTo(stores, () =>
    publishImage(stores, { raw, references }, (id) => {
      if (parent !== undefined) stores.images.setParent(id, parent);
      if (reference !== undefined) stores.images.setLastUpdated(id);
    }),
  );
  return id;
}
