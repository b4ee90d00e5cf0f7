import { chmodSync, existsSync, renameSync } from "node:fs";
import type { ChainID } from "../digest/chain-id.ts";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import type { WriteSet } from "../io/write-set.ts";
import type { LayerRecord, LayerTransaction, MountRecord, MountTransaction } from "./metadata.ts";
import { layerFiles, mountFiles } from "./record-files.ts";
import { SplitFile } from "./split-file.ts";

/**
 * A layer's record in a write set (FORMATS 0.5). The cache-id is the first file, long before the record is complete: if
 * the process dies, whoever finds the write set without its lock knows which tree goes with it.
 */
export class LayerDraft implements LayerTransaction {
  readonly splitDescriptor: number;
  #split: SplitFile | undefined;
  readonly #files: WriteSet;
  readonly #pathOf: (chain: ChainID) => string;

  constructor(files: WriteSet, cacheID: string, pathOf: (chain: ChainID) => string) {
    this.#files = files;
    this.#pathOf = pathOf;
    files.write("cache-id", cacheID);
    this.splitDescriptor = files.file("tar-split.json.gz");
  }

  get split(): SplitFile {
    this.#split ??= new SplitFile(this.splitDescriptor);
    return this.#split;
  }

  async write(record: LayerRecord): Promise<void> {
    await this.#split?.end();
    for (const [name, text] of layerFiles(record)) if (name !== "cache-id") this.#files.write(name, text);
    this.#files.sync();
  }

  async commit(chain: ChainID): Promise<void> {
    publish(this.#files, this.#pathOf(chain), chain);
  }

  async cancel(): Promise<void> {
    await this.#split?.abort();
    this.#files.cancel();
  }

  async abandon(): Promise<void> {
    await this.#split?.abort();
    this.#files.close();
  }
}

/** A writable layer's record in a write set. All but the parent is written first, for the same reason. */
export class MountDraft implements MountTransaction {
  readonly #files: WriteSet;
  readonly #pathOf: (name: string) => string;

  constructor(files: WriteSet, record: MountRecord, pathOf: (name: string) => string) {
    this.#files = files;
    this.#pathOf = pathOf;
    for (const [name, text] of mountFiles(record)) files.write(name, text);
  }

  async commit(name: string): Promise<void> {
    // Docker makes this directory by itself, not in a write set, whose mode layers keep.
    chmodSync(this.#files.path, 0o755);
    publish(this.#files, this.#pathOf(name), name);
  }

  async cancel(): Promise<void> {
    this.#files.cancel();
  }

  async abandon(): Promise<void> {
    this.#files.close();
  }
}

function publish(files: WriteSet, target: string, name: string): void {
  try {
    files.commit(target);
  } catch (error) {
    if (["EEXIST", "ENOTEMPTY", "ENOTDIR"].includes(errnoOf(error) ?? ""))
      throw new VarveError("already-exists", `${name} has a record already`, { name, path: target }, error);
    // The record is visible, but not for certain on the disk: what is not promised must not be seen.
    if (!existsSync(files.path)) renameSync(target, files.path);
    throw asVarveError(error);
  }
}
