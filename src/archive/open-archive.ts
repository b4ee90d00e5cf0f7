import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import { type ByteSource, fileSource } from "../io/byte-source.ts";
import { decompress, sniffCompression } from "../io/compression.ts";
import { type ArchiveLimits, settleLimits } from "./archive.ts";
import { ArchiveDirectory } from "./archive-directory.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import { indexFile } from "./archive-index.ts";
import { placeFault } from "./fault-place.ts";
import { spoolArchive } from "./spool.ts";

/** The path of an archive, of a directory with one unpacked, of a pipe; or the bytes of one as they come. */
export type ArchiveInput = string | ByteSource;

export interface OpenOptions {
  /** A directory for what must be kept on disk meanwhile. */
  readonly temporary: string;
  readonly limits?: ArchiveLimits | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes an archive's files accessible, in whatever form it comes: a tar on disk is read in place, a directory as it is,
 * and everything else (a pipe, a tar that is compressed as a whole) is kept in a nameless file first.
 *
 * @throws VarveError `invalid-archive`, `not-found`, `too-large`, `cancelled`
 */
export async function openArchive(input: ArchiveInput, options: OpenOptions): Promise<ArchiveFiles> {
  try {
    return await open(input, options);
  } catch (error) {
    throw isVarveError(error, "invalid-archive") ? placeFault("invalid archive", error) : error;
  }
}

async function open(input: ArchiveInput, options: OpenOptions): Promise<ArchiveFiles> {
  if (typeof input !== "string") return await openStream(input, options);
  const stat = statInput(input);
  if (stat.isDirectory()) return new ArchiveDirectory(input);
  if (!stat.isFile()) return await openStream(fileSource(input), options);
  const fd = openInput(input);
  let indexed = false;
  try {
    if (sniffCompression(readHead(fd)) !== "none") return await openStream(fileSource(fd, { offset: 0 }), options);
    indexed = true;
  } finally {
    if (!indexed) closeSync(fd);
  }
  const { members } = settleLimits(options.limits);
  return await indexFile(fd, fstatSync(fd).size, { members, signal: options.signal });
}

async function openStream(source: ByteSource, options: OpenOptions): Promise<ArchiveFiles> {
  const { members, spoolBytes } = settleLimits(options.limits);
  const { signal, temporary } = options;
  return await spoolArchive(decompress(source, { signal }), { directory: temporary, bytes: spoolBytes, members });
}

/** As many bytes as tell a compression. */
const HEAD = 16;

function readHead(fd: number): Buffer {
  const head = Buffer.alloc(HEAD);
  return head.subarray(0, readSync(fd, head, 0, HEAD, 0));
}

function statInput(path: string): ReturnType<typeof statSync> & object {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new VarveError("not-found", `open ${path}: no such file or directory`, { path });
  return stat;
}

function openInput(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw asVarveError(error);
  }
}
