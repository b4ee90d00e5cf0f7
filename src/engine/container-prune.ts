import { isVarveError } from "../errors.ts";
import { parseTime } from "../json/go-time.ts";
import { writtenSizes } from "./container-list.ts";
import { removeContainer } from "./container-removal.ts";
import type { Container } from "./containers.ts";
import { matchesLabels, type PruneFilters, parseTimeFilter } from "./filters.ts";
import type { Workspace } from "./workspace.ts";

export interface PrunedContainers {
  /** Ids. */
  readonly removed: string[];
  /** Bytes that they had written. */
  readonly reclaimed: number;
}

/**
 * Deletes the containers that do not run. One that somebody is at work on stays, as does one that cannot be deleted.
 *
 * @throws VarveError `cancelled`; what went before that is gone
 */
export async function pruneContainers(
  workspace: Workspace,
  {
    filters = {},
    dryRun = false,
    signal,
  }: { filters?: PruneFilters | undefined; dryRun?: boolean | undefined; signal?: AbortSignal | undefined },
): Promise<PrunedContainers> {
  const accepts = acceptorOf(filters);
  const candidates = await workspace.read(() => workspace.containersHere().filter(accepts), signal);
  const sizes = await writtenSizes(workspace);
  const removed: string[] = [];
  for (const { id } of candidates) {
    signal?.throwIfAborted();
    try {
      removed.push(await removeContainer(workspace, id, { dryRun }));
    } catch (error) {
      if (!isVarveError(error) || error.code === "locked" || error.code === "permission") throw error;
      workspace.warn(`failed to prune container ${id}: ${error.message}`);
    }
  }
  const reclaimed = removed.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0);
  if (!dryRun)
    workspace.events.append({ type: "container", action: "prune", id: "", attributes: { reclaimed: `${reclaimed}` } });
  return { removed, reclaimed };
}

function acceptorOf(filters: PruneFilters): (container: Container) => boolean {
  const until = filters.until === undefined ? undefined : parseTimeFilter(filters.until);
  return ({ running, created, record }) => {
    if (running) return false;
    if (until !== undefined && millisecondsOf(created) > until) return false;
    const labels = (record.Config as { Labels?: Record<string, string> | null } | undefined)?.Labels ?? undefined;
    if (filters.label !== undefined && !matchesLabels(labels, filters.label)) return false;
    return filters["label!"] === undefined || !matchesLabels(labels, filters["label!"]);
  };
}

function millisecondsOf(created: string): number {
  const { seconds, nanoseconds } = parseTime(created);
  return seconds * 1000 + nanoseconds / 1e6;
}
