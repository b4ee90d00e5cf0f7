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
    // In the order in which Docker's clients see them.
    const attributes = Object.fromEntries(Object.entries(event.attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
    const line = JSON.stringify({ ...event, attributes, timeNano: nowNano() });
    appendFileSync(this.#path, `${line}\n`, { mode: 0o600 });
  }

  /**
   * The events from `since` to `until` (nanoseconds), oldest first. Without `until` it goes on as events happen, until
   * `signal` aborts.
   */
  async *read(
    options: { since?: bigint | undefined; until?: bigint | undefined; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<StoreEvent> {
    const { since = BigInt(nowNano()), until, signal } = options;
    let file = OpenLog.tryOpen(this.#earlier) ?? OpenLog.tryOpen(this.#path);
    try {
      for (;;) {
        const next = this.#behind(file);
        for (const event of file?.read() ?? []) if (inRange(event, since, until)) yield event;
        if (next !== undefined) {
          file?.close();
          file = next;
          continue;
        }
        if (until !== undefined && until <= BigInt(nowNano())) return;
        await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
      }
    } catch (error) {
      if (!isVarveError(asVarveError(error), "cancelled")) throw error;
    } finally {
      file?.close();
    }
  }

  /** The file that came after one to which nothing is added any more. Who was too slow may find that one gone. */
  #behind(file: OpenLog | undefined): OpenLog | undefined {
    if (file === undefined) return OpenLog.tryOpen(this.#path);
    const inode = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;
    if (inode(this.#path) === file.inode) return undefined;
    const earlier = inode(this.#earlier);
    return OpenLog.tryOpen(earlier === undefined || earlier === file.inode ? this.#path : this.#earlier);
  }

  #isFull(): boolean {
    return (statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) >= ROTATE_AT;
  }

  /** Whoever was quicker left a file that is not full. */
  #rotate(): void {
    using lock = FileLock.tryAcquire(this.#path, "exclusive");
    if (lock !== undefined && this.#isFull()) renameSync(this.#path, this.#earlier);
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

/** Whoever follows events and does not read on has so much in memory, and nothing is kept for him. */
const PIECE = 64 * 1024;

/** One file of events, as far as it has been read. */
class OpenLog {
  readonly inode: number;
  readonly #fd: number;
  #position = 0;

  static tryOpen(path: string): OpenLog | undefined {
    return existsSync(path) ? new OpenLog(openSync(path, "r")) : undefined;
  }

  private constructor(fd: number) {
    this.#fd = fd;
    this.inode = fstatSync(fd).ino;
  }

  /** What it has got since the last time, in whole lines. */
  *read(): Generator<StoreEvent> {
    for (let size = PIECE; ; ) {
      const bytes = Buffer.alloc(size);
      const text = bytes.subarray(0, readSync(this.#fd, bytes, 0, size, this.#position));
      const complete = text.subarray(0, text.lastIndexOf(10) + 1);
      if (complete.length === 0 && text.length < size) return;
      size = complete.length === 0 ? 2 * size : PIECE;
      this.#position += complete.length;
      yield* parseLines(complete);
    }
  }

  close(): void {
    closeSync(this.#fd);
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
