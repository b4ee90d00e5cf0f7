import { digestOf } from "../digest/digest.ts";
import type { ImageID } from "../image/image.ts";
import type { Reference } from "../reference/reference.ts";
import type { MovedTag } from "../reference/reference-store.ts";
import type { Stores } from "./archive.ts";

/**
 * Makes an image and its tags visible, or nothing of it. Its layers are there already. To be called in a commit section.
 *
 * @param finish whatever else belongs to the image; when it throws, nothing of the image stays
 * @returns the tags that were moved
 */
export async function publishImage(
  stores: Stores,
  image: { readonly raw: Uint8Array; readonly references: readonly Reference[] },
  finish: (id: ImageID) => void,
): Promise<{ readonly id: ImageID; readonly moved: readonly MovedTag[] }> {
  const { images, references } = stores;
  const isNew = !images.has(digestOf(image.raw));
  const id = await images.create(image.raw);
  let moved: readonly MovedTag[] = [];
  try {
    moved = references.moveTags(image.references, id);
    finish(id);
    return { id, moved };
  } catch (error) {
    for (const { reference, previous } of [...moved].reverse())
      if (previous === undefined) references.remove(reference);
      else references.addTag(reference, previous, { force: true });
    if (isNew) await images.delete(id);
    throw error;
  }
}
