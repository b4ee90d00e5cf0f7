import type { DiffID } from "../digest/chain-id.ts";
import { isVarveError, VarveError } from "../errors.ts";
import { type Image, parseImage } from "../image/image.ts";
import { configOfV1, historyEntryOf } from "../image/legacy-config.ts";
import { foldKey } from "../json/fold.ts";
import { formatGo, type GoValue } from "../json/go-value.ts";
import { parseJson } from "../json/json.ts";
import type { GraphID, GraphImage } from "./descriptor.ts";

/**
 * What an image of the graph is as an image of today (FORMATS 11.4, 11.5): the layers and the history of its parent, and
 * one more of each. The same graph gives the same image IDs, whoever asks.
 *
 * @param json as it lies in the graph
 * @param diffID of the image's own layer
 * @param parent what this function made of the parent, or had made when it was asked for earlier
 * @throws VarveError `corrupt` for a JSON that is none of an image
 * @example
 * const base = imageOfGraph(baseID, graph.json(baseID), baseDiffID, undefined);
 * const child = imageOfGraph(id, graph.json(id), diffID, base);
 */
export function imageOfGraph(id: GraphID, json: Uint8Array, diffID: DiffID, parent: Image | undefined): Image {
  try {
    const history = [...(parent?.config.history ?? []), historyEntryOf(json)];
    return parseImage(configOfV1(json, [...(parent?.diffIDs ?? []), diffID], history));
  } catch (error) {
    if (!isVarveError(error)) throw error;
    throw new VarveError("corrupt", `image ${id}: ${error.message}`, { id }, error);
  }
}

/**
 * The JSON of an image of the graph for who has nothing but that: as it lies there if it names the image and its parent,
 * else with these in it, as Docker 1.9 gave it out (FORMATS 10.7).
 */
export function fullJson({ id, parent, image }: GraphImage, json: Buffer): Buffer {
  if (image.id === id && image.parent === (parent ?? "")) return json;
  const fields = [...parseJson(json).members()].filter(([key]) => !["id", "parent"].includes(foldKey(key)));
  return formatGo(new Map<string, GoValue>([...fields, ["id", id], ...(parent ? [["parent", parent] as const] : [])]));
}
