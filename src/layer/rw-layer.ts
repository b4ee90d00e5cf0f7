import type { Driver, View } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import type { Change } from "../fstree/changes.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { LayerInfo } from "./layer.ts";
import type { MountEntry } from "./layer-table.ts";
import type { MountRecord } from "./metadata.ts";

/**
 * A writable layer (FORMATS 2.7), the file system of a container. It lives until `LayerStore.releaseRW`, whoever holds
 * this object; what its init layer holds is not part of its changes, its size or its tar.
 */
export interface RWLayer {
  readonly name: string;
  /** What it stands on; `undefined` for a container from scratch. */
  readonly parent: LayerInfo | undefined;
  readonly record: MountRecord;
  /** Mounts that this store made and has not undone. */
  readonly mountCount: number;
  /** @returns the path of the whole file system; each mount is to be undone, by this process or a later one */
  mount(): Promise<string>;
  /** Undoes one mount; without one of its own, the mount that an earlier process left. */
  unmount(): Promise<void>;
  /** The whole file system to be read, without a trace and beside whoever works in it; to be closed. */
  view(): Promise<View>;
  /** What differs from the parent (FORMATS 8.8). */
  changes(): Promise<Change[]>;
  /** Bytes of what was added or modified. */
  size(): Promise<number>;
  /** A tar of the changes, made now. */
  tarStream(): Promise<ByteSource>;
  /** What the driver tells about the tree, for `inspect`. */
  metadata(): Promise<Record<string, string>>;
}

/** An `RWLayer` out of the table. Entry and driver make it; all that it counts is in the entry. */
export class MountedLayer implements RWLayer {
  readonly #entry: MountEntry;
  readonly #driver: Driver;

  constructor(entry: MountEntry, driver: Driver) {
    this.#entry = entry;
    this.#driver = driver;
  }

  get name(): string {
    return this.#entry.name;
  }
  get parent(): LayerInfo | undefined {
    return this.#entry.parent;
  }
  get record(): MountRecord {
    return this.#entry.record;
  }
  get mountCount(): number {
    return this.#entry.mountCount;
  }

  async mount(): Promise<string> {
    this.#checkAlive();
    // Counted before it is there, so that a deletion cannot come between.
    this.#entry.mountCount++;
    try {
      return await this.#driver.get(this.record.mountID);
    } catch (error) {
      this.#entry.mountCount--;
      throw error;
    }
  }

  async unmount(): Promise<void> {
    this.#checkAlive();
    await this.#driver.put(this.record.mountID);
    if (this.#entry.mountCount > 0) this.#entry.mountCount--;
  }

  async view(): Promise<View> {
    this.#checkAlive();
    return this.#driver.view(this.record.mountID);
  }

  async changes(): Promise<Change[]> {
    this.#checkAlive();
    return this.#driver.changes(this.record.mountID, this.#treeBelow);
  }

  async size(): Promise<number> {
    this.#checkAlive();
    return this.#driver.diffSize(this.record.mountID, this.#treeBelow);
  }

  async tarStream(): Promise<ByteSource> {
    this.#checkAlive();
    return this.#driver.diff(this.record.mountID, this.#treeBelow);
  }

  async metadata(): Promise<Record<string, string>> {
    this.#checkAlive();
    return this.#driver.metadata(this.record.mountID);
  }

  get #treeBelow(): string | undefined {
    return this.record.initID ?? this.#entry.parent?.cacheID;
  }

  #checkAlive(): void {
    if (this.#entry.gone) throw noMount(this.name);
  }
}

export function noMount(name: string): VarveError {
  return new VarveError("not-found", "mount does not exist", { name });
}
