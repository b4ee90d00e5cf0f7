import { VarveError } from "../../errors.ts";
import type { Call } from "../call.ts";
import { containerPruneFilters, parseFilters } from "../filters.ts";
import type { Route } from "../routes.ts";

/** What Docker lists and Varve has none of: an empty list is the truth, and lets the client go on. */
export const ABSENT_ROUTES: readonly Route[] = [
  { method: "GET", pattern: "/networks", handle: ({ answer }) => answer.json([]) },
  { method: "GET", pattern: "/networks/", handle: ({ answer }) => answer.json([]) },
  { method: "GET", pattern: "/networks/{name:.*}", handle: noNetwork },
  { method: "DELETE", pattern: "/networks/{name:.*}", handle: noNetwork },
  { method: "POST", pattern: "/networks/prune", handle: pruneNetworks },
  { method: "POST", pattern: "/build/prune", handle: pruneBuilds },
  { method: "GET", pattern: "/plugins", handle: ({ answer }) => answer.json([]) },
  { method: "GET", pattern: "/plugins/{name:.*}/json", handle: noPlugin },
  { method: "DELETE", pattern: "/plugins/{name:.*}", handle: noPlugin },
];

async function pruneNetworks({ query, answer }: Call): Promise<void> {
  containerPruneFilters(parseFilters(query));
  await answer.json({ NetworksDeleted: null });
}

/** There is no build cache; `docker system prune` asks for it to be emptied. */
async function pruneBuilds({ answer }: Call): Promise<void> {
  await answer.json({ CachesDeleted: null, SpaceReclaimed: 0 });
}

async function noNetwork({ parameters }: Call): Promise<never> {
  throw new VarveError("not-found", `network ${parameters.name} not found`, { name: parameters.name });
}

async function noPlugin({ parameters }: Call): Promise<never> {
  throw new VarveError("not-found", `plugin "${parameters.name}" not found`, { name: parameters.name });
}
