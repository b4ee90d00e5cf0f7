import { VarveError } from "../errors.ts";
import type { ApplyLimits, Semantics } from "../fstree/apply.ts";
import type { Change } from "../fstree/changes.ts";
import type { IdMap, IdRanges } from "../fstree/id-map.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { ByteString } from "../sys/byte-string.ts";
import type { EntrySink } from "../tar/disassemble.ts";

/**
 * A driver keeps file trees under opaque ids and knows nothing of digests, images or containers: `cache-id`, `mount-id`
 * and `init-id` (FORMATS 0.1) are all the same to it. A tree's life:
 *
 * 1. `create(id, parent)` makes an empty difference on top of `parent`, which must exist and must not change any more.
 * 2. `applier(id, parent)` takes the entries of one layer tar; `finish()` makes them durable and tells the size. A tree
 *    whose applier failed or was aborted is fit for `remove` only.
 * 3. From then on the tree is read: `content` to rebuild the exact tar, `get`/`put` to see the whole stack as a
 *    directory, `diff`, `changes` and `diffSize` to compare it with its parent.
 * 4. `remove(id)`, once no other tree stands on it.
 *
 * A container's tree begins with `createReadWrite`, is written through the path that `get` gives, and is read as above.
 *
 * Opening a driver writes nothing: its home appears with the first tree. A method that fails leaves the home as it was.
 * Many processes may use one home at a time, as long as each id has one creator and nobody removes what another uses.
 *
 * @example
 * await driver.create(id, parent);
 * const applier = await driver.applier(id, parent);
 * try {
 *   const disassembler = new Disassembler({ line, tree: applier.sink });
 *   for await (const chunk of tar) disassembler.write(chunk);
 *   disassembler.end();
 *   size = await applier.finish();
 * } catch (error) {
 *   await applier.abort();
 *   await driver.remove(id);
 *   throw error;
 * }
 */
export interface Driver {
  /** The directory name under the data-root, and what `docker info` calls the storage driver. */
  readonly name: string;
  /** `<root>/<name>`, absolute. */
  readonly home: string;
  /** How container ids become host ids in the trees (FORMATS 6.9); `undefined` when they are the same. */
  readonly idMap: IdMap | undefined;

  /**
   * Makes the tree of a read-only layer, empty above its parent.
   *
   * @throws VarveError `already-exists`, `not-found` for the parent, `invalid-argument` for an unusable id
   */
  create(id: string, parent?: string): Promise<void>;

  /** Makes the tree of a container. The layout is that of `create`; rootless trees cannot be written and refuse. */
  createReadWrite(id: string, parent?: string): Promise<void>;

  /**
   * Deletes a tree with everything in it, unmounting it first. A missing tree is fine.
   *
   * @param options.removeTree deletes a directory in the driver's stead, for instance in another thread
   * @throws VarveError `in-use` while somebody holds it by `get`
   */
  remove(id: string, options?: RemoveOptions): Promise<void>;

  exists(id: string): boolean;

  /** Every tree in the home, half-made ones too, in no particular order. */
  ids(): string[];

  /**
   * The tree with all that lies under it as one directory. Each `get` needs one `put`; the first one mounts where the
   * driver mounts. A process that ends without `put` leaves the tree mounted: `put` from any later process, without a
   * `get` of its own, then takes it down (FORMATS 6.4).
   *
   * @param options.readOnly for the tree of a layer, which must never change: what is mounted for this call refuses
   *   writing. A tree that is a directory anyway, or mounted already, is given as it is.
   * @throws VarveError `not-found`; `permission` where a mount would be needed and we may not
   */
  get(id: string, options?: GetOptions): Promise<string>;

  put(id: string): Promise<void>;

  /**
   * The tree with all that lies under it, to be read by this process alone and soon closed. Unlike `get` it leaves no
   * trace in the home, so that it is for a tree that somebody else works in and for a root that a dockerd lives on, too.
   *
   * @throws VarveError `not-found`; `permission` where a mount would be needed and we may not
   */
  view(id: string): Promise<View>;

  /** Takes a layer's entries into the tree of `create(id, parent)`. At most one applier a tree. */
  applier(id: string, parent?: string, options?: ApplierOptions): Promise<DiffApplier>;

  /** A new tar of what the tree adds to `parent` (FORMATS 8.6, 8.8); for a container, not for the exact bytes of a layer. */
  diff(id: string, parent?: string): Promise<ByteSource>;

  /** What differs from `parent`, or everything when there is none (FORMATS 8.8). */
  changes(id: string, parent?: string): Promise<Change[]>;

  /** Bytes that the tree adds to `parent` (FORMATS 6.6). */
  diffSize(id: string, parent?: string): Promise<number>;

  /** The files that the layer's own tar brought, to rebuild that tar (FORMATS 9.5). Needs no mount and no root. */
  content(id: string): Promise<LayerContent>;

  /** What `inspect` shows as the driver's data (FORMATS 6.10): absolute paths. */
  metadata(id: string): Promise<Record<string, string>>;

