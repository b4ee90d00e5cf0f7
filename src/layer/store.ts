import type { ChainID } from "../digest/chain-id.ts";
import type { Driver } from "../driver/driver.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { BrokenLayer, Descriptor, Layer, LayerInfo, ReleasedLayer } from "./layer.ts";
import type { LayerMetadata } from "./metadata.ts";
import type { RWLayer } from "./rw-layer.ts";

export interface LayerStoreOptions {
  readonly driver: Driver;
  readonly metadata: LayerMetadata;
  /** Runs a visible step while no other process makes one. May be called inside such a section of the caller's. */
  readonly commit?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined;
  /** Whether somebody whom this store cannot see uses a chain. Asked in a commit section. */
  readonly heldElsewhere?: ((chain: ChainID) => boolean) | undefined;
  /** Told in a commit section which chain a registration is about to hand out. */
  readonly onHandOut?: ((chain: ChainID) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

export interface RegisterOptions {
  readonly descriptor?: Descriptor | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told after each chunk how many bytes of the stream were taken in so far. */
  readonly onBytes?: ((total: number) => void) | undefined;
}

export interface CreateRWOptions {
  readonly parent?: ChainID | undefined;
  /** Fills an init layer under the writable one; without it there is none. */
  readonly init?: ((mountedPath: string) => void | Promise<void>) | undefined;
}

export declare class LayerStore {
  static open(options: LayerStoreOptions): Promise<LayerStore>;
  readonly broken: readonly BrokenLayer[];
  register(stream: ByteSource, parent: ChainID | undefined, options?: RegisterOptions): Promise<Layer>;
  get(chain: ChainID): Layer;
  has(chain: ChainID): boolean;
  map(): ReadonlyMap<ChainID, LayerInfo>;
  refresh(): Promise<void>;
  createRW(name: string, options?: CreateRWOptions): Promise<RWLayer>;
  getRW(name: string): RWLayer;
  hasRW(name: string): boolean;
  rwNames(): string[];
  releaseRW(layer: RWLayer): Promise<ReleasedLayer[]>;
  cleanup(): Promise<string[]>;
}
