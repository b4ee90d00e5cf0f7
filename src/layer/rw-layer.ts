import type { Change } from "../fstree/changes.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { Layer } from "./layer.ts";
import type { MountRecord } from "./metadata.ts";

/**
 * A writable layer (FORMATS 2.7), the file system of a container. It lives until `LayerStore.releaseRW`, whoever holds
 * this object; what its init layer holds is not part of its changes, its size or its tar.
 */
export interface RWLayer {
  readonly name: string;
  /** The store's own reference; not to be released. */
  readonly parent: Layer | undefined;
  readonly record: MountRecord;
  /** Mounts that this store made and has not undone. */
  readonly mountCount: number;
  /** @returns the path of the whole file system; each mount is to be undone */
  mount(): Promise<string>;
  unmount(): Promise<void>;
  changes(): Promise<Change[]>;
  /** Bytes of what was added or modified. */
  size(): Promise<number>;
  /** A tar of the changes, made now. */
  tarStream(): Promise<ByteSource>;
  metadata(): Promise<Record<string, string>>;
}
