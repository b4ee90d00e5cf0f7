import { closeSync, fsyncSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDirectory } from "../driver/home.ts";
import { asVarveError } from "../errors.ts";
import type { Identity } from "../fstree/id-map.ts";
import { SplitFile } from "../layer/split-file.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { syncDirectory } from "../sys/sync.ts";
import type { GraphID } from "./descriptor.ts";
import { type EntryFiles, type GraphFile, TRANSACTIONS } from "./entry-files.ts";
import { moveVisibly } from "./set-aside.ts";

/**
 * The files of an image that is being made, under its id in `_tmp` (FORMATS 11.3): they become the image by one rename.
 * What a dead process leaves there tells by its name which of the driver's trees goes with it.
 */
export class EntryDraft {
  readonly split: SplitFile;
  readonly #path: string;
  readonly #target: string;
  readonly #open = new Set<number>();
  readonly #sync: boolean;

  /** @param options.owner of the directory, which is for him alone */
  constructor(files: EntryFiles, id: GraphID, options: { readonly owner: Identity; readonly sync: boolean }) {
    this.#path = join(files.directory, TRANSACTIONS, id);
    this.#target = join(files.directory, id);
    this.#sync = options.sync;
    try {
      makeDirectory(this.#path, 0o700, options.owner);
      this.split = new SplitFile(this.#file("tar-data.json.gz"));
    } catch (error) {
      this.#close();
      removeTree(this.#path);
      throw asVarveError(error);
    }
  }

  write(name: GraphFile, content: Uint8Array | string): void {
    try {
      writeFileSync(this.#file(name), content);
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /** The visible step. The layer's tar-split must have ended. */
  publish(): void {
    try {
      if (this.#sync) for (const fd of this.#open) fsyncSync(fd);
      this.#close();
      if (this.#sync) syncDirectory(this.#path);
      moveVisibly(this.#path, this.#target, this.#sync);
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /** Takes back all of it. */
  async cancel(): Promise<void> {
    await this.abandon();
    removeTree(this.#path);
  }

  /** Leaves what there is to a later cleanup. */
  async abandon(): Promise<void> {
    await this.split.abort();
    this.#close();
  }

  #file(name: GraphFile): number {
    const fd = openSync(join(this.#path, name), "wx", 0o600);
    this.#open.add(fd);
    return fd;
  }

  #close(): void {
    for (const fd of this.#open) {
      this.#open.delete(fd);
      closeSync(fd);
    }
  }
}
