import { closeSync, fstatSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { type ChainID, type DiffID, extendChain } from "../digest/chain-id.ts";
import type { Driver } from "../driver/driver.ts";
import { availableDrivers } from "../driver/select.ts";
import { asVarveError, VarveError } from "../errors.ts";
import { throwIfCancelled } from "../io/byte-source.ts";
import { fromWire } from "../pool/wire.ts";
import { cloneOrCopyFile } from "../sys/copy.ts";
import { discard } from "./collect.ts";
import { FirstFailure } from "./first-failure.ts";
import {
  type DriverPlan,
  type Identified,
  identifyTree,
  openReader,
  refusalOf,
  type StrayTree,
  type TreeIdentity,
} from "./identity-jobs.ts";
import { type Layer, MAX_DEPTH } from "./layer.ts";
import { LayerHandle } from "./layer-handle.ts";
import type { MountEntry } from "./layer-table.ts";
import type { LayerTransaction, MountRecord } from "./metadata.ts";
import { publish } from "./register.ts";
import { HeldParent, knownLayer, lookAgain, type StoreContext } from "./store-context.ts";
import { workerLaneFor } from "./worker-lane.ts";

/**
 * Trees that another store made come into this one as they are: `identifyTrees` reads what layers they are, `adopt` and
 * `adoptWritable` give them a record. They stay whatever goes wrong, since their old owner may still need them.
 */
export interface IdentifyOptions<Tree> {
  /** Bytes of all of them, as far as somebody knows: little is not worth threads. */
  readonly bytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Told of each tree when it has been read, or could not be. What it throws ends everything. */
  readonly onTree: (tree: Tree, identity: TreeIdentity | VarveError) => void;
}

/** @throws VarveError `cancelled` */
export async function identifyTrees<Tree extends StrayTree>(
  { driver, threads }: StoreContext,
  trees: readonly Tree[],
  { bytes, signal, onTree }: IdentifyOptions<Tree>,
): Promise<void> {
  const lane = canReopen(driver) ? workerLaneFor(bytes, threads) : undefined;
  const reader = lane === undefined && canReopen(driver) ? await openReader(planOf(driver)) : driver;
  using ending = new FirstFailure(signal);
  const check = (): void => throwIfCancelled(ending.signal);
  const identify = async (some: readonly Tree[]): Promise<(TreeIdentity | VarveError)[]> => {
    if (lane !== undefined) {
      const input = { trees: some.map(plainTree), plan: planOf(driver) };
      return (await lane.run("identify", input, { signal: ending.signal })).map(outcomeOf);
    }
    return await Promise.all(some.map((tree) => identifyTree(tree, reader, check).catch(refusalOf)));
  };
  const batches = inBatches(trees, lane === undefined ? 1 : batchSize(trees.length, lane.limit)).values();
  const takeTurns = async (): Promise<void> => {
    for (const batch of batches) {
      check();
      for (const [i, identity] of (await identify(batch)).entries()) onTree(batch[i]!, identity);
    }
  };
  const all = Array.from({ length: lane?.limit ?? 1 }, () => ending.watch(takeTurns()));
  try {
    await Promise.all(all);
  } catch (error) {
    await Promise.allSettled(all);
    throw ending.or(error);
  }
}

/** Few enough that all workers have work until the end. */
function batchSize(trees: number, workers: number): number {
  return Math.min(MOST_AT_A_TIME, Math.ceil(trees / (4 * workers)));
}

const MOST_AT_A_TIME = 8;

function inBatches<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}

function plainTree({ cacheID, parent, split, newSplit }: StrayTree): StrayTree {
  return { cacheID, parent, split, newSplit };
}

function outcomeOf(outcome: Identified): TreeIdentity | VarveError {
  return "identity" in outcome ? outcome.identity : refusalOf(fromWire(outcome.failure));
}

/** Whether a worker's `openDriver` would give the same one. */
function canReopen({ name }: Driver): boolean {
  return (availableDrivers as readonly string[]).includes(name);
}

