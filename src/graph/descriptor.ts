import { hexOf, isDigest } from "../digest/digest.ts";
import { isVarveError, VarveError } from "../errors.ts";
import { type V1Image, v1ImageType } from "../image/config.ts";
import { field, type GoStructType, goString, goStruct } from "../json/go-type.ts";

/** An image of the v1 graph, and its layer: 64 hex digits. */
export type GraphID = string & { readonly [brand]: true };
declare const brand: unique symbol;

/** What the `json` of an image tells (FORMATS 11.2). */
export interface GraphImage {
  readonly id: GraphID;
  /** The image below, whether it exists or not. */
  readonly parent: GraphID | undefined;
  readonly image: V1Image;
}

/** Whether a text can be the id of an image of the graph. */
export function isGraphID(text: string): text is GraphID {
  return /^[0-9a-f]{64}$/.test(text);
}

/**
 * Reads the JSON of an image by Docker 1.9's rules: without an `id` it is that of its directory, without a `parent` that
 * of `parent_id`, and the file `parent` decides over both.
 *
 * @param id the name of the directory
 * @param parentFile what the file `parent` holds, if there is one
 * @throws VarveError `corrupt` for what is no JSON of an image, or of another one
 * @example readDescriptor(id, readFileSync(`/var/lib/docker/graph/${id}/json`), undefined).parent
 */
export function readDescriptor(id: GraphID, json: Uint8Array, parentFile: string | undefined): GraphImage {
  const { image, links } = parsed(id, json);
  if (image.id !== "" && image.id !== id)
    throw new VarveError("corrupt", `Image stored at '${id}' has wrong id '${image.id}'`, { id, stored: image.id });
  const parent = parentFile || image.parent || hexOfDigest(links.parentID);
  if (parent !== "" && !isGraphID(parent))
    throw new VarveError("corrupt", `image ${id}: its parent ${JSON.stringify(parent)} is no image id`, { id, parent });
  return { id, parent: parent === "" ? undefined : (parent as GraphID), image };
}

interface Links {
  readonly parentID: string;
}

const linksType: GoStructType<Links> = goStruct<Links>("Image", { parentID: field("parent_id", goString) });

function parsed(id: GraphID, json: Uint8Array): { readonly image: V1Image; readonly links: Links } {
  try {
    return { image: v1ImageType.parse(json), links: linksType.parse(json) };
  } catch (error) {
    if (!isVarveError(error)) throw error;
    throw new VarveError("corrupt", `image ${id}: ${error.message}`, { id }, error);
  }
}

function hexOfDigest(text: string): string {
  return isDigest(text) ? hexOf(text) : "";
}
