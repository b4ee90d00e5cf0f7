import { type ChainID, extendChain } from "../digest/chain-id.ts";
import { randomID } from "../digest/random-id.ts";
import { asVarveError, VarveError } from "../errors.ts";
import { abortable, type ByteSource } from "../io/byte-source.ts";
import { discard } from "./collect.ts";
import { type Descriptor, type Layer, MAX_DEPTH } from "./layer.ts";
import { LayerHandle } from "./layer-handle.ts";
import type { LayerEntry } from "./layer-table.ts";
import type { LayerRecord, LayerTransaction } from "./metadata.ts";
import { HeldParent, knownLayer, lookAgain, type StoreContext } from "./store-context.ts";
import { unpack } from "./unpack.ts";

export interface RegisterOptions {
  /** For a foreign layer: where it came from. */
  readonly descriptor?: Descriptor | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told after each chunk how many bytes of the stream were taken in so far. */
  readonly onBytes?: ((total: number) => void) | undefined;
}

/**
 * The life of a registration (FORMATS 2.4): announce the tree, make it, fill it in one pass, write the record where
 * nobody looks, and then, in a visible step, publish it or find that the chain has come into being meanwhile. Until that
 * step everything can be taken back, and a process that dies leaves an announcement that names the tree.
 */
export async function register(
  context: StoreContext,
  stream: ByteSource,
  parent: ChainID | undefined,
  options: RegisterOptions,
): Promise<Layer> {
  if (parent !== undefined && knownLayer(context, parent).depth >= MAX_DEPTH)
    throw new VarveError("too-large", "max depth exceeded", { parent, limit: MAX_DEPTH });
  using below = new HeldParent(context, parent);
  const cacheID = randomID();
  const outcome: Outcome = { handle: undefined, published: false };
  try {
    const transaction = await context.metadata.beginLayer(cacheID);
    try {
      await context.driver.create(cacheID, below.tree);
      const record = await fill(context, cacheID, below, stream, transaction, options);
      await transaction.write(record);
      await context.commit(() => settle(context, below, record, transaction, outcome));
    } finally {
      if (!outcome.published) await discard(context, transaction, [cacheID]);
    }
  } catch (error) {
    outcome.handle?.forget();
    throw asVarveError(error);
  }
  return outcome.handle as Layer;
}

export interface Outcome {
  handle: LayerHandle | undefined;
  /** Whether the tree that we made is the layer's. */
  published: boolean;
}

async function fill(
  { driver }: StoreContext,
  cacheID: string,
  below: HeldParent,
  stream: ByteSource,
  { split }: LayerTransaction,
  options: RegisterOptions,
): Promise<LayerRecord> {
  const applier = await driver.applier(cacheID, below.tree);
  let finishing = false;
  try {
    const diffID = await unpack(abortable(stream, options.signal), { applier, split }, options.onBytes);
    finishing = true;
    const size = await applier.finish();
    return { diffID, size, cacheID, parent: below.chainID, descriptor: options.descriptor };
  } catch (error) {
    if (!finishing) await applier.abort();
    throw error;
  }
}

/** The visible step. */
export async function settle(
  context: StoreContext,
  below: HeldParent,
  record: LayerRecord,
  transaction: LayerTransaction,
  outcome: Outcome,
): Promise<void> {
  const { table } = context;
  const chain = extendChain(below.chainID, record.diffID);
  lookAgain(context, [chain, below.chainID]);
  below.checkPresent();
  let entry = table.layers.get(chain);
  context.onHandOut(chain, entry === undefined);
  if (entry === undefined) {
    entry = await publish(context, chain, record, transaction);
    outcome.published = true;
  }
  outcome.handle = new LayerHandle(entry, context);
}

/** Inside a visible step: makes a record appear, in the place of one that cannot be used if there is such. */
export async function publish(
  { table, metadata, warn }: StoreContext,
  chain: ChainID,
  record: LayerRecord,
  transaction: LayerTransaction,
): Promise<LayerEntry> {
  if (metadata.layerStamp(chain) !== undefined) {
    const path = await metadata.putBrokenAside(chain);
    warn(`layer ${chain}: the record that could not be used was put aside as ${path}`);
  }
  await transaction.commit(chain);
  return table.add(chain, record);
}