function planOf({ home, name, idMap }: Driver): DriverPlan {
  return { root: dirname(home), name, idRanges: idMap?.ranges };
}

export interface AdoptedTree {
  /** The tree's name in the driver, which becomes the layer's cache-id. */
  readonly cacheID: string;
  readonly diffID: DiffID;
  readonly size: number;
  /** The file of the tar-split, which is copied. */
  readonly split: string;
}

/**
 * Makes a layer of a tree that is there. A chain that is known already is handed out as it is; then the tree is not needed.
 * Should we die before anything refers to the layer, it stays.
 *
 * @throws VarveError `not-found` for the tree or the parent, `too-large` for the 126th layer of a stack
 */
export async function adopt(context: StoreContext, tree: AdoptedTree, parent: ChainID | undefined): Promise<Layer> {
  const { cacheID, diffID, size } = tree;
  if (parent !== undefined && knownLayer(context, parent).depth >= MAX_DEPTH)
    throw new VarveError("too-large", "max depth exceeded", { parent, limit: MAX_DEPTH });
  using below = new HeldParent(context, parent);
  const chain = extendChain(parent, diffID);
  if (context.table.layers.has(chain) && context.table.isCurrent(chain)) return handOut(context, chain);
  const record = { diffID, size, cacheID, parent, descriptor: undefined };
  const transaction = await context.metadata.beginLayer(cacheID, { adopted: true });
  let published = false;
  try {
    copySplit(tree.split, transaction);
    await transaction.write(record);
    return await context.commit(async () => {
      lookAgain(context, [chain, parent]);
      below.checkPresent();
      if (!context.driver.exists(cacheID))
        throw new VarveError("not-found", `the driver ${context.driver.name} has no tree ${cacheID}`, { cacheID });
      if (!context.table.layers.has(chain)) {
        await publish(context, chain, record, transaction);
        published = true;
      }
      return handOut(context, chain);
    });
  } catch (error) {
    throw asVarveError(error);
  } finally {
    if (!published) await discard(context, transaction, []);
  }
}

/** Not as something new, which would be taken away if we died. */
function handOut(context: StoreContext, chain: ChainID): Layer {
  context.onHandOut(chain, false);
  return new LayerHandle(knownLayer(context, chain), context);
}

function copySplit(path: string, { splitDescriptor }: LayerTransaction): void {
  const source = openSync(path, "r");
  try {
    cloneOrCopyFile(source, splitDescriptor, fstatSync(source).size);
  } finally {
    closeSync(source);
  }
}

/**
 * Makes a writable layer of trees that are there. One that is the same already is handed out.
 *
 * @throws VarveError `not-found` for a tree or the parent, `already-exists` for another one of this name
 */
export async function adoptWritable(context: StoreContext, name: string, record: MountRecord): Promise<MountEntry> {
  using below = new HeldParent(context, record.parent);
  for (const tree of [record.mountID, record.initID])
    if (tree !== undefined && !context.driver.exists(tree))
      throw new VarveError("not-found", `the driver ${context.driver.name} has no tree ${tree}`, { tree });
  const transaction = await context.metadata.beginMount(record, { adopted: true });
  let published = false;
  try {
    return await context.commit(async () => {
      lookAgain(context, [record.parent]);
      below.checkPresent();
      const known = context.table.mounts.get(name);
      if (known !== undefined && isSame(known.record, record)) return known;
      if (known !== undefined) throw new VarveError("already-exists", "mount already exists with name", { name });
      await transaction.commit(name);
      published = true;
      return context.table.addMount(name, record);
    });
  } catch (error) {
    throw asVarveError(error);
  } finally {
    if (!published) await discard(context, transaction, []);
  }
}

function isSame(one: MountRecord, other: MountRecord): boolean {
  return one.mountID === other.mountID && one.initID === other.initID && one.parent === other.parent;
}
