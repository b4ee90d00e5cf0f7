import { appliesInParallel, type RemoveOptions } from "../driver/driver.ts";
import { asVarveError, VarveError } from "../errors.ts";
import type { ReleasedLayer } from "./layer.ts";
import type { LayerEntry } from "./layer-table.ts";
import type { LayerTransaction, MountTransaction, Removal } from "./metadata.ts";
import type { StoreContext } from "./store-context.ts";
import { workerLaneFor } from "./worker-lane.ts";

/** What `reclaim` took away: a half-made or half-deleted record, and the driver trees that went with it. */
export interface Reclaimed {
  readonly path: string;
  readonly trees: readonly string[];
}

/**
 * Deletes a layer that nobody refers to, then its parent if that has no other reference, and so on (FORMATS 2.6). All
 * records leave in one visible step, top first; the trees follow at leisure, after the step that we may be in.
 *
 * @returns what was deleted, top first
 * @throws what the driver throws, unless that is told `afterwards`, with the same list as `details.released`
 */
export async function collect(context: StoreContext, top: LayerEntry): Promise<ReleasedLayer[]> {
  if (top.gone || top.references > 0) return [];
  const aside: Aside[] = [];
  const failures: unknown[] = [];
  try {
    await context.commit(async () => {
      context.table.refresh();
      for (let entry: LayerEntry | undefined = top; entry !== undefined; entry = entry.parentEntry) {
        if (entry.gone || entry.references > 0 || context.heldElsewhere(entry.chainID)) return;
        aside.push(await setAside(context, entry));
      }
    });
  } catch (error) {
    failures.push(error);
  }
  const released = aside.map(({ layer }) => layer);
  await context.afterwards(async () => {
    await removeTrees(context, aside, failures);
    if (failures.length > 0) throw withReleased(failures[0], released);
  });
  return released;
}

/** By workers where there is much to remove; all at once where trees do not mind which of them goes first. */
async function removeTrees(
  { table, driver, threads, keepsTree }: StoreContext,
  aside: readonly Aside[],
  failures: unknown[],
): Promise<void> {
  const inUse = table.trees();
  const bytes = aside.reduce((sum, { layer }) => sum + layer.size, 0);
  const lane = workerLaneFor(bytes, threads);
  const how: RemoveOptions = lane === undefined ? {} : { removeTree: (path) => lane.run("removeTree", path) };
  const remove = async ({ layer, removal }: Aside): Promise<void> => {
    try {
      if (!inUse.has(layer.cacheID) && !keepsTree(layer.cacheID)) await driver.remove(layer.cacheID, how);
      await removal.finish();
    } catch (error) {
      failures.push(error);
    } finally {
      removal[Symbol.dispose]();
    }
  };
  if (lane !== undefined && appliesInParallel(driver)) await Promise.all(aside.map(remove));
  else for (const item of aside) await remove(item);
}

interface Aside {
  readonly layer: ReleasedLayer;
  readonly removal: Removal;
}

async function setAside({ table, metadata }: StoreContext, entry: LayerEntry): Promise<Aside> {
  const { chainID, diffID, cacheID, size } = entry;
  // Out of memory first, so that nobody of this process takes a reference while the disk is at work.
  table.drop(entry);
  try {
    return { layer: { chainID, diffID, cacheID, size }, removal: await metadata.setLayerAside(chainID) };
  } catch (error) {
    table.refresh();
    throw error;
  }
}

/** Leaves no trace of what did not become a record; what resists is left to a later `reclaim`. */
export async function discard(
  { driver, warn }: StoreContext,
  transaction: LayerTransaction | MountTransaction,
  trees: readonly string[],
): Promise<void> {
  try {
    for (const tree of trees) await driver.remove(tree);
    await transaction.cancel();
  } catch (error) {
    await transaction.abandon();
    warn(`what was made of ${trees.join(" and ")} is left for a later cleanup: ${messageOf(error)}`);
  }
}

/** Takes away what processes left that died in the middle of their work; see `LayerStore.cleanup`. */
export async function reclaim({
  driver,
  metadata,
  table,
  commit,
  keepsTree,
  warn,
}: StoreContext): Promise<Reclaimed[]> {
  const leftovers = await commit(async () => {
    table.refresh();
    return metadata.leftovers();
  });
  const reclaimed: Reclaimed[] = [];
  const inUse = table.trees();
  for (const leftover of leftovers) {
    const { path } = leftover;
    const trees = leftover.trees.filter((tree) => !inUse.has(tree) && !keepsTree(tree));
    try {
      for (const tree of trees) await driver.remove(tree);
      await leftover.discard();
      reclaimed.push({ path, trees });
    } catch (error) {
      warn(`${path} could not be cleared away: ${messageOf(error)}`);
    } finally {
      leftover[Symbol.dispose]();
    }
  }
  return reclaimed;
}

function withReleased(error: unknown, released: readonly ReleasedLayer[]): unknown {
  const coded = asVarveError(error);
  if (!(coded instanceof VarveError)) return error;
  return new VarveError(coded.code, coded.message, { ...coded.details, released }, coded);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
