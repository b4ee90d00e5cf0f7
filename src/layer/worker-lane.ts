import { availableParallelism } from "node:os";
import { appliesInParallel, type Driver, type ParallelApply } from "../driver/driver.ts";
import { type Lane, WorkerPool } from "../pool/pool.ts";
import type { identityJobs } from "./identity-jobs.ts";
import type { removalJobs } from "./removal-jobs.ts";
import type { StoreContext } from "./store-context.ts";
import type { tarJobs } from "./tar-jobs.ts";
import type { unpackJobs } from "./unpack-jobs.ts";

export type WorkerJobs = typeof unpackJobs & typeof tarJobs & typeof removalJobs & typeof identityJobs;
export type WorkerLane = Lane<WorkerJobs>;

/**
 * A way to the workers, which all stores of the process share.
 *
 * @param threads how many layers' worth of work may go on at a time; 0 for none
 * @param most what the caller's kind of work is to have at most
 * @returns `undefined` when there are to be no workers, or none can be started: a worker needs the built file beside
 *   this one, which is not there where the sources run as TypeScript, or inside a bundle
 */
export function workerLane(threads: number = DEFAULT_THREADS, most: number = threads): WorkerLane | undefined {
  if (!canHaveWorkers(threads)) return undefined;
  pool ??= new WorkerPool(ENTRY);
  return pool.lane(Math.min(threads, most));
}

/**
 * As `workerLane`, for work on so many bytes of layers. Unless a number of threads was asked for, little work gets none.
 *
 * @param threads as `LayerStoreOptions.threads`
 */
export function workerLaneFor(bytes: number, threads: number | undefined): WorkerLane | undefined {
  return threads === undefined && bytes < WORTH_WORKERS ? undefined : workerLane(threads);
}

/**
 * As `workerLane`, for jobs that wait for a reader, who may take his time. They have workers of their own, so that nobody who
 * has work to do stands behind them, and are not to be begun when no worker `isFree`.
 */
export function streamLane(threads: number = DEFAULT_THREADS): WorkerLane | undefined {
  if (!canHaveWorkers(threads)) return undefined;
  streamPool ??= new WorkerPool(ENTRY);
  return streamPool.lane(threads);
}

/** What `registerTogether` takes beside a layer store. */
export interface Workers {
  readonly lane: WorkerLane;
  readonly driver: Driver & ParallelApply;
}

/** @returns `undefined` where layers can only be registered one by one */
export function workersFor(bytes: number, { driver, threads }: StoreContext): Workers | undefined {
  if (!appliesInParallel(driver)) return undefined;
  const lane = workerLaneFor(bytes, threads);
  return lane && { lane, driver };
}

let pool: WorkerPool<WorkerJobs> | undefined;
let streamPool: WorkerPool<WorkerJobs> | undefined;
const ENTRY: URL = new URL("./worker.js", import.meta.url);

function canHaveWorkers(threads: number): boolean {
  return threads > 0 && import.meta.url.endsWith("/worker-lane.js");
}

/** Bytes below which starting workers takes more than they save; measured on two cores. */
const WORTH_WORKERS = 32 << 20;

/** Each worker costs some 15 MB, and a load is to stay below 200. */
const MOST_THREADS = 6;
/** On one core a worker would only take turns with the main thread. */
const DEFAULT_THREADS = availableParallelism() === 1 ? 0 : Math.min(availableParallelism(), MOST_THREADS);
