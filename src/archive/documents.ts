import { VarveError } from "../errors.ts";
import { type ArchiveLimits, type SettledLimits, settleLimits } from "./archive.ts";
import { type ArchiveFile, type ArchiveFiles, findFile, readFile } from "./archive-files.ts";
import { checkBlob } from "./archive-layer.ts";
import { placeFault } from "./fault-place.ts";
import { blobDigest } from "./oci.ts";

/** How many times the largest allowed document all documents of one archive may take. */
const SHARE = 8;

/** How many values they may hold together: in memory an empty one takes a hundred times what it takes in a document. */
const MAX_VALUES = 500_000;

/** Runs what looks into a document, and adds the document's name to what that complains of. */
export function inDocument<T>(path: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw placeFault(`"${path}"`, error);
  }
}

/**
 * Reads an archive's JSON documents, each once, and not more than a bounded sum of them. One that lies below `blobs/` must
 * have the digest that its path promises.
 */
export class Documents {
  readonly files: ArchiveFiles;
  readonly limits: SettledLimits;
  readonly signal: AbortSignal | undefined;
  readonly #read = new Map<string, Buffer>();
  #left: number;
  #values = 0;

  constructor(files: ArchiveFiles, limits: ArchiveLimits | undefined, signal: AbortSignal | undefined) {
    this.files = files;
    this.limits = settleLimits(limits);
    this.signal = signal;
    this.#left = this.limits.documentBytes * SHARE;
  }

  /** @returns `undefined` when nothing is at that path */
  async find(path: string): Promise<Buffer | undefined> {
    const known = this.#read.get(path);
    if (known !== undefined) return known;
    const file = findFile(this.files, path);
    return file === undefined ? undefined : await this.#keep(path, file);
  }

  /** @throws VarveError `invalid-archive` when nothing is at that path */
  async get(path: string): Promise<Buffer> {
    const bytes = await this.find(path);
    if (bytes !== undefined) return bytes;
    throw new VarveError("invalid-archive", `invalid archive: open ${path}: no such file or directory`, { path });
  }

  async #keep(path: string, file: ArchiveFile): Promise<Buffer> {
    const bytes = await readFile(file, this.limits.documentBytes, this.signal);
    this.#left -= bytes.length;
    this.#values += countValues(bytes, MAX_VALUES);
    if (this.#left < 0 || this.#values > MAX_VALUES)
      throw new VarveError("too-large", "invalid archive: its manifests and configs are too large together", { path });
    const promised = blobDigest(path);
    if (promised !== undefined) checkBlob(path, promised, bytes);
    this.#read.set(path, bytes);
    return bytes;
  }
}

/** At least as many values as JSON has that are no object's or array's first; up to a little more than `enough`. */
function countValues(bytes: Buffer, enough: number): number {
  let count = 0;
  for (let at = bytes.indexOf(COMMA); at >= 0 && count <= enough; at = bytes.indexOf(COMMA, at + 1)) count++;
  return count;
}

const COMMA = 0x2c;
