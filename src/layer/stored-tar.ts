import { readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { Digest } from "../digest/digest.ts";
import { asVarveError, VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { type Compression, sniffCompression } from "../io/compression.ts";

/** A layer's tar, compressed or not, that lies in a file and is read in place, by whatever thread. */
export interface StoredTar extends Disposable {
  readonly range: FileRange;
  /** Bytes that the tar may have uncompressed. */
  readonly limit: number;
  /** What somebody promised of the bytes as they lie there. */
  readonly digest: Digest | undefined;
}

/** A part of an open file. */
export interface FileRange {
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
}

export function compressionOf({ fd, offset, length }: FileRange): Compression {
  const head = Buffer.alloc(Math.min(HEAD, length));
  return sniffCompression(head.subarray(0, readSync(fd, head, 0, head.length, offset)));
}

/** As many bytes as tell a compression. */
const HEAD = 16;

/**
 * The bytes of a range by synchronous calls, for threads that have nothing else to do. The event loop gets its turn now
 * and then, so that what the thread pool has finished is taken on.
 *
 * @param onBytes told before each chunk how many came before it; what it throws ends the reading
 * @throws VarveError `corrupt` when the file ends before
 */
export async function* readInPlace(range: FileRange, onBytes: (done: number) => void): ByteSource {
  const { length } = range;
  const window = Buffer.allocUnsafeSlow(Math.min(WINDOW, Math.max(length, 1)));
  for (let done = 0; done < length; ) {
    onBytes(done);
    const count = readAt(range, done, window);
    yield window.subarray(0, count);
    done += count;
    if (done % BREATH < count) await setImmediate();
  }
}

/** Reads a range through, as `readInPlace` does, without a pause. */
export function scan(range: FileRange, take: (bytes: Uint8Array) => void): void {
  const window = Buffer.allocUnsafeSlow(Math.min(WINDOW, Math.max(range.length, 1)));
  for (let done = 0; done < range.length; ) {
    const count = readAt(range, done, window);
    take(window.subarray(0, count));
    done += count;
  }
}

function readAt({ fd, offset, length }: FileRange, done: number, window: Buffer): number {
  try {
    const count = readSync(fd, window, 0, Math.min(window.length, length - done), offset + done);
    if (count > 0) return count;
  } catch (error) {
    throw asVarveError(error);
  }
  throw new VarveError("corrupt", `unexpected end of file after ${done} of ${length} bytes`, { done, length });
}

const WINDOW = 512 << 10;
const BREATH = 4 << 20;
