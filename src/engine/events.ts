import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { asVarveError, isVarveError } from "../errors.ts";
import { FileLock } from "../sys/lock.ts";

/**
 * What happened on a root, in the shape of Docker's events: one JSON line each in `<root>/varve/events.jsonl`, so that
 * every process sees the events of all. At `ROTATE_AT` bytes the file becomes the one earlier file that is kept.
 */
export interface StoreEvent {
  readonly type: "image" | "container" | "volume";
  readonly action: string;
  /** Image or container id, or a volume's name; empty where it is about none, as for `prune`. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch, as text: they pass the range of exact numbers. */
  readonly timeNano: string;
}

const ROTATE_AT = 4 * 1024 * 1024;
const POLL_MS = 200;

export class EventLog {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  append(event: Omit<StoreEvent, "timeNano">): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    if (this.#isFull()) this.#rotate();
    appendFileSync(this.#path, `${JSON.stringify({ ...event, timeNano: nowNano() })}\n`, { mode: 0o600 });
  }

  /**
   * The events from `since` to `until` (nanoseconds), oldest first. Without `until` it goes on as events happen, until
   * `signal` aborts.
   */
  async *read(
    options: { since?: bigint | undefined; until?: bigint | undefined; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<StoreEvent> {
    const { since = BigInt(nowNano()), until, signal } = options;
    let position = 0;
    let inode: number | undefined;
    for (const event of parseLines(readFrom(this.#earlier, 0))) if (inRange(event, since, until)) yield event;
    for (;;) {
      const stat = statSync(this.#path, { throwIfNoEntry: false });
      if (stat !== undefined && (stat.ino !== inode || stat.size > position)) {
        if (inode !== undefined && inode !== stat.ino) {
          // The rest of the file that became the earlier one since we looked.
          for (const event of parseLines(this.#endOf(inode, position))) if (inRange(event, since, until)) yield event;
          position = 0;
        }
        inode = stat.ino;
        const text = readFrom(this.#path, position);
        const complete = text.subarray(0, text.lastIndexOf(10) + 1);
        position += complete.length;
        for (const event of parseLines(complete)) if (inRange(event, since, until)) yield event;
      }
      if (until !== undefined && until <= BigInt(nowNano())) return;
      try {
        await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
      } catch (error) {
        if (isVarveError(asVarveError(error), "cancelled")) return;
        throw error;
      }
    }
  }

  #isFull(): boolean {
    return (statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) >= ROTATE_AT;
  }

  /** Whoever was quicker left a file that is not full. */
  #rotate(): void {
    using lock = FileLock.tryAcquire(this.#path, "exclusive");
    if (lock !== undefined && this.#isFull()) renameSync(this.#path, this.#earlier);
  }

  #endOf(inode: number, position: number): Buffer {
    if (statSync(this.#earlier, { throwIfNoEntry: false })?.ino !== inode) return Buffer.alloc(0);
    return readFrom(this.#earlier, position);
  }

  get #earlier(): string {
    return `${this.#path}.1`;
  }
}

/** Later at each call, also within one tick of the clock. */
function nowNano(): string {
  const now = BigInt(Date.now()) * 1_000_000n;
  last = now > last ? now : last + 1n;
  return `${last}`;
}

let last = 0n;

function inRange(event: StoreEvent, since: bigint, until: bigint | undefined): boolean {
  const time = BigInt(event.timeNano);
  return time >= since && (until === undefined || time <= until);
}

/** What a file has from there on; nothing when it is missing. */
function readFrom(path: string, position: number): Buffer {
  if (!existsSync(path)) return Buffer.alloc(0);
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(fd).size - position));
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, position));
  } finally {
    closeSync(fd);
  }
}

/** A line that a dying process left half-written is passed over, with what another one then wrote behind it. */
function* parseLines(bytes: Buffer): Generator<StoreEvent> {
  for (const line of bytes.toString("utf8").split("\n")) {
    const event = parseLine(line);
    if (event !== undefined) yield event;
  }
}

function parseLine(line: string): StoreEvent | undefined {
  try {
    return line === "" ? undefined : (JSON.parse(line) as StoreEvent);
  } catch {
    return undefined;
  }
}
