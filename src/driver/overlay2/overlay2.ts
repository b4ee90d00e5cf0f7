import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Change } from "../../fstree/changes.ts";
import { treeDiff } from "../../fstree/diff.ts";
import type { IdMap } from "../../fstree/id-map.ts";
import { treeSize } from "../../fstree/size.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { mountPointsBelow } from "../../sys/mount.ts";
import { inUserNamespace, isRoot } from "../../sys/rank.ts";
import { syncFileSystemMeanwhile } from "../../sys/sync.ts";
import { backingFileSystem } from "../backing-file-system.ts";
import { applierOf, DirectoryApplier } from "../directory-applier.ts";
import {
  type ApplierOptions,
  type ApplyPlan,
  type ContentPlan,
  checkID,
  type DiffApplier,
  type Driver,
  type DriverOptions,
  type GetOptions,
  type LayerContent,
  noTree,
  type ParallelApply,
  type PlainContent,
  type RemoveOptions,
  type View,
} from "../driver.ts";
import { coded, needsRoot, rootIdentity } from "../home.ts";
import { naiveChanges, naiveDiff, naiveDiffSize, openPair } from "../naive.ts";
import { removeMounted } from "../remove-mounted.ts";
import { TreeContent } from "../tree-content.ts";
import { CountedMounts } from "./counted-mounts.ts";
import { hasForeignFeatures } from "./foreign-features.ts";
import { nativeDiffWorks, viewFlags } from "./kernel.ts";
import { Layout } from "./layout.ts";
import { MergedMount } from "./merged-mount.ts";
import { overlayMount } from "./mount-options.ts";
import { privateView } from "./private-view.ts";

/**
 * Docker's overlay2 (FORMATS 6): each tree holds only what its layer changes, in the kernel's own spelling of deletions,
 * and overlayfs shows the stack as one.
 *
 * `layout.ts` keeps the directories and links. A tree that somebody works in is mounted on its `merged`
 * (`merged-mount.ts`), counted over all processes by `counted-mounts.ts`, whose lease files lie in
 * `<root>/varve/mounts`. What only reads a stack for a moment, to compare it, mounts it for itself (`private-view.ts`).
 * `kernel.ts` knows what this kernel can do, `mount-options.ts` how it is told.
 *
 * Layers go natively into and out of `diff` where that tells all that they change; else they are compared as trees.
 */
export class Overlay2Driver implements Driver, ParallelApply, PlainContent {
  readonly name = "overlay2";
  readonly home: string;
  readonly idMap: IdMap | undefined;
  readonly #durable: boolean;
  readonly #readOnly: boolean;
  /** Where the kernel may be tried out. */
  readonly #scratch: string;
  readonly #layout: Layout;
  readonly #mounts: CountedMounts;

  constructor({ home, idMap, durability, readOnly = false }: DriverOptions) {
    this.home = home;
    this.idMap = idMap;
    this.#durable = durability !== "none";
    this.#readOnly = readOnly;
    this.#scratch = readOnly ? tmpdir() : home;
    this.#layout = new Layout(home, rootIdentity(idMap));
    this.#mounts = new CountedMounts(join(dirname(home), "varve", "mounts"));
  }

