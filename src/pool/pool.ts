import { Worker } from "node:worker_threads";
import { throwIfCancelled } from "../io/byte-source.ts";
import type { Answer, Call } from "./wire.ts";
import { fromWire } from "./wire.ts";

/** The jobs that a worker's entry file serves (`serve.ts`): each gets plain data and gives plain data. */
export type Jobs = { readonly [name: string]: (input: never, task: Task) => Promise<unknown> };

/** The side of a running job that whoever asked for it sees. */
export interface Task {
  /** Tells something on the way, such as how far the job is. Comes before the result. */
  note(value: number): void;
  /** @throws VarveError `cancelled`. To be asked often by what never waits. */
  throwIfCancelled(): void;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Of the jobs that wait, the one that has most of it goes first; those that have the same in their order. 0 unless said. */
  readonly weight?: number | undefined;
  /**
   * Whether the process stays alive for the job, as it does unless told. A job that waits for its caller does not hold a
   * process whose program forgot the caller; then see `keepingAlive`.
   */
  readonly holdsProcess?: boolean | undefined;
  /** Told what the job notes. What it throws ends the job. */
  readonly onNote?: ((value: number) => void) | undefined;
}

/**
 * Worker threads for work that keeps a core busy with synchronous calls. `pool.ts` starts them, hands out jobs and ends
 * what is idle; `serve.ts` is the other end, in the worker; `wire.ts` is what passes between. What the jobs do is said
 * by the entry file, which lives with whoever needs them.
 *
 * A worker has one job at a time, the others wait, the weightiest first. Files go to a worker by descriptor,
 * which all threads of a process share; no content passes between threads. Workers start when there is a job for them,
 * end after some idle seconds, and do not keep the process alive in between.
 *
 * @example
 * const jobs = { double: async (n: number) => 2 * n }; // the file worker.js: serve(jobs)
 * const pool = new WorkerPool<typeof jobs>(new URL("./worker.js", import.meta.url));
 * console.log(await pool.lane(2).run("double", 21));
 */
export class WorkerPool<J extends Jobs> {
  readonly #entry: URL;
  readonly #workers = new Set<PoolWorker>();
  #queue: Waiting[] = [];

  /** @param entry a file of plain JavaScript that calls `serve` */
  constructor(entry: URL) {
    this.#entry = entry;
  }

