import type { SourceImage, SourceLayer } from "../archive/archive.ts";
import type { SaveFormat } from "../archive/save.ts";
import type { ArchivePlan } from "../archive/tar-output.ts";
import type { V1ArchiveImage } from "../archive/v1-sink.ts";
import { shortID } from "../digest/random-id.ts";
import { isVarveError } from "../errors.ts";
import type { GraphID, GraphImage } from "../graph/descriptor.ts";
import { fullJson, imageOfGraph } from "../graph/graph-config.ts";
import { type GraphTag, nameOfTag, referenceOfTag } from "../graph/tag-store.ts";
import type { Image } from "../image/image.ts";
import type { Reference } from "../reference/reference.ts";
import { V1Layers, type V1ReadOptions, type V1SaveEvent } from "./v1-layers.ts";
import { selectV1 } from "./v1-names.ts";
import type { V1Root } from "./v1-root.ts";

/** The formats of today, and the one that Docker 1.9 and before wrote and read. */
export type V1SaveFormat = SaveFormat | "docker-1.9";

export interface V1SaveOptions {
  /** `docker` if absent. */
  readonly format?: V1SaveFormat | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: V1SaveEvent) => void) | undefined;
}

/**
 * What an archive of images of a v1 graph will consist of.
 *
 * @throws VarveError `not-found`, `ambiguous`, `invalid-reference`, `corrupt`, `permission`, `cancelled`
 */
export async function planV1(names: readonly string[], root: V1Root, options: V1SaveOptions): Promise<ArchivePlan> {
  const { format, signal } = options;
  if (format === "docker-1.9") return await planAsItWas(names, root, options);
  const { planOf } = await import("../archive/save.ts");
  return await planOf(await sourceImages(names, root, options), { format, signal });
}

/** The images as a migration would make them: with the same IDs, each on its ancestors' layers (FORMATS 11.4). */
async function sourceImages(names: readonly string[], root: V1Root, options: V1ReadOptions): Promise<SourceImage[]> {
  const selected = selectV1(names, root);
  const chains = [...selected.keys()].map((id) => root.chain(id));
  const layers = new V1Layers(root, options);
  const made = new Map<GraphID, Image>();
  const images: SourceImage[] = [];
  for (const chain of chains) {
    for (const { id, parent } of chain) {
      if (made.has(id)) continue;
      const { diffID } = await layers.identify(root.graph.map().get(id)!);
      made.set(id, imageOfGraph(id, root.graph.json(id), diffID, parent && made.get(parent)));
    }
    const head = chain.at(-1)!;
    images.push({
      ...made.get(head.id)!,
      layers: await Promise.all(chain.map((image) => sourceLayer(image, layers))),
      references: selected.get(head.id)!.flatMap((tag) => referencesOf(tag, root)),
      parent: head.parent && made.get(head.parent)!.id,
    });
  }
  return images;
}

/** None of what is no name any more, which is told. */
function referencesOf(tag: GraphTag, { warn }: V1Root): Reference[] {
  try {
    return [referenceOfTag(tag)];
  } catch (error) {
    if (!isVarveError(error, "invalid-reference")) throw error;
    warn(`${nameOfTag(tag)} is no name that stores of today take: it is left out`);
    return [];
  }
}

async function sourceLayer(image: GraphImage, layers: V1Layers): Promise<SourceLayer> {
  const { diffID, length } = await layers.identify(image);
  return {
    diffID,
    label: shortID(image.id),
    descriptor: undefined,
    available: true,
    tarSize: async () => length,
    open: ({ signal } = {}) => layers.open(image, signal),
  };
}

/** The images and all their ancestors, each with its JSON (FORMATS 10.7). Nobody needs to know which layers these are. */
async function planAsItWas(names: readonly string[], root: V1Root, options: V1ReadOptions): Promise<ArchivePlan> {
  const selected = selectV1(names, root);
  const images = new Map([...selected.keys()].flatMap((id) => root.chain(id)).map((image) => [image.id, image]));
  const layers = new V1Layers(root, options);
  const tags = [...selected.values()].flat().map(({ repository, key: tag, id }) => ({ repository, tag, id }));
  const { planDocker19 } = await import("../archive/v1-sink.ts");
  return planDocker19(
    [...images.values()].map(
      (image): V1ArchiveImage => ({
        id: image.id,
        json: fullJson(image, root.graph.json(image.id)),
        created: image.image.created,
        layer: { size: () => layers.length(image), open: (signal) => layers.open(image, signal) },
      }),
    ),
    tags,
  );
}
