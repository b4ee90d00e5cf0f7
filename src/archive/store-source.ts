import { type ChainID, type DiffID, extendChain } from "../digest/chain-id.ts";
import { shortID } from "../digest/random-id.ts";
import { VarveError } from "../errors.ts";
import type { Image, ImageID } from "../image/image.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { Layer } from "../layer/layer.ts";
import { canonicalString, familiarName, isNameOnly, parseAny, type Reference } from "../reference/reference.ts";
import type { ImageSource, SourceImage, SourceLayer, Stores, StreamOptions } from "./archive.ts";
import { leaveLayer } from "./held-layer.ts";

/**
 * Images of a store as a source for any sink. Their layers stay until it is disposed of.
 *
 * @param names as `docker save` takes them (FORMATS 10.1): a tag, a name for all its tags, an ID or the beginning of one,
 *   `name@digest`. An image that several of them mean comes once.
 * @throws VarveError `not-found`, `ambiguous`, `invalid-reference`
 */
export async function openStoreSource(names: readonly string[], stores: Stores): Promise<ImageSource> {
  const selected = selectImages(names, stores);
  const held: Layer[] = [];
  try {
    const images: SourceImage[] = [];
    for (const [id, references] of selected) {
      const image = stores.images.get(id);
      const layers = holdLayers(image, stores, held);
      images.push({ ...image, layers, references, parent: stores.images.parent(id) });
    }
    return { images, [Symbol.asyncDispose]: () => releaseAll(held) };
  } catch (error) {
    await releaseAll(held);
    throw error;
  }
}

/** Which images the names mean, with the tags by which they were meant. */
function selectImages(names: readonly string[], stores: Stores): Map<ImageID, Reference[]> {
  if (names.length === 0) throw new VarveError("invalid-argument", "no image to save was named");
  const selected = new Map<ImageID, Reference[]>();
  const add = (id: ImageID, reference?: Reference): void => {
    const references = selected.get(id) ?? [];
    selected.set(id, references);
    if (reference?.tag === undefined || reference.digest !== undefined) return;
    const spelling = canonicalString(reference);
    if (!references.some((other) => canonicalString(other) === spelling)) references.push(reference);
  };
  for (const name of names) {
    const named = parseAny(name);
    if (named.kind === "id") add(named.id);
    else if (familiarName(named.reference) === "sha256") add(stores.images.search(name));
    else if (isNameOnly(named.reference)) {
      const associations = stores.references.byName(named.reference);
      for (const { reference, id } of associations) add(id, reference);
      if (associations.length === 0) add(stores.images.search(name));
    } else add(stores.references.get(named.reference), named.reference);
  }
  return selected;
}

function holdLayers({ diffIDs }: Image, { layers }: Stores, held: Layer[]): SourceLayer[] {
  let chain: ChainID | undefined;
  return diffIDs.map((diffID) => {
    chain = extendChain(chain, diffID);
    const layer = layers.get(chain);
    held.push(layer);
    return sourceLayer(layer, diffID);
  });
}

function sourceLayer(layer: Layer, diffID: DiffID): SourceLayer {
  let size: Promise<number> | undefined;
  const tarSize = (signal?: AbortSignal): Promise<number> => {
    size ??= layer.tarSize({ signal });
    return size;
  };
  return {
    diffID,
    label: shortID(diffID),
    descriptor: layer.descriptor,
    available: true,
    tarSize,
    open: (options = {}) => readLayer(layer, tarSize, options),
    writeTar: (place, options) => layer.writeTar(place, options),
  };
}

async function* readLayer(
  layer: Layer,
  tarSize: () => Promise<number>,
  { signal, onBytes }: StreamOptions,
): ByteSource {
  if (onBytes === undefined) {
    yield* layer.tarStream({ signal });
    return;
  }
  const total = await tarSize();
  let current = 0;
  for await (const chunk of layer.tarStream({ signal })) {
    current += chunk.length;
    onBytes(current, total);
    yield chunk;
  }
}

async function releaseAll(layers: readonly Layer[]): Promise<void> {
  for (const layer of [...layers].reverse()) await leaveLayer(layer);
}
