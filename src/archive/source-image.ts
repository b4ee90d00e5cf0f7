import { isDigest } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import { extendsHistory } from "../image/history.ts";
import { type Image, type ImageID, parseImage } from "../image/image.ts";
import { MAX_DEPTH } from "../layer/layer.ts";
import { parseNormalized, type Reference } from "../reference/reference.ts";
import type { SourceImage } from "./archive.ts";

/**
 * Reads a config that comes from outside and refuses all that is known to fail later (FORMATS 3.4, 10.4).
 *
 * @throws VarveError `invalid-archive`, `unsupported` for another operating system
 */
export function readConfig(raw: Uint8Array): Image {
  const image = parseImage(raw);
  const { os, history } = image.config;
  if (os !== "" && os.toLowerCase() !== "linux")
    throw new VarveError("unsupported", `cannot load ${os} image on linux`, { os });
  for (const [i, diffID] of image.diffIDs.entries())
    if (!isDigest(diffID) || !diffID.startsWith("sha256:"))
      throw new VarveError("invalid-archive", `invalid diffID for layer ${i}: "${diffID}" is no digest`, { diffID });
  if (image.diffIDs.length > MAX_DEPTH)
    throw new VarveError("too-large", "max depth exceeded", { layers: image.diffIDs.length, limit: MAX_DEPTH });
  if ((history ?? []).filter((entry) => !entry.emptyLayer).length > image.diffIDs.length)
    throw new VarveError("invalid-archive", "too many non-empty layers in History section", { id: image.id });
  return image;
}

/**
 * A tag as an archive names it.
 *
 * @throws VarveError `invalid-reference`; `invalid-archive` for a name without a tag
 */
export function readTag(text: string): Reference {
  const reference = parseNormalized(text);
  if (reference.tag === undefined || reference.digest !== undefined)
    throw new VarveError("invalid-archive", `invalid tag "${text}"`, { text });
  return reference;
}

/**
 * The parent that an archive names for an image, if that is another image of the archive.
 *
 * @throws VarveError `invalid-archive` when that cannot be its parent
 */
export function readParent(named: string, child: Image, images: ReadonlyMap<string, Image>): ImageID | undefined {
  const parent = images.get(named);
  if (parent === undefined || parent.id === child.id) return undefined;
  if (!extendsHistory(child.config.history, parent.config.history))
    throw new VarveError("invalid-archive", `image ${parent.id} is not a valid parent for ${child.id}`, {
      parent: parent.id,
      child: child.id,
    });
  return parent.id;
}

/**
 * @throws VarveError `invalid-archive` when an image is its own ancestor. Only images without a history can be linked so.
 */
export function refuseParentLoops(images: readonly SourceImage[]): void {
  const parents = new Map(images.map(({ id, parent }) => [id, parent]));
  const passed = new Set<ImageID>();
  for (const start of parents.keys()) {
    const way = new Set<ImageID>();
    for (let id: ImageID | undefined = start; id !== undefined && !passed.has(id); id = parents.get(id)) {
      if (way.has(id))
        throw new VarveError("invalid-archive", `invalid archive: image ${id} is its own ancestor`, { id });
      way.add(id);
    }
    for (const id of way) passed.add(id);
  }
}

/** The IDs of images, for `readParent`. */
export function byID(images: readonly Image[]): ReadonlyMap<string, Image> {
  return new Map(images.map((image) => [image.id, image]));
}
