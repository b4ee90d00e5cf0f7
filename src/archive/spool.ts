import { closeSync, ftruncateSync, mkdirSync, openSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { randomID } from "../digest/random-id.ts";
import { asVarveError, VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";

/**
 * Keeps a stream in a file without a name, for whoever has to read it in another order than it came. Nothing is left
 * of it once its descriptor is closed, in whatever way this process ends. Runs of zeros become holes.
 *
 * @param directory where the file lies; made if it is not there
 * @param limit bytes that the stream may have
 * @returns a descriptor, for the caller to close
 * @throws VarveError `too-large`, `no-space`
 */
export async function spool(
  source: ByteSource,
  directory: string,
  limit: number,
): Promise<{ readonly fd: number; readonly size: number }> {
  const fd = openNameless(directory);
  try {
    let size = 0;
    for await (const chunk of source) {
      if (size + chunk.length > limit)
        throw new VarveError("too-large", `the archive is larger than the ${limit} bytes that are allowed`, { limit });
      writeAround(fd, chunk, size);
      size += chunk.length;
    }
    ftruncateSync(fd, size);
    return { fd, size };
  } catch (error) {
    closeSync(fd);
    throw asVarveError(error);
  }
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