  /** What `info` shows below the driver's name, in that order. */
  status(): [name: string, value: string][];

  /**
   * Takes down every mount below the home that no other process is using, as a daemon does when it stops. A command
   * that leaves a tree mounted on purpose does not call it.
   */
  cleanup(): Promise<void>;
}

export interface RemoveOptions {
  /** As `removeTree` of `sys/`: whatever has the path goes, with everything below it, and a missing one is fine. */
  readonly removeTree?: ((path: string) => Promise<void> | void) | undefined;
}

export interface GetOptions {
  readonly readOnly?: boolean | undefined;
}

export interface ApplierOptions {
  /** What a layer may bring before it is `too-large`; without them anything that the disk holds. */
  readonly limits?: ApplyLimits | undefined;
  /** Told of what the file system would not take and Docker does without, such as some attributes. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** One layer on its way into a tree. `sink` is fed synchronously, then `finish` is called, or `abort` when that failed. */
export interface DiffApplier {
  readonly sink: EntrySink;
  /**
   * Closes the tree and, unless durability is `none`, brings it to the disk.
   *
   * @returns the layer's size in bytes as this driver counts it (FORMATS 2.3)
   */
  finish(): Promise<number>;
  /** Lets go of descriptors and mounts, as `finish` does by itself. What was written stays until `remove`. */
  abort(): Promise<void>;
}

/** A whole file system tree as a directory, for as long as nobody closes it. */
export interface View {
  readonly path: string;
  close(): void;
}

/** The files of one layer. */
export interface LayerContent {
  /**
   * A new descriptor of a regular file, for the caller to close. The name is resolved inside the tree, whatever links
   * and dots it passes.
   *
   * @throws VarveError `not-found`; `system` when something else than a file has the name
   */
  open(name: ByteString): number;
  close(): void;
}

/**
 * A driver whose trees do not read their parents: layers may be applied at the same time once all are created, and by
 * any thread of the process, which needs no more than the plan.
 */
export interface ParallelApply {
  /** `false` where this machine asks for another way. */
  readonly appliesInParallel: boolean;
  /** What the applier of this tree would do. Whoever does it himself calls `syncTrees` in the end. */
  applyPlan(id: string): ApplyPlan;
  /** Brings what was applied so far to the disk, unless durability is `none`. */
  syncTrees(): Promise<void>;
  /**
   * Puts a tree that nobody has read yet on another parent than it was created on, one with the same content. When it
   * returns, that is on the disk, unless durability is `none`.
   *
   * @throws VarveError `not-found` for either
   */
  restack(id: string, parent: string): Promise<void>;
}

/** How a layer goes into a directory, as plain data. Its size is that of its files (FORMATS 2.3). */
export interface ApplyPlan {
  readonly directory: string;
  readonly semantics: Semantics;
  readonly unprivileged?: boolean | undefined;
  readonly idRanges?: IdRanges | undefined;
}

export function appliesInParallel(driver: Driver): driver is Driver & ParallelApply {
  return "appliesInParallel" in driver && driver.appliesInParallel === true;
}

/** A driver whose trees are plain directories, so that any thread of the process may read a layer's own files. */
export interface PlainContent {
  /** @throws VarveError `not-found` */
  contentPlan(id: string): ContentPlan;
}

/** Where `content` looks for files, as plain data. */
export interface ContentPlan {
  readonly directory: string;
  /** Whether it goes on in the whole stack when the directory does not have a file. */
  readonly stacked: boolean;
}

export function hasPlainContent(driver: Driver): driver is Driver & PlainContent {
  return "contentPlan" in driver;
}

/**
 * How much of a power loss a store survives (docs/architecture.md): `none`, what dockerd promises; `layer`, a layer's
 * files are on the disk before anything names them; `strict`, every change before its call returns. Drivers do the
 * same for the last two.
 */
export type Durability = "none" | "layer" | "strict";

export interface DriverOptions {
  /** `<root>/<driver name>`, absolute. Its parent is the data-root. */
  readonly home: string;
  readonly idMap?: IdMap | undefined;
  readonly durability: Durability;
  /**
   * For trees that nobody changes any more, as on the disk of a machine that is gone. Not even for a moment is anything
   * written near them, and a `diff` is always the same: its deletions, of which a tree does not tell when they were, are of 1970.
   */
  readonly readOnly?: boolean | undefined;
}

/** Ids are opaque (64 hex of Docker, 25 characters of BuildKit, `…-init`) as long as they are one name in a directory. */
export function isUsableID(id: string): boolean {
  return id !== "" && id !== "." && id !== ".." && !/[/\0]/.test(id);
}

/** @throws VarveError `invalid-argument` */
export function checkID(id: string): void {
  if (!isUsableID(id)) throw new VarveError("invalid-argument", `not a layer id: ${JSON.stringify(id)}`, { id });
}

/** Docker's answer to an id without a tree. */
export function noTree(id: string, path: string): VarveError {
  return new VarveError("not-found", `stat ${path}: no such file or directory`, { id, path });
}
