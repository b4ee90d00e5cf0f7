import { type ApplyOptions, TreeApplier } from "../fstree/apply.ts";
import { IdMap } from "../fstree/id-map.ts";
import { treeSize } from "../fstree/size.ts";
import { syncFileSystem } from "../sys/sync.ts";
import type { EntrySink } from "../tar/disassemble.ts";
import type { ApplierOptions, ApplyPlan, DiffApplier } from "./driver.ts";
import { coded } from "./home.ts";

export interface DirectoryApplierOptions extends ApplyOptions {
  /** A directory on the file system that `finish` brings to the disk; `undefined` to leave that to the kernel. */
  readonly syncHome?: string | undefined;
  /** Whether the layer's size is that of its files or what its headers say (FORMATS 2.3). */
  readonly size: "files" | "headers";
  /** Called once in the end, however it ends. */
  readonly close?: (() => Promise<void>) | undefined;
}

/** The applier of a plan, in whatever thread. */
export function applierOf(
  { directory, idRanges, ...how }: ApplyPlan,
  options: ApplierOptions & Pick<DirectoryApplierOptions, "syncHome">,
): DirectoryApplier {
  const idMap = idRanges && new IdMap(idRanges.uids, idRanges.gids);
  return new DirectoryApplier(directory, { ...how, ...options, idMap, size: "files" });
}

/** Applies a layer to a directory, for every driver that keeps directories. */
export class DirectoryApplier implements DiffApplier {
  readonly #root: string;
  readonly #options: DirectoryApplierOptions;
  readonly #applier: TreeApplier;
  #open = true;

  constructor(root: string, options: DirectoryApplierOptions) {
    this.#root = root;
    this.#options = options;
    this.#applier = coded(() => new TreeApplier(root, options));
  }

  get sink(): EntrySink {
    return this.#applier;
  }

  async finish(): Promise<number> {
    try {
      const size = coded(() => this.#finishTree());
      // One syncfs for all: measured, it beats fsync file by file from some thirty files on, and takes in the tree's links.
      if (this.#options.syncHome !== undefined) syncFileSystem(this.#options.syncHome);
      await this.#close();
      return size;
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    try {
      this.#applier.abort();
    } finally {
      await this.#close();
    }
  }

  #finishTree(): number {
    const { headerSize, madeSize } = this.#applier.finish();
    if (this.#options.size === "headers") return headerSize;
    return madeSize ?? treeSize(this.#root);
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#options.close?.();
  }
}
