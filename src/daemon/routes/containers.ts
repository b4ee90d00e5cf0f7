import { VarveError } from "../../errors.ts";
import { isOlder } from "../../image/docker-version.ts";
import { type Call, given, isSet } from "../call.ts";
import { containerDocument, inspectDocument } from "../container-document.ts";
import { createBody } from "../create-body.ts";
import { containerPruneFilters, parseFilters } from "../filters.ts";
import { jsonBody } from "../json-body.ts";
import type { Route } from "../routes.ts";
import { nameWithTag } from "./transfer.ts";

/** Containers that do not run: looking at them, naming them, making images of them, and taking them away. */
export const CONTAINER_ROUTES: readonly Route[] = [
  { method: "GET", pattern: "/containers/json", handle: list },
  { method: "GET", pattern: "/containers/{name:.*}/json", handle: inspect },
  { method: "GET", pattern: "/containers/{name:.*}/changes", handle: changes },
  { method: "POST", pattern: "/containers/{name:.*}/rename", handle: rename },
  { method: "POST", pattern: "/containers/prune", handle: prune },
  { method: "POST", pattern: "/commit", handle: commit },
  { method: "DELETE", pattern: "/containers/{name:.*}", handle: remove },
];

async function list({ store, query, answer }: Call): Promise<void> {
  const summaries = await store.containers({
    all: isSet(query, "all"),
    limit: limitOf(query),
    size: isSet(query, "size"),
    filters: Object.fromEntries(parseFilters(query)),
  });
  const inspected = new Map((await store.inspectContainers()).map((container) => [container.Id, container]));
  // Without what was removed meanwhile.
  const documents = summaries.flatMap((summary) => {
    const container = inspected.get(summary.id);
    return container === undefined ? [] : [containerDocument(container, summary)];
  });
  await answer.json(documents);
}

function limitOf(query: URLSearchParams): number {
  const text = query.get("limit") ?? "";
  if (/^([+-]?\d{1,15})?$/.test(text)) return Math.max(Number(text), 0);
  throw new VarveError("invalid-argument", `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`, { text });
}

async function inspect({ store, parameters, query, version, answer }: Call): Promise<void> {
  const size = isSet(query, "size") && !isOlder(version, FIRST_WITH_SIZE);
  const inspected = await store.inspectContainer(parameters.name!, { size });
  await answer.json(inspectDocument(inspected, version));
}

/** The first version whose clients may ask an inspection for sizes. */
const FIRST_WITH_SIZE = "1.21";

async function changes({ store, parameters, answer }: Call): Promise<void> {
  const found = await store.diff(parameters.name!);
  const documents = found.map(({ kind, path }) => ({ Path: path, Kind: KINDS.indexOf(kind) }));
  // Go's empty list that nobody has made.
  await answer.json(documents.length === 0 ? null : documents);
}

/** Docker's numbers for the kinds of changes. */
const KINDS: readonly string[] = ["C", "A", "D"];

async function rename({ store, parameters, query, answer }: Call): Promise<void> {
  await store.rename(parameters.name!, query.get("name") ?? "");
  await answer.empty(204);
}

async function prune({ store, query, signal, answer }: Call): Promise<void> {
  const filters = containerPruneFilters(parseFilters(query));
  const { removed, reclaimed } = await store.pruneContainers({ filters, signal });
  await answer.json({ ContainersDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: reclaimed });
}

/** Nothing runs that could be paused. */
async function commit(call: Call): Promise<void> {
  const { store, query, signal, answer } = call;
  const { config } = createBody(await jsonBody(call));
  const container = query.get("container") ?? "";
  if (container === "") throw new VarveError("invalid-argument", 'invalid name or ID supplied: ""');
  const repository = given(query, "repo");
  const id = await store.commit(container, {
    reference: repository === undefined ? undefined : nameWithTag(repository, given(query, "tag")),
    author: given(query, "author"),
    message: given(query, "comment"),
    config,
    changes: query.getAll("changes"),
    signal,
  });
  await answer.json({ Id: id }, 201);
}

async function remove({ store, parameters, query, answer }: Call): Promise<void> {
  const name = parameters.name!;
  if (isSet(query, "link")) {
    await store.inspectContainer(name);
    throw new VarveError("invalid-argument", "Conflict, cannot remove the default link name of the container");
  }
  await store.removeContainer(name, { force: isSet(query, "force"), volumes: isSet(query, "v") });
  await answer.empty(204);
}
