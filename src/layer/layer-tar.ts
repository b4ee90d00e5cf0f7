import { setImmediate } from "node:timers/promises";
import { Digester } from "../digest/digest.ts";
import { hasPlainContent } from "../driver/driver.ts";
import { asVarveError, isVarveError } from "../errors.ts";
import { type ByteSource, throwIfCancelled } from "../io/byte-source.ts";
import { keepingAlive, sharedWindows, WindowTaker } from "../pool/windows.ts";
import { ASSEMBLER_WINDOW, assemble, readSplit } from "../tar/assemble.ts";
import { tarLength } from "../tar/tar-length.ts";
import { FirstFailure } from "./first-failure.ts";
import type { LayerInfo } from "./layer.ts";
import { type StoreContext, vanished } from "./store-context.ts";
import { PlaceWriter, type TarPlace, type TarPlan, wrongLayer } from "./tar-jobs.ts";
import { streamLane, type WorkerLane, workerLane } from "./worker-lane.ts";

/**
 * The exact tar of a layer (FORMATS 2.8): what the tar-split kept, with the files out of the driver's tree between. Each
 * file is verified by its CRC and the whole by its DiffID, so what is not what was registered ends in an error, if only
 * after its bytes were given out.
 *
 * A large layer is put together by a worker, some windows ahead of the reader, and hashed here. A stream never waits for
 * a worker: it may be the reader of another stream who keeps them all waiting. Without one, all is done here.
 */
export async function* layerTar(layer: LayerInfo, context: StoreContext, signal?: AbortSignal): ByteSource {
  try {
    const digester = new Digester();
    for await (const chunk of assembled(layer, context, signal)) {
      throwIfCancelled(signal);
      digester.update(chunk);
      yield chunk;
    }
    if (digester.digest() !== layer.diffID) throw wrongLayer(layer);
  } catch (error) {
    throw explained(error, layer, context);
  }
}

/** How long the tar is, from the tar-split alone. */
export async function layerTarSize(layer: LayerInfo, context: StoreContext, signal?: AbortSignal): Promise<number> {
  try {
    const helped = helpFor(layer, context, writingLane);
    if (helped === undefined) return await tarLength(context.metadata.splitStream(layer.chainID));
    const input = { split: helped.plan.split };
    return await helped.lane.run("measure", input, { signal, weight: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw explained(error, layer, context);
  }
}

export interface WriteTarOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told now and then how many bytes were written. */
  readonly onBytes?: ((current: number) => void) | undefined;
}

/** As `layerTar`, into a part of a file; for a large layer by a worker, so that several may be written at a time. */
export async function writeLayerTar(
  layer: LayerInfo,
  context: StoreContext,
  place: TarPlace,
  { signal, onBytes }: WriteTarOptions,
): Promise<void> {
  const { chainID, diffID, cacheID } = layer;
  try {
    const helped = helpFor(layer, context, writingLane);
    if (helped !== undefined) {
      const input = { layer: { chainID, diffID, cacheID }, plan: helped.plan, place };
      try {
        return await helped.lane.run("write", input, { signal, onNote: onBytes, weight: place.size });
      } catch (error) {
        if (!helped.mayBeBelow(error)) throw error;
      }
    }
    await inTurn(async () => {
      const writer = new PlaceWriter(layer, place);
      for await (const chunk of assembledHere(layer, context)) {
        throwIfCancelled(signal);
        const done = writer.write(chunk);
        onBytes?.(done);
        // All of this is synchronous within a file: whoever wants to cancel it needs a turn.
        if (done % BREATH < chunk.length) await setImmediate();
      }
      writer.end();
    });
  } catch (error) {
    throw explained(error, layer, context);
  }
}

/** Bytes after which the event loop gets its turn. */
const BREATH = 4 << 20;

/** One after the other: beside each other they would only take more memory. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = lastTurn.then(work);
  lastTurn = turn.catch(() => {});
  return turn;
}

let lastTurn: Promise<unknown> = Promise.resolve();

/** The bytes, verified file by file only. */
async function* assembled(layer: LayerInfo, context: StoreContext, signal: AbortSignal | undefined): ByteSource {
  const helped = helpFor(layer, context, streamLane);
  if (helped === undefined || !helped.lane.isFree) {
    yield* assembledHere(layer, context);
    return;
  }
  let given = 0;
  try {
    for await (const chunk of assembledThere(helped, signal)) {
      yield chunk;
      given += chunk.length;
    }
  } catch (error) {
    if (!helped.mayBeBelow(error)) throw error;
    yield* without(given, assembledHere(layer, context));
  }
}

async function* assembledHere(layer: LayerInfo, { driver, metadata }: StoreContext): ByteSource {
  const content = await driver.content(layer.cacheID);
  try {
    yield* assemble(readSplit(metadata.splitStream(layer.chainID)), content);
  } finally {
    content.close();
  }
}

async function* assembledThere({ plan, lane }: Help, signal: AbortSignal | undefined): ByteSource {
  const windows = sharedWindows(WINDOWS, ASSEMBLER_WINDOW);
  const taker = new WindowTaker(windows);
  using leaving = new FirstFailure(signal);
  const job = lane.run(
    "assemble",
    { plan, windows },
    { signal: leaving.signal, holdsProcess: false, onNote: (length) => taker.note(length) },
  );
  taker.follow(job);
  try {
    yield* taker.windows();
  } finally {
    // A reader who leaves early still has the layer held until nobody reads it any more.
    leaving.stop();
    await keepingAlive(Promise.allSettled([job]));
  }
}

/** What a worker needs to put a layer together. */
interface Help {
  readonly lane: WorkerLane;
  readonly plan: TarPlan;
  /** Whether this may have come up because a file is found only in the stack below, where a worker does not look. */
  mayBeBelow(error: unknown): boolean;
}

/** @returns `undefined` where a worker cannot help, or not enough to be worth it */
function helpFor(
  { size, cacheID, chainID }: LayerInfo,
  { driver, metadata, threads }: StoreContext,
  laneOf: (threads: number | undefined) => WorkerLane | undefined,
): Help | undefined {
  if (!hasPlainContent(driver) || metadata.splitPath === undefined) return undefined;
  const lane = laneOf(threads);
  if (lane === undefined) return undefined;
  if (threads === undefined && size < (lane.isWarm ? WORTH_HELP : WORTH_WORKER)) return undefined;
  const { directory, stacked } = driver.contentPlan(cacheID);
  return {
    lane,
    plan: { split: metadata.splitPath(chainID), directory },
    mayBeBelow: (error) => stacked && (isVarveError(error, "not-found") || isVarveError(error, "system")),
  };
}

/** More of them would take more memory than a save is to have. */
const MOST_WRITERS = 4;

function writingLane(threads: number | undefined): WorkerLane | undefined {
  return workerLane(threads, MOST_WRITERS);
}

/** Bytes of files from which on a layer is worth a new thread, or one that is there; measured on two cores. */
const WORTH_WORKER = 16 << 20;
const WORTH_HELP = 1 << 20;
/** As far as a worker is ahead of the reader, 4 MiB in all. */
const WINDOWS = 8;

async function* without(count: number, source: ByteSource): ByteSource {
  let left = count;
  for await (const chunk of source) {
    if (chunk.length > left) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

function explained(error: unknown, { chainID }: LayerInfo, { metadata }: StoreContext): unknown {
  const coded = asVarveError(error);
  if (!isVarveError(coded, "not-found") || metadata.layerStamp(chainID) !== undefined) return coded;
  return vanished(chainID, coded);
}
