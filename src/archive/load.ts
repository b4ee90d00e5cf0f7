import { type ChainID, type DiffID, extendChain } from "../digest/chain-id.ts";
import { isVarveError, VarveError } from "../errors.ts";
import type { ImageID } from "../image/image.ts";
import { throwIfCancelled } from "../io/byte-source.ts";
import type { Layer } from "../layer/layer.ts";
import type { StackedTar } from "../layer/register-together.ts";
import { familiarString } from "../reference/reference.ts";
import { commitTo, type LayerProgress, type SourceImage, type SourceLayer, type Stores } from "./archive.ts";
import { placeFault } from "./fault-place.ts";
import { releaseAfter } from "./held-layer.ts";
import { openImageSource, type SourceOptions } from "./image-source.ts";
import type { ArchiveInput } from "./open-archive.ts";
import { publishImage } from "./publish.ts";

export interface LoadOptions extends SourceOptions {
  /** Told what happens, in order. What it throws ends the loading. */
  readonly onEvent?: ((event: LoadEvent) => void) | undefined;
}

export type LoadEvent =
  /** A new layer is being read; `total` is its size in the archive. */
  | LayerProgress
  | { readonly kind: "layer-exists"; readonly label: string; readonly diffID: DiffID }
  /** A tag that pointed to another image points to the loaded one now. */
  | { readonly kind: "renamed"; readonly reference: string; readonly previous: ImageID }
  | { readonly kind: "image"; readonly id: ImageID; readonly references: readonly string[] };

export interface LoadedImage {
  readonly id: ImageID;
  /** Familiar names of the tags that came with it. */
  readonly references: readonly string[];
}

/**
 * Loads the images of an archive of any kind (FORMATS 10.4, 10.5) or of an OCI layout. Layers that are there already are
 * not read, so that an archive may leave them out.
 *
 * All that can be known without reading a layer is checked before anything changes. When a layer then turns out to be bad,
 * nothing of its image stays; images of the archive that came before it do.
 *
 * @throws VarveError `invalid-archive`, `invalid-reference`, `unsupported`, `not-found`, `too-large`, `no-space`,
 *   `cancelled`
 * @example
 * for (const { id, references } of await load("app.tar", stores, { temporary })) console.log(id, ...references);
 */
export async function load(input: ArchiveInput, stores: Stores, options: LoadOptions): Promise<LoadedImage[]> {
  const source = await openImageSource(input, options);
  try {
    return await loadImages(source.images, stores, options);
  } finally {
    await source[Symbol.asyncDispose]();
  }
}

/** Takes images from any source into the stores, one after the other. */
export async function loadImages(
  images: readonly SourceImage[],
  stores: Stores,
  options: Pick<LoadOptions, "signal" | "onEvent"> = {},
): Promise<LoadedImage[]> {
  refuseMissingLayers(images, stores);
  const links = new ParentLinks();
  const loaded: LoadedImage[] = [];
  for (const image of images) {
    const work = (): Promise<void> => loadImage(image, stores, links, options);
    await withRetry(stores, image, () => (stores.hold === undefined ? work() : stores.hold(work)));
    loaded.push({ id: image.id, references: image.references.map(familiarString) });
  }
  return loaded;
}

/** @throws VarveError `invalid-archive` when a layer is neither in the source nor in the store */
function refuseMissingLayers(images: readonly SourceImage[], { layers }: Stores): void {
  const coming = new Set<ChainID>();
  for (const image of images) {
    let chain: ChainID | undefined;
    for (const { diffID, available } of image.layers) {
      chain = extendChain(chain, diffID);
      if (coming.has(chain) || layers.has(chain)) continue;
      if (!available)
        throw new VarveError(
          "invalid-archive",
          `invalid archive: layer ${diffID} of image ${image.id} is neither in it nor in the store`,
          { diffID, image: image.id },
        );
      coming.add(chain);
    }
  }
}

/** How often an image is tried while other processes delete the layers that it would stand on. */
const ATTEMPTS = 3;

async function withRetry(stores: Stores, image: SourceImage, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const mayHaveVanished = isVarveError(error, "conflict") || isVarveError(error, "not-found");
      if (!mayHaveVanished || attempt === ATTEMPTS) throw error;
      await stores.layers.refresh();
      refuseMissingLayers([image], stores);
    }
  }
}

