import { close, open, read, write } from "node:fs";
import type { Writable } from "node:stream";
import { promisify } from "node:util";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";

/**
 * Bytes on their way: every stage between asynchronous parts is an iterable of chunks, and a stage is a generator that
 * owns its own clean-up. `io/` holds the ends of such a way (files, pipes, memory), compression (compression.ts), and
 * the two ways in which state becomes visible on disk in one step: one file (atomic-file.ts) and a directory of files
 * (write-set.ts).
 *
 * A chunk is valid until the next one is asked for: its memory may be used again. Who keeps it copies it. Whoever does
 * not read to the end calls `return` on the iterator, as `break` does, so that files and children are closed.
 */
export type ByteSource = AsyncIterable<Uint8Array>;

const CHUNK_SIZE = 256 * 1024;

export interface FileSourceOptions {
  /** Where to begin. Without it a descriptor is read from where it stands, which a pipe needs. */
  readonly offset?: number | undefined;
  /** How many bytes must come; without it, all to the end. */
  readonly length?: number | undefined;
  /** 256 KiB unless said. */
  readonly chunkSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of a file. A path is opened on the first read and closed with the iterator; a descriptor stays open, and
 * with an `offset` several sources may read it at once.
 *
 * @throws VarveError `corrupt` when the file ends before `length` bytes have come
 */
export async function* fileSource(
  file: string | Buffer | number,
  options: FileSourceOptions = {},
): AsyncGenerator<Uint8Array> {
  const { offset, length = Number.POSITIVE_INFINITY, chunkSize = CHUNK_SIZE, signal } = options;
  try {
    const fd = typeof file === "number" ? file : await openFile(file, "r");
    try {
      const buffer = Buffer.allocUnsafeSlow(Math.min(chunkSize, Math.max(length, 1)));
      for (let done = 0; done < length; ) {
        throwIfCancelled(signal);
        const position = offset === undefined ? null : offset + done;
        const { bytesRead } = await readFile(fd, buffer, 0, Math.min(buffer.length, length - done), position);
        if (bytesRead === 0 && length !== Number.POSITIVE_INFINITY)
          throw new VarveError("corrupt", `unexpected end of file after ${done} of ${length} bytes`, { done, length });
        if (bytesRead === 0) return;
        done += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      if (typeof file !== "number") await closeFile(fd);
    }
  } catch (error) {
    throw namingFile(asVarveError(error), file);
  }
}

/** A read that fails knows its descriptor only. */
function namingFile(error: unknown, file: string | Buffer | number): unknown {
  if (typeof file === "number" || !isVarveError(error)) return error;
  const { code, message, details } = error;
  if (details.errno === undefined || details.path !== undefined) return error;
  const text = details.errno === "EISDIR" ? `read ${file}: is a directory` : `${message} '${file}'`;
  return new VarveError(code, text, { ...details, path: file.toString() }, error);
}

const openFile = promisify(open);
const closeFile = promisify(close);
const readFile = promisify(read);
const writeFile = promisify(write);

/** Chunks that are at hand. */
export async function* sourceOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** Chunks that stay as they are, for readers who are not told that the memory of one is used again for the next. */
export async function* copies(source: ByteSource): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield Buffer.from(chunk);
}

/**
 * The whole of a source in memory.
 *
 * @throws VarveError `too-large` once more than `limit` bytes have come
 */
export async function collect(source: ByteSource, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limit) throw new VarveError("too-large", `more than ${limit} bytes`, { limit });
    chunks.push(Uint8Array.prototype.slice.call(chunk));
  }
  return Buffer.concat(chunks, size);
}

/**
 * Takes the first bytes without losing them: `head` has `length` bytes, fewer only when the source is shorter. From then
 * on the source is open, and `whole` is to be read or returned.
 */
export async function peek(
  source: ByteSource,
  length: number,
): Promise<{ head: Buffer; whole: AsyncIterableIterator<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  let read = Buffer.alloc(0);
  while (read.length < length) {
    const step = await iterator.next();
    if (step.done) break;
    read = Buffer.concat([read, step.value]);
  }
  return { head: read.subarray(0, length), whole: continued(read, iterator) };
}

/**
 * A source that was begun by hand: what was read of it already, or what of that is wanted, and then the rest. Not a
 * generator, whose `return` would not reach the source before the first `next`.
 */
export function continued(first: Uint8Array, iterator: AsyncIterator<Uint8Array>): AsyncIterableIterator<Uint8Array> {
  let rest = first.length > 0 ? first : undefined;
  const source: AsyncIterableIterator<Uint8Array> = {
    async next() {
      if (rest === undefined) return await iterator.next();
      const value = rest;
      rest = undefined;
      return { done: false, value };
    },
    async return() {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => source,
  };
  return source;
}

/**
 * Writes a source to an open file, from where it stands, or to a stream, which is neither ended nor destroyed. Waits for
 * each chunk to be taken, so that a slow reader slows the source.
 *
 * @returns how many bytes were written
 */
export async function writeAll(target: number | Writable, source: ByteSource): Promise<number> {
  let size = 0;
  try {
    if (typeof target === "number") {
      for await (const chunk of source) {
        await writeToFile(target, chunk);
        size += chunk.length;
      }
    } else {
      using stream = new WaitingWriter(target);
      for await (const chunk of source) {
        await stream.write(chunk);
        size += chunk.length;
      }
    }
  } catch (error) {
    throw asVarveError(error);
  }
  return size;
}

async function writeToFile(fd: number, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await writeFile(fd, chunk, done, chunk.length - done, null);
    done += bytesWritten;
  }
}

/** Writes that end when the stream has taken the chunk, has failed, or was closed by the other side. */
class WaitingWriter {
  readonly #stream: Writable;
  #settle: (error?: Error | null) => void = () => {};

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", this.#onError).on("close", this.#onClose);
  }

  write(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = (error) => (error ? reject(error) : resolve());
      if (this.#stream.destroyed) this.#onClose();
      else this.#stream.write(chunk, this.#settle);
    });
  }

  readonly #onError = (error: Error): void => this.#settle(error);
  readonly #onClose = (): void =>
    this.#settle(this.#stream.errored ?? new VarveError("cancelled", "the output was closed before all was written"));

  [Symbol.dispose](): void {
    this.#stream.off("error", this.#onError).off("close", this.#onClose);
  }
}

/** Passes the source on until the signal fires, also while it waits for a chunk that may never come. */
export async function* abortable(source: ByteSource, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  throwIfCancelled(signal);
  const iterator = source[Symbol.asyncIterator]();
  let waiting = false;
  try {
    for (;;) {
      waiting = true;
      const step = await nextUnlessAborted(iterator, signal);
      waiting = false;
      if (step.done) return;
      yield step.value;
      throwIfCancelled(signal);
    }
  } finally {
    const closed = iterator.return?.();
    // A source that is stuck in its read would keep us here as well; it is told, and ends when it can.
    if (waiting) closed?.catch(() => undefined);
    else await closed;
  }
}

function nextUnlessAborted(
  iterator: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Uint8Array>> {
  if (signal === undefined) return iterator.next();
  return new Promise((resolve, reject) => {
    const abort = () => reject(cancelled(signal));
    signal.addEventListener("abort", abort, { once: true });
    const step = iterator.next();
    step.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** @throws VarveError `cancelled`, with the signal's reason as its cause */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal);
}

function cancelled(signal: AbortSignal): VarveError {
  return new VarveError("cancelled", "the operation was cancelled", {}, signal.reason);
}
