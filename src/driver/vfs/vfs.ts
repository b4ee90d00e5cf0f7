import { existsSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, VarveError } from "../../errors.ts";
import type { Change } from "../../fstree/changes.ts";
import { copyTree } from "../../fstree/copy-tree.ts";
import type { IdMap } from "../../fstree/id-map.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { syncFileSystem } from "../../sys/sync.ts";
import { DirectoryApplier } from "../directory-applier.ts";
import {
  type ApplierOptions,
  type ContentPlan,
  checkID,
  type DiffApplier,
  type Driver,
  type DriverOptions,
  isUsableID,
  type LayerContent,
  noTree,
  type PlainContent,
  type RemoveOptions,
  type View,
} from "../driver.ts";
import {
  coded,
  directoriesIn,
  groupOnly,
  makeDirectory,
  makeHome,
  makeMissingDirectory,
  needsRoot,
  rootIdentity,
} from "../home.ts";
import { naiveChanges, naiveDiff, naiveDiffSize, openPair } from "../naive.ts";
import { removeMounted } from "../remove-mounted.ts";
import { TreeContent } from "../tree-content.ts";

/**
 * Docker's vfs (FORMATS 7.1): every tree is a whole file system, a copy of its parent's with the layer applied. It works
 * on any file system and needs no mount, and costs the most space and time.
 */
export class VfsDriver implements Driver, PlainContent {
  readonly name = "vfs";
  readonly home: string;
  readonly idMap: IdMap | undefined;
  readonly #durable: boolean;
  readonly #readOnly: boolean;

  constructor({ home, idMap, durability, readOnly = false }: DriverOptions) {
    this.home = home;
    this.idMap = idMap;
    this.#durable = durability !== "none";
    this.#readOnly = readOnly;
  }

  async create(id: string, parent?: string): Promise<void> {
    checkID(id);
    needsRoot("the vfs driver");
    if (parent !== undefined) this.#mustExist(parent);
    coded(() => this.#create(id, parent));
  }

  async createReadWrite(id: string, parent?: string): Promise<void> {
    await this.create(id, parent);
    // No applier will do it.
    if (this.#durable) syncFileSystem(this.home);
  }

  async remove(id: string, { removeTree: remove = removeTree }: RemoveOptions = {}): Promise<void> {
    checkID(id);
    await removeMounted(this.#path(id), () => remove(this.#path(id)));
  }

  exists(id: string): boolean {
    return isUsableID(id) && existsSync(this.#path(id));
  }

  ids(): string[] {
    return directoriesIn(join(this.home, "dir"));
  }

  async get(id: string): Promise<string> {
    this.#mustExist(id);
    return this.#path(id);
  }

  async put(id: string): Promise<void> {
    this.#mustExist(id);
  }

  async view(id: string): Promise<View> {
    this.#mustExist(id);
    return this.#view(id);
  }

  async applier(id: string, _parent?: string, { limits, onWarning }: ApplierOptions = {}): Promise<DiffApplier> {
    this.#mustExist(id);
    return new DirectoryApplier(this.#path(id), {
      semantics: "layer",
      size: "headers",
      limits,
      onWarning,
      idMap: this.idMap,
      syncHome: this.#durable ? this.home : undefined,
    });
  }

  async diff(id: string, parent?: string): Promise<ByteSource> {
    this.#mustExist(id, parent);
    return naiveDiff(() => this.#pair(id, parent), { idMap: this.idMap, readOnly: this.#readOnly });
  }

  async changes(id: string, parent?: string): Promise<Change[]> {
    this.#mustExist(id, parent);
    return coded(() => naiveChanges(this.#pair(id, parent)));
  }

  async diffSize(id: string, parent?: string): Promise<number> {
    this.#mustExist(id, parent);
    return coded(() => naiveDiffSize(this.#pair(id, parent)));
  }

  async content(id: string): Promise<LayerContent> {
    const { directory } = this.contentPlan(id);
    return coded(() => new TreeContent(directory));
  }

  contentPlan(id: string): ContentPlan {
    this.#mustExist(id);
    return { directory: this.#path(id), stacked: false };
  }

  async metadata(id: string): Promise<Record<string, string>> {
    this.#mustExist(id);
    return {};
  }

  status(): [string, string][] {
    return [];
  }

  async cleanup(): Promise<void> {}

  #path(id: string): string {
    return join(this.home, "dir", id);
  }

  #mustExist(...ids: (string | undefined)[]): void {
    for (const id of ids) {
      if (id === undefined) continue;
      checkID(id);
      if (!this.exists(id)) throw noTree(id, this.#path(id));
    }
  }

  #create(id: string, parent: string | undefined): void {
    const root = rootIdentity(this.idMap);
    makeHome(this.home, 0o710, groupOnly(root));
    makeMissingDirectory(join(this.home, "dir"), 0o710, groupOnly(root));
    try {
      makeDirectory(this.#path(id), 0o755, root);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      throw new VarveError("already-exists", `layer already exists: ${id}`, { id }, error);
    }
    if (parent === undefined) return;
    try {
      copyTree(this.#path(parent), this.#path(id), { privileged: true });
    } catch (error) {
      removeTree(this.#path(id));
      throw error;
    }
  }

  #pair(id: string, parent: string | undefined): ReturnType<typeof openPair> {
    return openPair((tree) => this.#view(tree), id, parent);
  }

  #view(id: string): View {
    return { path: this.#path(id), close: () => undefined };
  }
}
