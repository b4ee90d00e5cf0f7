import type { HistoryEntry, ImageSummary } from "../../engine/images.ts";
import type { RemovedItem } from "../../engine/removal-model.ts";
import { isVarveError, VarveError } from "../../errors.ts";
import { isOlder } from "../../image/docker-version.ts";
import { parseTime } from "../../json/go-time.ts";
import { type Call, given, isSet } from "../call.ts";
import { imageFilters, parseFilters, pruneFilters } from "../filters.ts";
import type { Route } from "../routes.ts";
import { nameWithTag } from "./transfer.ts";

/** Looking at images, naming them and taking them away. */
export const IMAGE_ROUTES: readonly Route[] = [
  { method: "GET", pattern: "/images/json", handle: list },
  { method: "GET", pattern: "/images/{name:.*}/history", handle: history },
  { method: "GET", pattern: "/images/{name:.*}/json", handle: inspect },
  { method: "POST", pattern: "/images/{name:.*}/tag", handle: tag },
  { method: "POST", pattern: "/images/prune", handle: prune },
  { method: "DELETE", pattern: "/images/{name:.*}", handle: remove },
];

/** The last version whose clients give a pattern on names by itself. */
const LAST_WITH_PATTERN = "1.40";

async function list({ store, query, version, answer }: Call): Promise<void> {
  const filters = imageFilters(parseFilters(query));
  const pattern = isOlder(LAST_WITH_PATTERN, version) ? undefined : given(query, "filter");
  const reference = pattern === undefined ? filters.reference : [...(filters.reference ?? []), pattern];
  const summaries = await store.images({ all: isSet(query, "all"), filters: { ...filters, reference } });
  await answer.json(summaries.map((summary) => imageDocument(summary)));
}

async function history({ store, parameters, answer }: Call): Promise<void> {
  await answer.json((await store.history(parameters.name!)).map(historyDocument));
}

async function inspect({ store, parameters, answer }: Call): Promise<void> {
  await answer.json(await naming(parameters.name!, () => store.inspect(parameters.name!)));
}

async function tag({ store, parameters, query, answer }: Call): Promise<void> {
  const { name } = parameters;
  // Docker looks for the image before it reads the new name.
  await store.config(name!);
  await store.tag(name!, nameWithTag(query.get("repo") ?? "", given(query, "tag")));
  await answer.empty(201);
}

async function remove({ store, parameters, query, signal, answer }: Call): Promise<void> {
  const options = { force: isSet(query, "force"), noPrune: isSet(query, "noprune"), signal };
  await answer.json((await store.remove(parameters.name!, options)).map(removedDocument));
}

async function prune({ store, query, signal, answer }: Call): Promise<void> {
  const { all, ...filters } = pruneFilters(parseFilters(query));
  const { removed, reclaimed } = await store.prune({ all, filters, signal });
  const ImagesDeleted = removed.length === 0 ? null : removed.map(removedDocument);
  await answer.json({ ImagesDeleted, SpaceReclaimed: reclaimed });
}

/**
 * An image as Docker lists it.
 *
 * @param usage what only `system/df` counts
 */
export function imageDocument(
  { id, parent, tags, digests, created, size, labels }: ImageSummary,
  usage: { readonly containers: number; readonly sharedSize: number } = { containers: -1, sharedSize: -1 },
): object {
  const isNamed = tags.length > 0 || digests.length > 0;
  return {
    Containers: usage.containers,
    Created: parseTime(created).seconds,
    Id: id,
    Labels: labels ?? null,
    ParentId: parent ?? "",
    RepoDigests: isNamed ? orNull(digests) : ["<none>@<none>"],
    RepoTags: isNamed ? orNull(tags) : ["<none>:<none>"],
    SharedSize: usage.sharedSize,
    Size: size,
    VirtualSize: size,
  };
}

function historyDocument({ id, created, createdBy, comment, size, tags }: HistoryEntry): object {
  return {
    Comment: comment,
    Created: parseTime(created).seconds,
    CreatedBy: createdBy,
    Id: id ?? "<missing>",
    Size: size,
    Tags: orNull(tags),
  };
}

function removedDocument(item: RemovedItem): object {
  return "untagged" in item ? { Untagged: item.untagged } : { Deleted: item.deleted };
}

/** Go's empty list that nobody has made. */
function orNull<Item>(list: readonly Item[]): readonly Item[] | null {
  return list.length === 0 ? null : list;
}

/** Docker's inspection says what it could not find before it says why. */
async function naming<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isVarveError(error)) throw error;
    throw new VarveError(error.code, `no such image: ${name}: ${error.message}`, error.details, error);
  }
}
