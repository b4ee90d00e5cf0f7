import type { ChainID, DiffID } from "../digest/chain-id.ts";
import { algorithmOf, type Digest } from "../digest/digest.ts";
import { randomID } from "../digest/random-id.ts";
import { asVarveError, VarveError } from "../errors.ts";
import { discard } from "./collect.ts";
import { FirstFailure } from "./first-failure.ts";
import { type Descriptor, type Layer, MAX_DEPTH } from "./layer.ts";
import type { LayerTransaction } from "./metadata.ts";
import { type Outcome, settle } from "./register.ts";
import { SharedRun } from "./shared-run.ts";
import { HeldParent, type StoreContext } from "./store-context.ts";
import { compressionOf, type StoredTar } from "./stored-tar.ts";
import type { Workers } from "./worker-lane.ts";

/** One layer of a stack that is registered as a whole. */
export interface StackedTar {
  /** What the layer is to be. */
  readonly diffID: DiffID;
  readonly descriptor?: Descriptor | undefined;
  /** Bytes as stored. */
  readonly size: number;
  open(): StoredTar;
  /** Told now and then how many of the stored bytes were read. */
  onBytes(current: number): void;
  /** The error instead of one that came up while the tar was read and taken apart. */
  explain(error: unknown): unknown;
  /** The error when the stored bytes are not those that were promised. */
  wrongBytes(actual: Digest): VarveError;
  /** The error when the layer has another DiffID. */
  wrongLayer(actual: DiffID): VarveError;
}

export interface TogetherOptions {
  readonly signal?: AbortSignal | undefined;
  /** Given each layer as soon as it has its record, bottom first. The reference is the taker's, whatever follows. */
  readonly onLayer: (layer: Layer) => Promise<void>;
}

/**
 * The life of several registrations, each as `register.ts` tells it, of layers that stand on each other. All are
 * announced and their trees made, bottom first; workers fill the trees at the same time; the records are published in
 * order. The first failure stops everybody, and what has no record by then leaves no trace.
 *
 * Another process may publish one of the layers first. Ours is given up then, and those above come to stand on theirs.
 */
export async function registerTogether(
  context: StoreContext,
  workers: Workers,
  tars: readonly StackedTar[],
  parent: ChainID | undefined,
  { signal, onLayer }: TogetherOptions,
): Promise<void> {
  using below = new HeldParent(context, parent);
  if ((below.entry?.depth ?? 0) + tars.length > MAX_DEPTH)
    throw new VarveError("too-large", "max depth exceeded", { parent, limit: MAX_DEPTH });
  using failure = new FirstFailure(signal);
  const drafts: Draft[] = [];
  let filling: Promise<number>[] = [];
  try {
    for (const tar of tars) await begin(context, tar, drafts, below.tree);
    filling = fillAll(workers, drafts, failure);
    let chain = parent;
    let moved = false;
    for (const [i, draft] of drafts.entries()) {
      const size = await filling[i]!;
      using held = new HeldParent(context, chain);
      moved ||= i > 0 && held.tree !== drafts[i - 1]!.cacheID;
      if (moved) await workers.driver.restack(draft.cacheID, held.tree!);
      const layer = await publish(context, draft, i === 0 ? below : held, size);
      chain = layer.chainID;
      await onLayer(layer);
    }
  } catch (error) {
    throw asVarveError(failure.or(error));
  } finally {
    failure.stop();
    await Promise.allSettled(filling);
    for (const { outcome, transaction, cacheID } of drafts.reverse())
      if (!outcome.published) await discard(context, transaction, [cacheID]);
  }
}

/** A layer that was announced. */
interface Draft {
  readonly tar: StackedTar;
  readonly cacheID: string;
  readonly transaction: LayerTransaction;
  readonly outcome: Outcome;
}

async function begin(context: StoreContext, tar: StackedTar, drafts: Draft[], base: string | undefined): Promise<void> {
  const below = drafts.at(-1)?.cacheID ?? base;
  const cacheID = randomID();
  const transaction = await context.metadata.beginLayer(cacheID);
  drafts.push({ tar, cacheID, transaction, outcome: { handle: undefined, published: false } });
  await context.driver.create(cacheID, below);
}

/** The largest first, so that none of them is left to one worker in the end. @returns their sizes, in the order of the drafts */
function fillAll(workers: Workers, drafts: readonly Draft[], failure: FirstFailure): Promise<number>[] {
  const sync = new SharedRun(() => workers.driver.syncTrees());
  const fills = new Map<Draft, Promise<number>>();
  for (const draft of [...drafts].sort((a, b) => b.tar.size - a.tar.size))
    fills.set(draft, failure.watch(fill(workers, draft, sync, failure)));
  return drafts.map((draft) => fills.get(draft)!);
}

/**
 * One layer: its tree, its tar-split, and a look at its digests. An uncompressed tar is hashed by one worker while another
 * unpacks it, because either takes as long; what is compressed is unfolded once and hashed on the way.
 */
async function fill(
  { lane, driver }: Workers,
  { tar, cacheID, transaction }: Draft,
  sync: SharedRun,
  failure: FirstFailure,
): Promise<number> {
  using stored = tar.open();
  const { range, limit, digest } = stored;
  const { signal } = failure;
  const compressed = compressionOf(range) !== "none";
  const apart = !compressed && lane.limit > 1;
  const input = { range, compressed, limit, plan: driver.applyPlan(cacheID), split: transaction.splitDescriptor };
  const explained = <T>(job: Promise<T>): Promise<T> =>
    job.catch((error) => {
      throw tar.explain(error);
    });
  const jobs = [
    explained(lane.run("unpack", { ...input, hash: !apart }, { signal, onNote: (done) => tar.onBytes(done) })),
    apart ? explained(lane.run("hash", { range, algorithm: "sha256" }, { signal })) : undefined,
    digest && explained(lane.run("hash", { range, algorithm: algorithmOf(digest) }, { signal })),
  ] as const;
  // The file must stay open, and the tree be left alone, until the last of them has ended.
  await Promise.allSettled(jobs.map((job) => job && failure.watch<unknown>(job)));
  const [{ size, diffID }, hashed, actual] = await Promise.all(jobs);
  if (actual !== digest) throw tar.explain(tar.wrongBytes(actual!));
  if ((diffID ?? hashed) !== tar.diffID) throw tar.wrongLayer((diffID ?? hashed)!);
  tar.onBytes(range.length);
  await sync.run();
  return size;
}

async function publish(
  context: StoreContext,
  { tar, cacheID, transaction, outcome }: Draft,
  below: HeldParent,
  size: number,
): Promise<Layer> {
  const { diffID, descriptor } = tar;
  const record = { diffID, size, cacheID, parent: below.chainID, descriptor };
  try {
    await transaction.write(record);
    await context.commit(() => settle(context, below, record, transaction, outcome));
  } catch (error) {
    outcome.handle?.forget();
    throw error;
  }
  return outcome.handle!;
}
