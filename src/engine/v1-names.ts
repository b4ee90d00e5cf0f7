import { isDigest } from "../digest/digest.ts";
import { isVarveError, VarveError } from "../errors.ts";
import { type GraphID, isGraphID } from "../graph/descriptor.ts";
import type { GraphTag } from "../graph/tag-store.ts";
import { familiarName, isNameOnly, parseNormalized } from "../reference/reference.ts";
import type { V1Root } from "./v1-root.ts";

/**
 * Which images names mean, each with the tags by which it was meant. Names are Docker 1.9's: a repository for all its
 * tags, `repository:tag`, `repository@digest`, an id or the beginning of one.
 *
 * @throws VarveError `not-found`, `ambiguous`, `invalid-reference`, `corrupt`
 */
export function selectV1(names: readonly string[], root: V1Root): ReadonlyMap<GraphID, readonly GraphTag[]> {
  if (names.length === 0) throw new VarveError("invalid-argument", "no image to save was named");
  const selected = new Map<GraphID, GraphTag[]>();
  const add = (id: string, tag?: GraphTag): void => {
    if (!isGraphID(id) || !root.graph.map().has(id)) throw root.reasonAgainst(id);
    const tags = selected.get(id) ?? [];
    selected.set(id, tags);
    if (tag !== undefined && !isDigest(tag.key) && !tags.includes(tag)) tags.push(tag);
  };
  for (const name of names) {
    const tags = tagsOf(name, root);
    for (const tag of tags) add(tag.id, tag);
    if (tags.length === 0) add(lookUpID(name, root));
  }
  return selected;
}

/** The one image that a name means; a repository means its `latest`. @throws VarveError as `selectV1` */
export function findV1(name: string, root: V1Root): GraphID {
  const tag = tagNamed(name, root);
  const id = tag?.id ?? lookUpID(name, root);
  if (!isGraphID(id) || !root.graph.map().has(id)) throw root.reasonAgainst(id);
  return id;
}

/** The tags that a name stands for; none for what may be an id. */
function tagsOf(name: string, root: V1Root): readonly GraphTag[] {
  const local = localName(name);
  const all = root.tags.filter(({ repository }) => repository === local);
  const one = all.length > 0 ? undefined : tagNamed(name, root);
  return one === undefined ? all : [one];
}

function tagNamed(name: string, { tags }: V1Root): GraphTag | undefined {
  const { repository, key } = splitName(name);
  const local = localName(repository);
  return tags.find((tag) => tag.repository === local && tag.key === key);
}

/** What stands behind an `@`, or behind a colon that is not a port's. */
function splitName(name: string): { readonly repository: string; readonly key: string } {
  const at = name.includes("@") ? name.indexOf("@") : name.lastIndexOf(":");
  const key = name.slice(at + 1);
  return at < 0 || key.includes("/") ? { repository: name, key: "latest" } : { repository: name.slice(0, at), key };
}

/** As `repositories-<driver>` has it: `docker.io/library/busybox` is `busybox`. */
function localName(repository: string): string {
  try {
    const reference = parseNormalized(repository);
    return isNameOnly(reference) ? familiarName(reference) : repository;
  } catch (error) {
    if (isVarveError(error, "invalid-reference")) return repository;
    throw error;
  }
}

function lookUpID(name: string, root: V1Root): string {
  const text = name.toLowerCase();
  try {
    return root.graph.lookup(text);
  } catch (error) {
    if (!isVarveError(error, "not-found")) throw error;
  }
  const unusable = /^[0-9a-f]+$/.test(text) ? unusableIDs(root).filter((id) => id.startsWith(text)) : [];
  if (unusable[0] !== undefined) return unusable[0];
  if (!/^[0-9a-f]{64}$/.test(text)) parseNormalized(name);
  throw new VarveError("not-found", `No such image: ${name}`, { name });
}

function unusableIDs(root: V1Root): string[] {
  return [...root.graph.broken.map(({ name }) => name), ...root.withoutTree()];
}
