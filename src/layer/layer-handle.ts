import type { ChainID, DiffID } from "../digest/chain-id.ts";
import type { LayerContent } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { collect } from "./collect.ts";
import type { Descriptor, Layer, ReleasedLayer } from "./layer.ts";
import type { LayerEntry } from "./layer-table.ts";
import type { WriteTarOptions } from "./layer-tar.ts";
import { type StoreContext, vanished } from "./store-context.ts";
import type { TarPlace } from "./tar-jobs.ts";

/** One reference to an entry of the table, from its making to `release` or `forget`. */
export class LayerHandle implements Layer {
  readonly #entry: LayerEntry;
  readonly #context: StoreContext;
  #held = true;

  constructor(entry: LayerEntry, context: StoreContext) {
    this.#entry = entry;
    this.#context = context;
    entry.references++;
  }

  get chainID(): ChainID {
    return this.#entry.chainID;
  }
  get diffID(): DiffID {
    return this.#entry.diffID;
  }
  get parent(): ChainID | undefined {
    return this.#entry.parent;
  }
  get cacheID(): string {
    return this.#entry.cacheID;
  }
  get size(): number {
    return this.#entry.size;
  }
  get depth(): number {
    return this.#entry.depth;
  }
  get descriptor(): Descriptor | undefined {
    return this.#entry.descriptor;
  }

  totalSize(): number {
    return this.#entry.totalSize();
  }

  async *tarStream(options: { signal?: AbortSignal | undefined } = {}): ByteSource {
    this.#checkAlive();
    const { layerTar } = await import("./layer-tar.ts");
    yield* layerTar(this.#entry, this.#context, options.signal);
  }

  async tarSize(options: { signal?: AbortSignal | undefined } = {}): Promise<number> {
    this.#checkAlive();
    const { layerTarSize } = await import("./layer-tar.ts");
    return await layerTarSize(this.#entry, this.#context, options.signal);
  }

  async writeTar(place: TarPlace, options: WriteTarOptions = {}): Promise<void> {
    this.#checkAlive();
    const { writeLayerTar } = await import("./layer-tar.ts");
    await writeLayerTar(this.#entry, this.#context, place, options);
  }

  async *splitStream(): ByteSource {
    this.#checkAlive();
    yield* this.#context.metadata.splitStream(this.chainID);
  }

  async content(): Promise<LayerContent> {
    this.#checkAlive();
    return this.#context.driver.content(this.cacheID);
  }

  async metadata(): Promise<Record<string, string>> {
    this.#checkAlive();
    return this.#context.driver.metadata(this.cacheID);
  }

  async release(): Promise<ReleasedLayer[]> {
    this.forget();
    return collect(this.#context, this.#entry);
  }

  forget(): void {
    if (!this.#held) throw new VarveError("invalid-argument", "layer not retained", { chainID: this.chainID });
    this.#held = false;
    this.#entry.references--;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#held) await this.release();
  }

  #checkAlive(): void {
    if (!this.#held) throw new VarveError("invalid-argument", "layer not retained", { chainID: this.chainID });
    if (this.#entry.gone) throw vanished(this.chainID);
  }
}
