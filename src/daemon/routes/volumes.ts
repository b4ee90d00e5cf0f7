import type { VolumeSummary } from "../../engine/volume-list.ts";
import { VarveError } from "../../errors.ts";
import type { Call } from "../call.ts";
import { containerPruneFilters, parseFilters } from "../filters.ts";
import type { Route } from "../routes.ts";

/** Volumes come and go with containers; here they are looked at. */
export const VOLUME_ROUTES: readonly Route[] = [
  { method: "GET", pattern: "/volumes", handle: list },
  { method: "POST", pattern: "/volumes/prune", handle: prune },
  { method: "GET", pattern: "/volumes/{name:.*}", handle: inspect },
  { method: "DELETE", pattern: "/volumes/{name:.*}", handle: remove },
];

async function list({ store, query, answer }: Call): Promise<void> {
  const volumes = await store.volumes({ filters: Object.fromEntries(parseFilters(query)) });
  await answer.json({ Volumes: volumes.map((volume) => volumeDocument(volume)), Warnings: null });
}

async function inspect(call: Call): Promise<void> {
  await call.answer.json(volumeDocument(await find(call)));
}

async function remove(call: Call): Promise<never> {
  const { name } = await find(call);
  throw new VarveError("unsupported", "varve deletes volumes with their containers only: docker rm -v", { name });
}

async function prune({ query, answer }: Call): Promise<void> {
  containerPruneFilters(parseFilters(query));
  await answer.json({ VolumesDeleted: null, SpaceReclaimed: 0 });
}

async function find({ store, parameters }: Call): Promise<VolumeSummary> {
  const { name } = parameters;
  const found = (await store.volumes()).find((volume) => volume.name === name);
  if (found === undefined) throw new VarveError("not-found", `get ${name}: no such volume`, { name });
  return found;
}

/**
 * A volume as Docker lists it.
 *
 * @param isCounted as `system/df` does, which tells no size of one whose files may be anywhere
 */
export function volumeDocument(
  { name, path, created, labels, options, containers, size }: VolumeSummary,
  isCounted = false,
): object {
  return {
    CreatedAt: created,
    Driver: "local",
    Labels: labels,
    Mountpoint: path,
    Name: name,
    Options: options,
    Scope: "local",
    UsageData: isCounted ? { RefCount: containers, Size: size ?? -1 } : undefined,
  };
}
