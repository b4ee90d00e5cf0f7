import { writeSync } from "node:fs";
import type { ChainID, DiffID } from "../digest/chain-id.ts";
import { Digester } from "../digest/digest.ts";
import { TreeContent } from "../driver/tree-content.ts";
import { asVarveError, VarveError } from "../errors.ts";
import { fileSource } from "../io/byte-source.ts";
import type { Task } from "../pool/pool.ts";
import { type SharedWindows, WindowFiller } from "../pool/windows.ts";
import { beginSync } from "../sys/sync.ts";
import { assemble, readSplit } from "../tar/assemble.ts";
import { tarLength } from "../tar/tar-length.ts";

/** Which layer it is, for verifying it and for the errors. */
export interface LayerIdentity {
  readonly chainID: ChainID;
  readonly diffID: DiffID;
  readonly cacheID: string;
}

/** A layer's tar that any thread can put together: the file of its tar-split and the directory of its files. */
export interface TarPlan {
  readonly split: string;
  readonly directory: string;
}

/** A part of a file that a tar is to fill. */
export interface TarPlace {
  /** Open for writing. */
  readonly fd: number;
  readonly offset: number;
  readonly size: number;
}

/** How the workers give layers back. */
export const tarJobs = {
  /** How long the tar is. */
  async measure({ split }: { split: string }): Promise<number> {
    return await tarLength(fileSource(split));
  },

  /** Puts the tar together for another thread, which is to verify its DiffID. Each file is verified by its CRC. */
  async assemble({ plan, windows }: { plan: TarPlan; windows: SharedWindows }, task: Task): Promise<void> {
    const filler = new WindowFiller(windows, task);
    const content = new TreeContent(plan.directory);
    try {
      const tar = assemble(readSplit(fileSource(plan.split)), content, () => filler.next());
      for await (const chunk of tar) filler.fill(chunk.length);
    } finally {
      content.close();
    }
  },

  /** Puts the tar into its place and verifies it. Notes the bytes written. */
  async write(
    { layer, plan, place }: { layer: LayerIdentity; plan: TarPlan; place: TarPlace },
    task: Task,
  ): Promise<void> {
    const writer = new PlaceWriter(layer, place);
    const content = new TreeContent(plan.directory);
    let noted = 0;
    try {
      for await (const chunk of assemble(readSplit(fileSource(plan.split)), content)) {
        task.throwIfCancelled();
        const done = writer.write(chunk);
        if (done - noted < NOTE) continue;
        task.note(done);
        noted = done;
      }
      writer.end();
      task.note(place.size);
    } finally {
      content.close();
    }
  },
};

/** Bytes between two notes, each of which wakes the main thread. */
const NOTE = 4 << 20;

/** Bytes that are sent on their way to the disk at once, beside the work that follows. */
const BATCH = 16 << 20;

/** Fills a place in a file with a layer's tar, and sees at the end whether it was the layer's. */
export class PlaceWriter {
  readonly #layer: LayerIdentity;
  readonly #place: TarPlace;
  readonly #digester = new Digester();
  #done = 0;
  /** Bytes that are on their way to the disk. */
  #begun = 0;

  constructor(layer: LayerIdentity, place: TarPlace) {
    this.#layer = layer;
    this.#place = place;
  }

  /** @returns how many bytes there were so far @throws VarveError `corrupt` for more than there is room for */
  write(chunk: Uint8Array): number {
    const { fd, offset, size } = this.#place;
    if (this.#done + chunk.length > size) throw wrongSize(this.#layer.diffID, size);
    this.#digester.update(chunk);
    try {
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at, chunk.length - at, offset + this.#done + at);
    } catch (error) {
      throw asVarveError(error);
    }
    this.#done += chunk.length;
    if (this.#done - this.#begun >= BATCH) this.#beginSync();
    return this.#done;
  }

  /** @throws VarveError `corrupt` */
  end(): void {
    this.#beginSync();
    if (this.#digester.digest() !== this.#layer.diffID) throw wrongLayer(this.#layer);
    if (this.#done !== this.#place.size) throw wrongSize(this.#layer.diffID, this.#place.size);
  }

  #beginSync(): void {
    beginSync(this.#place.fd, this.#place.offset + this.#begun, this.#done - this.#begun);
    this.#begun = this.#done;
  }
}

/** A layer whose tar-split did not hold what it announced. */
export function wrongSize(diffID: DiffID, size: number): VarveError {
  return new VarveError("corrupt", `layer ${diffID} does not have the ${size} bytes that were counted`, { diffID });
}

export function wrongLayer({ diffID, chainID, cacheID }: LayerIdentity): VarveError {
  return new VarveError(
    "corrupt",
    `could not verify layer data for: ${diffID}. This may be because internal files in the layer store were modified. ` +
      "Re-pulling or rebuilding this image may resolve the issue",
    { chainID, diffID, cacheID },
  );
}
