import { fstatSync, write } from "node:fs";
import type { Writable } from "node:stream";
import { promisify } from "node:util";
import { asVarveError } from "../errors.ts";
import { type ByteSource, writeAll } from "../io/byte-source.ts";

/** What is written at once; it comes in pieces that are much smaller. */
const BATCH = 1024 * 1024;

/**
 * Writes what comes over a connection to an open file or a stream, as `Store.saveTo` does: a regular file from its
 * beginning, and nothing is closed or ended. A file is written while the next bytes come in.
 *
 * @returns how many bytes there were
 */
export async function writeOut(output: number | Writable, source: ByteSource): Promise<number> {
  if (typeof output !== "number") return await writeAll(output, source);
  const isPlaced = isFile(output);
  let written = 0;
  let writing: Promise<void> = Promise.resolve();
  const begin = async (batch: Buffer): Promise<void> => {
    await writing;
    writing = writeWhole(output, batch, isPlaced ? written : null);
    writing.catch(() => {}); // told where it is awaited
    written += batch.length;
  };
  try {
    for await (const batch of batchesOf(source)) await begin(batch);
    await writing;
  } catch (error) {
    await writing.catch(() => {}); // nobody writes to the file any more
    throw asVarveError(error);
  }
  return written;
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch (error) {
    throw asVarveError(error);
  }
}

async function* batchesOf(source: ByteSource): AsyncGenerator<Buffer> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of source) {
    pieces.push(piece);
    length += piece.length;
    if (length < BATCH) continue;
    yield Buffer.concat(pieces, length);
    pieces = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(pieces, length);
}

async function writeWhole(fd: number, bytes: Buffer, position: number | null): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === null ? null : position + done;
    const { bytesWritten } = await writeFile(fd, bytes, done, bytes.length - done, at);
    done += bytesWritten;
  }
}

const writeFile = promisify(write);
