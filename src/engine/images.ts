import type { ChainID, DiffID } from "../digest/chain-id.ts";
import { VarveError } from "../errors.ts";
import { historySteps } from "../image/history.ts";
import type { Image, ImageID, ImageOutline } from "../image/image.ts";
import { compareTimes, formatTime } from "../json/go-time.ts";
import {
  familiarName,
  familiarString,
  parseNormalized,
  type Reference,
  withDefaultTag,
} from "../reference/reference.ts";
import { acceptorOf, type ImageFilters, isListed, matchesAny } from "./filters.ts";
import type { Workspace } from "./workspace.ts";

/** One line of `docker images`; an image with tags in several repositories is one summary. */
export interface ImageSummary {
  readonly id: ImageID;
  readonly parent: ImageID | undefined;
  /** Familiar, `name:tag`; none for a dangling image. */
  readonly tags: readonly string[];
  /** Familiar, `name@digest`. */
  readonly digests: readonly string[];
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  /** Bytes of all its layers. */
  readonly size: number;
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** How many containers are made of it. */
  readonly containers: number;
}

export interface HistoryEntry {
  /** Absent where the layer's own image is not in the store. */
  readonly id: ImageID | undefined;
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  /** Bytes of the layer; 0 where there is none. */
  readonly size: number;
  readonly tags: readonly string[];
}

export interface LayerSummary {
  readonly chainID: ChainID;
  readonly diffID: DiffID;
  readonly cacheID: string;
  readonly size: number;
}

/** Newest first, as `docker images` shows them: without `all`, intermediate images stay away. */
export function listImages(
  workspace: Workspace,
  options: { all?: boolean | undefined; filters?: ImageFilters | undefined },
  find: (name: string) => Image,
): ImageSummary[] {
  const { all = false, filters = {} } = options;
  const { images, references } = workspace;
  const accepts = acceptorOf(filters, (name) => find(name).config.created);
  const users = workspace.containersHere();
  const summaries: { outline: ImageOutline; summary: ImageSummary }[] = [];
  for (const [id, outline] of filters.dangling === true ? images.heads() : images.map()) {
    if (!accepts(outline)) continue;
    const named = references
      .referencesOf(id)
      .filter((reference) => matchesAny(filters.reference, familiarString(reference), familiarName(reference)));
    const tags = named.filter(({ tag }) => tag !== undefined).length;
    const names = { names: named.length, tags, hasChildren: images.children(id).length > 0 };
    if (!isListed(names, { ...filters, all })) continue;
    summaries.push({
      outline,
      summary: {
        id,
        parent: images.parent(id),
        tags: named.filter((reference) => reference.digest === undefined).map(familiarString),
        digests: named.filter((reference) => reference.digest !== undefined).map(familiarString),
        created: formatTime(outline.created),
        size: images.size(id),
        labels: labelsOf(outline),
        containers: users.filter((container) => container.image === id).length,
      },
    });
  }
  return summaries
    .sort((a, b) => compareTimes(b.outline.created, a.outline.created) || (a.summary.id < b.summary.id ? -1 : 1))
    .map(({ summary }) => summary);
}

/** Newest first. Entries that changed no files have size 0. */
export function imageHistory({ images, layers, references }: Workspace, image: Image): HistoryEntry[] {
  const known = layers.map();
  const entries = historySteps(image.config.history, image.diffIDs)
    .reverse()
    .map(
      ({ entry, chainID }): HistoryEntry => ({
        id: undefined,
        created: formatTime(entry.created),
        createdBy: entry.createdBy,
        comment: entry.comment,
        size: chainID === undefined ? 0 : (known.get(chainID)?.size ?? 0),
        tags: [],
      }),
    );
  let id: ImageID | undefined = image.id;
  for (let i = 0; i < entries.length && id !== undefined && images.has(id); i++) {
    const tags = references.referencesOf(id).filter((reference) => reference.digest === undefined);
    entries[i] = { ...entries[i]!, id, tags: tags.map(familiarString) };
    id = images.parent(id);
  }
  return entries;
}

/** Bottom first. */
export function imageLayers({ layers }: Workspace, image: Image): LayerSummary[] {
  const known = layers.map();
  const summaries: LayerSummary[] = [];
  for (let chain = image.chainID; chain !== undefined; ) {
    const layer = known.get(chain);
    if (layer === undefined) throw new VarveError("corrupt", `layer ${chain} is not in the store`, { chain });
    const { chainID, diffID, cacheID, size } = layer;
    summaries.unshift({ chainID, diffID, cacheID, size });
    chain = layer.parent;
  }
  return summaries;
}

/**
 * @param target a name that gets the tag `latest` when it has none
 * @throws VarveError `invalid-reference`, also for a target with a digest
 */
export function tagImage(workspace: Workspace, image: Image, target: string): Reference {
  const name = parseNormalized(target);
  const reference = withDefaultTag(name);
  workspace.references.addTag(reference, image.id, { force: true });
  workspace.images.setLastUpdated(image.id);
  tellOfImage(workspace, "tag", image.id, familiarString(name));
  return reference;
}

/** An event of an image has its labels, as long as it is there. @param name what the image is called in it */
export function tellOfImage({ images, events }: Workspace, action: string, id: ImageID, name: string = id): void {
  const outline = images.map().get(id);
  const labels = outline === undefined ? undefined : labelsOf(outline);
  events.append({ type: "image", action, id, attributes: { ...labels, name } });
}

export function labelsOf({ labels }: ImageOutline): Record<string, string> | undefined {
  return labels === null ? undefined : Object.fromEntries(labels);
}