  /** A way in for callers who want at most so many jobs at a time. All lanes share the workers. */
  lane(limit: number): Lane<J> {
    const lane = { limit, running: 0 };
    const pool = this;
    const busy = (): boolean => lane.running >= limit || this.#queue.length > 0;
    const idle = (): boolean => [...this.#workers].some(({ isIdle }) => isIdle);
    return {
      limit,
      get isFree() {
        return !busy() && (idle() || pool.#workers.size < limit);
      },
      get isWarm() {
        return !busy() && idle();
      },
      run: (job, input, options = {}) => this.#run(lane, job as string, input, options) as Promise<never>,
    };
  }

  async #run(
    lane: LaneState,
    job: string,
    input: unknown,
    { signal, onNote, weight = 0, holdsProcess = true }: RunOptions,
  ): Promise<unknown> {
    throwIfCancelled(signal);
    const flag = new Int32Array(new SharedArrayBuffer(4));
    let leave = (): void => {};
    const cancel = (): void => {
      Atomics.store(flag, 0, 1);
      leave();
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        const waiting: Waiting = { lane, weight, holdsProcess, call: { job, input, flag }, onNote, resolve, reject };
        leave = () => {
          if (!this.#queue.includes(waiting)) return;
          this.#queue = this.#queue.filter((other) => other !== waiting);
          reject(signal?.reason);
        };
        const behind = this.#queue.findIndex((other) => other.weight < weight);
        this.#queue.splice(behind < 0 ? this.#queue.length : behind, 0, waiting);
        this.#dispatch();
      });
    } catch (error) {
      throwIfCancelled(signal);
      throw error;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  #dispatch(): void {
    for (const waiting of [...this.#queue]) {
      const { lane } = waiting;
      if (lane.running >= lane.limit) continue;
      const worker = this.#idleWorker(lane.limit);
      if (worker === undefined) continue;
      this.#queue = this.#queue.filter((other) => other !== waiting);
      lane.running++;
      worker.take(waiting);
    }
  }

  #idleWorker(limit: number): PoolWorker | undefined {
    for (const worker of this.#workers) if (worker.isIdle) return worker;
    if (this.#workers.size >= limit) return undefined;
    const worker = new PoolWorker(this.#entry, {
      done: ({ lane }) => {
        lane.running--;
        this.#dispatch();
      },
      gone: () => {
        this.#workers.delete(worker);
        this.#dispatch();
      },
    });
    this.#workers.add(worker);
    return worker;
  }
}

export interface Lane<J extends Jobs> {
  readonly limit: number;
  /** Whether a job would begin now and not have to wait for others. */
  readonly isFree: boolean;
  /** Whether it would even begin without a new thread. */
  readonly isWarm: boolean;
  /** @throws VarveError whatever the job throws, coded; `cancelled` */
  run<Name extends keyof J>(
    job: Name,
    input: Parameters<J[Name]>[0],
    options?: RunOptions,
  ): Promise<Awaited<ReturnType<J[Name]>>>;
}

interface LaneState {
  readonly limit: number;
  running: number;
}

interface Waiting {
  readonly lane: LaneState;
  readonly weight: number;
  readonly holdsProcess: boolean;
  readonly call: Call;
  readonly onNote: ((value: number) => void) | undefined;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const IDLE_MS = 5000;
/** Of what a job makes little outlives its next window. With more room than that, Node lets it pile up. */
const YOUNG_MB = 8;

/** One thread and the job that it is at. */
class PoolWorker {
  readonly #worker: Worker;
  readonly #done: (job: Waiting) => void;
  readonly #gone: () => void;
  #job: Waiting | undefined;
  /** What a listener threw; the job is told to stop, and its caller gets this. */
  #refused: { readonly error: unknown } | undefined;
  #idle: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(entry: URL, on: { done(job: Waiting): void; gone(): void }) {
    this.#done = on.done;
    this.#gone = on.gone;
    // Descriptors that one thread opens are closed by another: none may be closed when a thread ends. And Node's flags
    // may be for the main program only: with --input-type no worker would start.
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MB };
    this.#worker = new Worker(entry, { trackUnmanagedFds: false, execArgv: [], resourceLimits });
    this.#worker.on("message", (answer: Answer) => this.#hear(answer));
    this.#worker.on("error", (error) => this.#end((job) => job.reject(error)));
    this.#worker.on("exit", (code) =>
      this.#end((job) => job.reject(new Error(`a worker ended with code ${code} in the middle of its work`))),
    );
    this.#worker.unref();
  }

  get isIdle(): boolean {
    return this.#job === undefined && !this.#ended;
  }

  take(job: Waiting): void {
    clearTimeout(this.#idle);
    this.#job = job;
    this.#refused = undefined;
    if (job.holdsProcess) this.#worker.ref();
    this.#worker.postMessage(job.call);
  }

  #hear(answer: Answer): void {
    if (answer.kind === "note") this.#note(answer.value);
    else if (this.#refused !== undefined) this.#settle((job) => job.reject(this.#refused?.error));
    else if (answer.kind === "done") this.#settle((job) => job.resolve(answer.value));
    else this.#settle((job) => job.reject(fromWire(answer.error)));
  }

  #note(value: number): void {
    if (this.#job === undefined || this.#refused !== undefined) return;
    try {
      this.#job.onNote?.(value);
    } catch (error) {
      this.#refused = { error };
      Atomics.store(this.#job.call.flag, 0, 1);
    }
  }

  #settle(tell: (job: Waiting) => void): void {
    const job = this.#job;
    if (job === undefined) return;
    tell(job);
    this.#job = undefined;
    this.#worker.unref();
    if (!this.#ended) this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
    this.#done(job);
  }

  /** Gets no more jobs, from the first sign of its end on. */
  #end(tell: (job: Waiting) => void = () => {}): void {
    if (!this.#ended) {
      this.#ended = true;
      clearTimeout(this.#idle);
      this.#gone();
      void this.#worker.terminate();
    }
    this.#settle(tell);
  }
}