  /** Native trees are made without a look at their parents. */
  get appliesInParallel(): boolean {
    return nativeDiffWorks(this.#scratch);
  }

  applyPlan(id: string): ApplyPlan {
    this.#mustExist(id);
    return { directory: this.#diff(id), semantics: "overlay", idRanges: this.idMap?.ranges };
  }

  async syncTrees(): Promise<void> {
    if (this.#durable) await syncFileSystemMeanwhile(this.home);
  }

  async restack(id: string, parent: string): Promise<void> {
    this.#mustExist(id, parent);
    coded(() => this.#layout.restack(id, parent, { sync: this.#durable }));
  }

  async create(id: string, parent?: string): Promise<void> {
    // The applier's `finish` brings it to the disk with the rest.
    this.#create(id, parent, false);
  }

  async createReadWrite(id: string, parent?: string): Promise<void> {
    this.#create(id, parent, this.#durable);
  }

  async remove(id: string, { removeTree }: RemoveOptions = {}): Promise<void> {
    checkID(id);
    if (existsSync(this.#merged(id).path)) await this.#mounts.clear(this.#merged(id));
    await removeMounted(this.#layout.path(id), () => this.#layout.remove(id, removeTree));
  }

  exists(id: string): boolean {
    return this.#layout.exists(id);
  }

  ids(): string[] {
    return this.#layout.ids();
  }

  async get(id: string, { readOnly = false }: GetOptions = {}): Promise<string> {
    this.#mustExist(id);
    if (coded(() => this.#layout.lower(id)) === undefined) return this.#diff(id);
    needsRoot("mounting a layer");
    const merged = this.#merged(id, readOnly);
    await this.#mounts.hold(merged);
    return merged.path;
  }

  async put(id: string): Promise<void> {
    this.#mustExist(id);
    if (coded(() => this.#layout.lower(id)) !== undefined) await this.#mounts.release(this.#merged(id));
  }

  async view(id: string): Promise<View> {
    this.#mustExist(id);
    if (coded(() => this.#layout.lower(id)) !== undefined) needsRoot("mounting a layer");
    return coded(() => this.#view(id));
  }

  async applier(id: string, parent?: string, { limits, onWarning }: ApplierOptions = {}): Promise<DiffApplier> {
    this.#mustExist(id);
    const native = this.#isParent(id, parent) && nativeDiffWorks(this.#scratch);
    const { idMap } = this;
    const options = { limits, onWarning, syncHome: this.#durable ? this.home : undefined };
    if (native) return applierOf(this.applyPlan(id), options);
    const root = await this.get(id);
    try {
      const close = (): Promise<void> => this.put(id);
      return new DirectoryApplier(root, { ...options, idMap, semantics: "layer", size: "headers", close });
    } catch (error) {
      await this.put(id);
      throw error;
    }
  }

  async diff(id: string, parent?: string): Promise<ByteSource> {
    this.#mustExist(id, parent);
    if (this.#tellsAll(id, parent)) return treeDiff(this.#diff(id), { idMap: this.idMap, overlay: true });
    needsRoot("comparing layers");
    return naiveDiff(() => this.#pair(id, parent), { idMap: this.idMap, readOnly: this.#readOnly });
  }

  async changes(id: string, parent?: string): Promise<Change[]> {
    this.#mustExist(id, parent);
    needsRoot("comparing layers");
    return coded(() => naiveChanges(this.#pair(id, parent)));
  }

  async diffSize(id: string, parent?: string): Promise<number> {
    this.#mustExist(id, parent);
    if (this.#tellsAll(id, parent)) return coded(() => treeSize(this.#diff(id)));
    needsRoot("comparing layers");
    return coded(() => naiveDiffSize(this.#pair(id, parent)));
  }

  async content(id: string): Promise<LayerContent> {
    const { directory, stacked } = this.contentPlan(id);
    return coded(() => new TreeContent(directory, stacked ? () => this.#view(id) : undefined));
  }

  contentPlan(id: string): ContentPlan {
    this.#mustExist(id);
    const stacked = coded(() => this.#layout.lower(id)) !== undefined && isRoot();
    return { directory: this.#diff(id), stacked };
  }

  async metadata(id: string): Promise<Record<string, string>> {
    this.#mustExist(id);
    const lowers = coded(() => this.#layout.lowerDirectories(id));
    return {
      ...(lowers.length === 0 ? {} : { LowerDir: lowers.join(":") }),
      MergedDir: this.#layout.path(id, "merged"),
      UpperDir: this.#diff(id),
      WorkDir: this.#layout.path(id, "work"),
    };
  }

  status(): [string, string][] {
    return [
      ["Backing Filesystem", backingFileSystem(this.home)],
      // Without it the kernel refuses the first mount.
      ["Supports d_type", "true"],
      ["Native Overlay Diff", String(nativeDiffWorks(this.#scratch))],
      ["userxattr", String(inUserNamespace())],
    ];
  }

  async cleanup(): Promise<void> {
    const prefix = `${this.home}/`;
    const mounted = coded(() => mountPointsBelow(this.home)).map((path) => path.slice(prefix.length).split("/", 1)[0]!);
    if (mounted.length === 0) return;
    await this.#mounts.clearAll([...new Set(mounted)].map((id) => this.#merged(id)));
  }

  #create(id: string, parent: string | undefined, sync: boolean): void {
    checkID(id);
    if (parent !== undefined) checkID(parent);
    needsRoot("the overlay2 driver");
    coded(() => this.#layout.create(id, parent, { sync }));
  }

  #mustExist(...ids: (string | undefined)[]): void {
    for (const id of ids) {
      if (id === undefined) continue;
      checkID(id);
      if (!this.#layout.exists(id)) throw noTree(id, this.#layout.path(id));
    }
  }

  #diff(id: string): string {
    return this.#layout.path(id, "diff");
  }

  #merged(id: string, readOnly = false): MergedMount {
    return new MergedMount(this.#layout, id, { owner: rootIdentity(this.idMap), readOnly });
  }

  #isParent(id: string, parent: string | undefined): boolean {
    return coded(() => this.#layout.parentOf(id)) === parent;
  }

  /** Whether `diff` is the whole difference, spelled as Docker spells it. */
  #tellsAll(id: string, parent: string | undefined): boolean {
    return this.#isParent(id, parent) && !inUserNamespace() && !coded(() => hasForeignFeatures(this.#diff(id)));
  }

  #pair(id: string, parent: string | undefined): ReturnType<typeof openPair> {
    return openPair((tree) => this.#view(tree), id, parent);
  }

  /** The whole stack, to be read and soon closed. */
  #view(id: string): View {
    const lower = this.#layout.lower(id);
    if (lower === undefined) return { path: this.#diff(id), close: () => undefined };
    const { home } = this;
    return privateView(overlayMount({ home, id, lower, readOnly: true, flags: viewFlags(this.#scratch) }));
  }
}
