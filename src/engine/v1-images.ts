import { isDigest } from "../digest/digest.ts";
import { isVarveError, type VarveError } from "../errors.ts";
import type { GraphID, GraphImage } from "../graph/descriptor.ts";
import { type GraphTag, nameOfTag } from "../graph/tag-store.ts";
import { compareTimes, formatTime } from "../json/go-time.ts";
import { acceptorOf, type ImageFilters, isListed, matchesAny } from "./filters.ts";
import { findV1 } from "./v1-names.ts";
import type { V1Root } from "./v1-root.ts";

/** One image of a v1 graph. */
export interface V1ImageSummary {
  /** 64 hex digits, in the graph and in Docker 1.9. */
  readonly id: string;
  readonly parent: string | undefined;
  /** `repository:tag`; none for an image without a name. */
  readonly tags: readonly string[];
  /** `repository@digest`. */
  readonly digests: readonly string[];
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  /** Bytes of its own layer; `undefined` where they cannot be counted. */
  readonly size: number | undefined;
  /** With those of its ancestors. */
  readonly virtualSize: number | undefined;
}

/**
 * Newest first, as Docker 1.9's `docker images` shows them: what has a name and what nothing stands on, or with `all` every
 * image. One that could not be saved, as it or an ancestor is broken, is told of and left out.
 */
export async function listV1Images(
  root: V1Root,
  options: { all?: boolean | undefined; filters?: ImageFilters | undefined },
): Promise<V1ImageSummary[]> {
  const { all = false, filters = {} } = options;
  const accepts = acceptorOf(filters, (name) => root.graph.map().get(findV1(name, root))!.image.created);
  const tags = tagsByImage(root);
  warnOfUnusable(root, tags);
  const sizes = new Map<GraphID, number | undefined>();
  const summaries: { readonly image: GraphImage; readonly summary: V1ImageSummary }[] = [];
  for (const [id, image] of root.graph.map()) {
    if (!accepts({ created: image.image.created, labels: image.image.config?.labels ?? null })) continue;
    const named = (tags.get(id) ?? []).filter((tag) => matchesAny(filters.reference, nameOfTag(tag), tag.repository));
    const tagged = named.filter(({ key }) => !isDigest(key));
    const names = { names: named.length, tags: tagged.length, hasChildren: root.graph.hasChildren(id) };
    if (!isListed(names, { ...filters, all })) continue;
    const chain = wholeChain(root, id, tags.get(id));
    if (chain === undefined) continue;
    for (const one of chain) if (!sizes.has(one.id)) sizes.set(one.id, await sizeOf(root, one));
    summaries.push({
      image,
      summary: {
        id,
        parent: image.parent,
        tags: tagged.map(nameOfTag),
        digests: named.filter(({ key }) => isDigest(key)).map(nameOfTag),
        created: formatTime(image.image.created),
        size: sizes.get(id),
        virtualSize: sumOf(chain.map((one) => sizes.get(one.id))),
      },
    });
  }
  return summaries
    .sort((a, b) => compareTimes(b.image.image.created, a.image.image.created) || (a.image.id < b.image.id ? -1 : 1))
    .map(({ summary }) => summary);
}

function sumOf(sizes: readonly (number | undefined)[]): number | undefined {
  return sizes.reduce((sum, size) => (sum === undefined || size === undefined ? undefined : sum + size), 0);
}

function tagsByImage({ tags }: V1Root): ReadonlyMap<string, readonly GraphTag[]> {
  const byImage = new Map<string, GraphTag[]>();
  for (const tag of tags) byImage.set(tag.id, [...(byImage.get(tag.id) ?? []), tag]);
  return byImage;
}

function warnOfUnusable(root: V1Root, tags: ReadonlyMap<string, readonly GraphTag[]>): void {
  const { graph, driver, warn } = root;
  const treeless = root.withoutTree();
  // Those of another driver, it seems.
  const others = treeless.length > MOST_WARNINGS ? treeless : [];
  if (others.length > 0)
    warn(`the driver ${driver.name} has no trees of ${others.length} images of the graph, such as ${others[0]}`);
  const missing = [...tags.keys()].filter((id) => !graph.map().has(id as GraphID));
  const unusable = new Set<string>([...graph.broken.map(({ name }) => name), ...treeless, ...missing]);
  for (const id of others) if (!tags.has(id)) unusable.delete(id);
  for (const id of unusable) warn(withNames(root.reasonAgainst(id), tags.get(id)));
}

const MOST_WARNINGS = 10;

function withNames({ message }: VarveError, tags: readonly GraphTag[] = []): string {
  return tags.length === 0 ? message : `${message} (${tags.map(nameOfTag).join(", ")})`;
}

function wholeChain(
  root: V1Root,
  id: GraphID,
  tags: readonly GraphTag[] | undefined,
): readonly GraphImage[] | undefined {
  try {
    return root.chain(id);
  } catch (error) {
    if (!isVarveError(error)) throw error;
    root.warn(withNames(error, tags));
    return undefined;
  }
}

/** As Docker noted it; else the driver counts. */
async function sizeOf({ files, driver, warn }: V1Root, { id, parent }: GraphImage): Promise<number | undefined> {
  const tell = (error: unknown): void => {
    if (!isVarveError(error)) throw error;
    warn(namingImage(error, id));
  };
  try {
    const size = files.size(id);
    if (size !== undefined) return size;
  } catch (error) {
    tell(error);
  }
  try {
    return await driver.diffSize(id, parent);
  } catch (error) {
    tell(error);
    return undefined;
  }
}

function namingImage({ message }: VarveError, id: GraphID): string {
  return message.includes(id) ? message : `image ${id}: its size cannot be told: ${message}`;
}
