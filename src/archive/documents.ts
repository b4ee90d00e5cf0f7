import { VarveError } from "../errors.ts";
import { type ArchiveLimits, type SettledLimits, settleLimits } from "./archive.ts";
import { type ArchiveFile, type ArchiveFiles, findFile, readFile } from "./archive-files.ts";

import { checkBlob } from "./archive-layer.ts";
import { blobDigest } from "./oci.ts";

/** How many times the largest allowed document all documents of one archive may take. */
const SHARE = 8;

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
    if (this.#left < 0)
      throw new VarveError("too-large", "invalid archive: its manifests and configs are too large together", { path });
    const promised = blobDigest(path);
    if (promised !== undefined) checkBlob(path, promised, bytes);
    this.#read.set(path, bytes);
    return bytes;
  }
}
