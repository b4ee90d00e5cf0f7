import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, VarveError } from "../../errors.ts";
import type { Change } from "../../fstree/changes.ts";
import { treeSize } from "../../fstree/size.ts";
import { replaceFile } from "../../io/atomic-file.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { syncFileSystemMeanwhile } from "../../sys/sync.ts";
import { backingFileSystem } from "../backing-file-system.ts";
import { applierOf } from "../directory-applier.ts";
import {
  type ApplierOptions,
  type ApplyPlan,
  type ContentPlan,
  checkID,
  type DiffApplier,
  type Driver,
  type DriverOptions,
  isUsableID,
  type LayerContent,
  noTree,
  type ParallelApply,
  type PlainContent,
  type RemoveOptions,
  type View,
} from "../driver.ts";
import { coded, directoriesIn, makeDirectory, makeHome, rootIdentity } from "../home.ts";
import { TreeContent } from "../tree-content.ts";

/**
 * Varve's own driver for ordinary users: `<root>/rootless/<id>/` holds `diff`, the files of one layer as far as their
 * owner may have them, and `parent`, the id below, absent for a base layer. Owners, devices and privileged attributes
 * are left out and modes are widened to what the owner needs; deletions stay files named `.wh.…`. The tar-split keeps all that, so
 * that layers still come out byte for byte. Nothing can be mounted: stacks cannot be seen whole, nor written. No
 * dockerd knows the directory.
 */
export class RootlessDriver implements Driver, ParallelApply, PlainContent {
  readonly name = "rootless";
  readonly home: string;
  readonly idMap = undefined;
  readonly appliesInParallel = true;
  readonly #durable: boolean;

  constructor({ home, idMap, durability }: DriverOptions) {
    if (idMap !== undefined)
      throw new VarveError("unsupported", "the rootless driver keeps no owners, so it cannot map them (userns-remap)");
    this.home = home;
    this.#durable = durability !== "none";
  }

  async create(id: string, parent?: string): Promise<void> {
    checkID(id);
    if (parent !== undefined) this.#mustExist(parent);
    coded(() => this.#create(id, parent));
  }

  async createReadWrite(): Promise<void> {
    throw needsMounts("a writable layer");
  }

  async remove(id: string, { removeTree: remove = removeTree }: RemoveOptions = {}): Promise<void> {
    checkID(id);
    await remove(this.#path(id));
  }

  exists(id: string): boolean {
    return isUsableID(id) && existsSync(this.#path(id));
  }

  ids(): string[] {
    return directoriesIn(this.home);
  }

  async get(id: string): Promise<string> {
    this.#mustExist(id);
    if (existsSync(this.#path(id, "parent"))) throw needsMounts("a layer on top of others, seen as one directory,");
    return this.#path(id, "diff");
  }

  async put(id: string): Promise<void> {
    this.#mustExist(id);
  }

  async view(id: string): Promise<View> {
    return { path: await this.get(id), close: () => undefined };
  }

  async applier(id: string, _parent?: string, { limits, onWarning }: ApplierOptions = {}): Promise<DiffApplier> {
    this.#mustExist(id);
    return applierOf(this.applyPlan(id), { limits, onWarning, syncHome: this.#durable ? this.home : undefined });
  }

  applyPlan(id: string): ApplyPlan {
    this.#mustExist(id);
    return { directory: this.#path(id, "diff"), semantics: "keep-whiteouts", unprivileged: true };
  }

  async syncTrees(): Promise<void> {
    if (this.#durable) await syncFileSystemMeanwhile(this.home);
  }

  async restack(id: string, parent: string): Promise<void> {
    this.#mustExist(id);
    this.#mustExist(parent);
    replaceFile(this.#path(id, "parent"), parent, { mode: 0o644, sync: this.#durable });
  }

  async diff(): Promise<ByteSource> {
    throw needsMounts("a new tar of a layer");
  }

  async changes(): Promise<Change[]> {
    throw needsMounts("comparing layers");
  }

  async diffSize(id: string): Promise<number> {
    this.#mustExist(id);
    return coded(() => treeSize(this.#path(id, "diff")));
  }

  async content(id: string): Promise<LayerContent> {
    const { directory } = this.contentPlan(id);
    return coded(() => new TreeContent(directory));
  }

  contentPlan(id: string): ContentPlan {
    this.#mustExist(id);
    return { directory: this.#path(id, "diff"), stacked: false };
  }

  async metadata(id: string): Promise<Record<string, string>> {
    this.#mustExist(id);
    return { UpperDir: this.#path(id, "diff") };
  }

  status(): [string, string][] {
    return [["Backing Filesystem", backingFileSystem(this.home)]];
  }

  async cleanup(): Promise<void> {}

  #path(id: string, ...names: string[]): string {
    return join(this.home, id, ...names);
  }

  #mustExist(id: string): void {
    checkID(id);
    if (!this.exists(id)) throw noTree(id, this.#path(id));
  }

  #create(id: string, parent: string | undefined): void {
    const owner = rootIdentity(undefined);
    makeHome(this.home, 0o710, owner);
    try {
      makeDirectory(this.#path(id), 0o710, owner);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      throw new VarveError("already-exists", `layer already exists: ${id}`, { id }, error);
    }
    try {
      makeDirectory(this.#path(id, "diff"), 0o755, owner);
      if (parent !== undefined) writeFileSync(this.#path(id, "parent"), parent);
    } catch (error) {
      removeTree(this.#path(id));
      throw error;
    }
  }
}

function needsMounts(what: string): VarveError {
  return new VarveError("permission", `${what} needs root and the overlay2 or vfs driver`, { what });
}
