import type { ByteSource } from "../io/byte-source.ts";
import type { Task } from "./pool.ts";

/** Memory that two threads share, as plain data. */
export interface SharedWindows {
  readonly memory: SharedArrayBuffer;
  /** Bytes of one window. */
  readonly size: number;
  /** How many windows were emptied so far, of all that were filled. */
  readonly emptied: Int32Array;
}

export function sharedWindows(count: number, size: number): SharedWindows {
  return { memory: new SharedArrayBuffer(count * size), size, emptied: new Int32Array(new SharedArrayBuffer(4)) };
}

/**
 * The end of the worker: fills the windows in turn and notes how many bytes each has got. It waits, as only a worker may,
 * while all are full; so a slow reader costs no memory.
 */
export class WindowFiller {
  readonly #shared: SharedWindows;
  readonly #task: Task;
  #filled = 0;

  constructor(shared: SharedWindows, task: Task) {
    this.#shared = shared;
    this.#task = task;
  }

  /** The window to be filled now. @throws VarveError `cancelled` */
  next(): Buffer {
    const { memory, size, emptied } = this.#shared;
    const count = memory.byteLength / size;
    for (let done = Atomics.load(emptied, 0); this.#filled - done >= count; done = Atomics.load(emptied, 0)) {
      this.#task.throwIfCancelled();
      Atomics.wait(emptied, 0, done, PATIENCE_MS);
    }
    return Buffer.from(memory, (this.#filled % count) * size, size);
  }

  /** Hands the window over. */
  fill(length: number): void {
    this.#filled++;
    this.#task.note(length);
  }
}

/** Holds the process while it waits for a worker that does not. */
export async function keepingAlive<T>(work: Promise<T>): Promise<T> {
  const alive = setInterval(() => {}, LONG_MS);
  try {
    return await work;
  } finally {
    clearInterval(alive);
  }
}

/** As long as a timer can be set. */
const LONG_MS = 2 ** 31 - 1;

/** How long a job that waits may take to see that it was cancelled. */
const PATIENCE_MS = 100;

/** The other end: gives out the windows in order. Each is the worker's again when the next one is asked for. */
export class WindowTaker {
  readonly #shared: SharedWindows;
  readonly #lengths: number[] = [];
  #taken = 0;
  #ended: { readonly error: unknown } | "well" | undefined;
  #wake: () => void = () => {};

  constructor(shared: SharedWindows) {
    this.#shared = shared;
  }

  /** To be told what the worker notes. */
  note(length: number): void {
    this.#lengths.push(length);
    this.#wake();
  }

  /** To be told how the worker ended. */
  follow(job: Promise<unknown>): void {
    job.then(
      () => this.#end("well"),
      (error) => this.#end({ error }),
    );
  }

  /** What was filled, until the worker's end. @throws what the worker throws */
  async *windows(): ByteSource {
    const { memory, size, emptied } = this.#shared;
    const count = memory.byteLength / size;
    for (;;) {
      const length = this.#lengths.shift();
      if (length !== undefined) {
        yield Buffer.from(memory, (this.#taken++ % count) * size, length);
        Atomics.add(emptied, 0, 1);
        Atomics.notify(emptied, 0);
      } else if (this.#ended === "well") return;
      else if (this.#ended !== undefined) throw this.#ended.error;
      else
        await keepingAlive(
          new Promise<void>((resolve) => {
            this.#wake = resolve;
          }),
        );
    }
  }

  #end(how: { readonly error: unknown } | "well"): void {
    this.#ended = how;
    this.#wake();
  }
}
