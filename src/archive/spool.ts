import { closeSync, ftruncateSync, mkdirSync, openSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { randomID } from "../digest/random-id.ts";
import { asVarveError, VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { ArchiveIndex, ArchiveIndexer } from "./archive-index.ts";

export interface SpoolOptions {
  /** Where the file lies; made if it is not there. */
  readonly directory: string;
  /** Bytes that the archive may have. */
  readonly bytes: number;
  /** How many members it may have. */
  readonly members: number;
}

/** What follows an archive's end is still taken from its writer, who may not expect to be cut off; but only so much of it. */
const MAX_TAIL = 64 << 20;

/**
 * Keeps a tar that comes as a stream in a file without a name, since its members will be read in another order. Nothing
 * is left of it once the index is closed, in whatever way this process ends. Runs of zeros become holes.
 *
 * @throws VarveError `invalid-archive` as soon as the stream is seen to be no tar, `too-large`, `no-space`
 */
export async function spoolArchive(source: ByteSource, options: SpoolOptions): Promise<ArchiveIndex> {
  const fd = openNameless(options.directory);
  try {
    const indexer = new ArchiveIndexer(options.members);
    let size = 0;
    let tail = 0;
    for await (const chunk of source) {
      if (indexer.ended) {
        tail += chunk.length;
        if (tail > MAX_TAIL) break;
        continue;
      }
      if (size + chunk.length > options.bytes) throw tooLarge(options.bytes);
      indexer.write(chunk);
      writeAround(fd, chunk, size);
      size += chunk.length;
    }
    indexer.end();
    ftruncateSync(fd, size);
    return new ArchiveIndex(fd, indexer.tree);
  } catch (error) {
    closeSync(fd);
    throw asVarveError(error);
  }
}

function tooLarge(limit: number): VarveError {
  return new VarveError("too-large", `the archive is larger than the ${limit} bytes that are allowed`, { limit });
}

function openNameless(directory: string): number {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, `varve-spool-${randomID().slice(0, 16)}`);
    const fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    return fd;
  } catch (error) {
    throw asVarveError(error);
  }
}

const PIECE = 64 * 1024;
const ZEROS: Buffer = Buffer.alloc(PIECE);

/** Writes what is not zero. */
function writeAround(fd: number, chunk: Uint8Array, position: number): void {
  for (let at = 0; at < chunk.length; at += PIECE) {
    const piece = chunk.subarray(at, at + PIECE);
    if (ZEROS.subarray(0, piece.length).equals(piece)) continue;
    for (let done = 0; done < piece.length; )
      done += writeSync(fd, piece, done, piece.length - done, position + at + done);
  }
}