async function loadImage(
  image: SourceImage,
  stores: Stores,
  links: ParentLinks,
  options: Pick<LoadOptions, "signal" | "onEvent">,
): Promise<void> {
  const stack = new Stack();
  try {
    for (const [i, layer] of image.layers.entries()) {
      throwIfCancelled(options.signal);
      if (await takeTogether(image, i, stack, stores, options)) break;
      await stack.push(await takeLayer(layer, stack.chainID, stores, options));
      const actual = stack.diffID!;
      if (actual !== layer.diffID) throw wrongLayer(i, layer.diffID, actual);
    }
    const { moved } = await commitTo(stores, () => publishImage(stores, image, () => links.add(image, stores)));
    for (const { reference, previous } of moved)
      if (previous !== undefined)
        options.onEvent?.({ kind: "renamed", reference: familiarString(reference), previous });
    options.onEvent?.({ kind: "image", id: image.id, references: image.references.map(familiarString) });
  } catch (error) {
    throw await stack.dropAfter(error);
  }
  await stack.drop();
}

/** The layers of one image that are there so far. A reference to the top one keeps those below. */
class Stack {
  #top: Layer | undefined;

  get chainID(): ChainID | undefined {
    return this.#top?.chainID;
  }

  get diffID(): DiffID | undefined {
    return this.#top?.diffID;
  }

  async push(layer: Layer): Promise<void> {
    const below = this.#top;
    this.#top = layer;
    await below?.release();
  }

  /** What nothing else refers to is deleted. */
  async drop(): Promise<void> {
    const top = this.#top;
    this.#top = undefined;
    await top?.release();
  }

  /** As `drop`, after a failure. @returns what to throw */
  dropAfter(error: unknown): Promise<unknown> {
    const top = this.#top;
    this.#top = undefined;
    return releaseAfter(error, top);
  }
}

async function takeLayer(
  layer: SourceLayer,
  parent: ChainID | undefined,
  { layers }: Stores,
  { signal, onEvent }: Pick<LoadOptions, "signal" | "onEvent">,
): Promise<Layer> {
  const { diffID, label, descriptor } = layer;
  const chain = extendChain(parent, diffID);
  if (layers.has(chain)) {
    const known = layers.get(chain);
    onEvent?.({ kind: "layer-exists", label, diffID });
    return known;
  }
  const onBytes = (current: number, total: number): void => onEvent?.({ kind: "layer", label, diffID, current, total });
  try {
    return await layers.register(layer.open({ signal, onBytes }), parent, { descriptor, signal });
  } catch (error) {
    throw placeFault(`layer ${label}`, error);
  }
}

/**
 * Takes all layers from one on that is not there yet, several at a time, if that is possible and worth it.
 *
 * @returns whether it has done so
 */
async function takeTogether(
  image: SourceImage,
  from: number,
  stack: Stack,
  { layers }: Stores,
  { signal, onEvent }: Pick<LoadOptions, "signal" | "onEvent">,
): Promise<boolean> {
  const parent = stack.chainID;
  if (layers.has(extendChain(parent, image.layers[from]!.diffID))) return false;
  const rest = image.layers.slice(from);
  if (!rest.every(({ stored }) => stored)) return false;
  const size = rest.reduce((sum, { stored }) => sum + stored!.size, 0);
  if (!layers.registersTogether(size)) return false;
  const tars = rest.map(
    ({ stored, diffID, label, descriptor }, i): StackedTar => ({
      diffID,
      descriptor,
      size: stored!.size,
      open: () => stored!.open(),
      onBytes: (current) => onEvent?.({ kind: "layer", label, diffID, current, total: stored!.size }),
      explain: (error) => placeFault(`layer ${label}`, error),
      wrongBytes: (actual) => stored!.wrongBytes(actual),
      wrongLayer: (actual) => wrongLayer(from + i, diffID, actual),
    }),
  );
  await layers.registerTogether(tars, parent, { signal, onLayer: (layer) => stack.push(layer) });
  return true;
}

function wrongLayer(layer: number, expected: DiffID, actual: DiffID): VarveError {
  const message = `invalid diffID for layer ${layer}: expected "${expected}", got "${actual}"`;
  return new VarveError("invalid-archive", message, { layer, expected, actual });
}

/** Links each image to its parent as soon as both are there, in whatever order they come. */
class ParentLinks {
  readonly #loaded = new Set<ImageID>();
  readonly #waiting = new Map<ImageID, ImageID[]>();

  add({ id, parent }: SourceImage, { images }: Stores): void {
    const children = this.#waiting.get(id) ?? [];
    if (parent !== undefined && this.#loaded.has(parent)) images.setParent(id, parent);
    for (const child of children) images.setParent(child, id);
    if (parent !== undefined && !this.#loaded.has(parent))
      this.#waiting.set(parent, [...(this.#waiting.get(parent) ?? []), id]);
    this.#waiting.delete(id);
    this.#loaded.add(id);
  }
}
