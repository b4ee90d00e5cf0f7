import type { Writable } from "node:stream";
import { progressBar } from "../engine/progress-bar.ts";
import { formatGo, type GoStruct } from "../json/go-value.ts";
import { messageFor } from "./answer.ts";

/** No message sooner after the one before, and none for fewer bytes: FORMATS 13.1. */
const PAUSE_MS = 100;
const STEP_BYTES = 512 * 1024;

/**
 * Docker's stream of JSON messages, as long work is told to a client (FORMATS 13).
 *
 * Progress is dropped rather than kept for a client that does not read, so that a slow one costs no memory; what must be
 * said is written whatever happens.
 */
export class MessageStream {
  readonly #output: Writable;
  readonly #now: () => number;
  readonly #told = new Map<string, { bytes: number; time: number }>();

  constructor(output: Writable, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  /** A line for a person, with its line end. */
  text(line: string): void {
    this.#write({ stream: line });
  }

  status(status: string): void {
    this.#write({ status });
  }

  /**
   * How far one of several things has come. Most of what is told here is passed over; its end never is.
   *
   * @param id of the thing, such as twelve characters of a layer's DiffID
   */
  progress(id: string, action: string, current: number, total: number): void {
    const last = this.#told.get(id);
    const time = this.#now();
    const isEnd = current === total;
    const step = total > 0 ? Math.min(STEP_BYTES, Math.trunc(total / 100)) : STEP_BYTES;
    const isDue = last === undefined || (current - last.bytes > step && time - last.time >= PAUSE_MS);
    if (!isEnd && (!isDue || this.#output.writableNeedDrain)) return;
    this.#told.set(id, { bytes: current, time });
    const progressDetail = { current, ...(total > 0 ? { total } : {}) };
    this.#write({ status: action, progressDetail, progress: progressBar({ current, total }), id });
  }

  /** The last message of work that failed when its answer had begun. */
  failure(error: unknown): void {
    const message = messageFor(error);
    this.#write({ errorDetail: { message }, error: message });
  }

  #write(message: GoStruct): void {
    this.#output.write(Buffer.concat([formatGo(message), Buffer.from("\r\n")]));
  }
}
