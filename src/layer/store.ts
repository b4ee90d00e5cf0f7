import type { ChainID } from "../digest/chain-id.ts";
import type { Driver } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { AdoptedTree, IdentifyOptions } from "./adopt.ts";
import { type Reclaimed, reclaim } from "./collect.ts";
import type { StrayTree } from "./identity-jobs.ts";
import type { BrokenLayer, Layer, LayerInfo, ReleasedLayer } from "./layer.ts";
import { LayerHandle } from "./layer-handle.ts";
import { LayerTable } from "./layer-table.ts";
import type { LayerMetadata, MountRecord } from "./metadata.ts";
import type { RegisterOptions } from "./register.ts";
import type { StackedTar, TogetherOptions } from "./register-together.ts";
import { MountedLayer, type RWLayer } from "./rw-layer.ts";
import { type Commit, knownLayer, type StoreContext } from "./store-context.ts";
import { workersFor } from "./worker-lane.ts";
import {
  type CreateRWOptions,
  createWritable,
  knownMount,
  type ReleaseRWOptions,
  releaseWritable,
} from "./writable.ts";

export interface LayerStoreOptions {
  readonly driver: Driver;
  readonly metadata: LayerMetadata;
  /**
   * Runs a visible step while nobody else makes one, neither another process nor another call of this one. A caller may
   * already be inside such a section. Without it the steps of this store take turns, and no other process may write.
   */
  readonly commit?: Commit | undefined;
  /** Runs what takes long once the visible step is over in which it is asked for; at once unless said. */
  readonly afterwards?: ((work: () => Promise<void>) => Promise<void>) | undefined;
  /** Whether somebody whom this store cannot see uses a chain. Asked inside a visible step. */
  readonly heldElsewhere?: ((chain: ChainID) => boolean) | undefined;
  /**
   * Whether a tree of the driver is also somebody else's. A layer that goes leaves such a tree where it is. Asked before a
   * tree is removed that a record named.
   */
  readonly keepsTree?: ((tree: string) => boolean) | undefined;
  /**
   * Told which chain is about to be handed out; inside a visible step when it is by a registration, which also says
   * whether the layer is new.
   */
  readonly onHandOut?: ((chain: ChainID, isNew: boolean) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  /**
   * How many worker threads may unpack, put together or remove layers beside each other; 0 for none. Without it as many as
   * there are cores, at most six, and none for what is done before they would have started.
   */
  readonly threads?: number | undefined;
}

/**
 * The layers and writable layers of one driver in one data-root. Many processes may have the same root open: what takes
 * long (unpacking, removing trees) goes on beside the others, and `commit` keeps apart the short steps that make a
 * record appear or disappear. In such a step the store looks at the disk again.
 *
 * @example
 * const store = await LayerStore.open({ driver, metadata: new FileMetadata(directory, { sync: true }) });
 * const base = await store.register(createReadStream("layer.tar"), undefined);
 * const released = await base.release();
 */
export class LayerStore {
  readonly #context: StoreContext;

  /** Reads all records. Writes nothing; a root that does not exist yet is an empty one. */
  static async open(options: LayerStoreOptions): Promise<LayerStore> {
    const store = new LayerStore(options);
    await store.refresh();
    return store;
  }

  private constructor({ driver, metadata, ...options }: LayerStoreOptions) {
    const warn = options.onWarning ?? (() => {});
    const context: StoreContext = {
      driver,
      metadata,
      table: new LayerTable(metadata, warn),
      commit: options.commit ?? inTurns(),
      threads: options.threads,
      afterwards: options.afterwards ?? ((work) => work()),
      heldElsewhere: options.heldElsewhere ?? (() => false),
      keepsTree: options.keepsTree ?? (() => false),
      onHandOut: options.onHandOut ?? (() => {}),
      warn,
    };
    this.#context = context;
  }

  /** Records that lie on disk and cannot be used, with the reason. */
  get broken(): readonly BrokenLayer[] {
    return this.#context.table.broken;
  }

  has(chain: ChainID): boolean {
    return this.#context.table.layers.has(chain);
  }

  /** A reference to a layer. @throws VarveError `not-found` */
  get(chain: ChainID): Layer {
    this.#context.onHandOut(chain, false);
    return new LayerHandle(knownLayer(this.#context, chain), this.#context);
  }

  /** Every usable layer, as of now. */
  map(): ReadonlyMap<ChainID, LayerInfo> {
    return new Map(this.#context.table.layers);
  }

  /** Takes notice of what other processes did. Handles and writable layers that are out stay what they are. */
  async refresh(): Promise<void> {
    this.#context.table.refresh();
  }

  /**
   * Stores a layer, or finds that it is there already. When it fails, everything is as it was before.
   *
   * @param stream the uncompressed tar
   * @param parent the stack that the layer changes; `undefined` for a base layer
   * @returns a reference, also when the chain was known
   * @throws VarveError `not-found` for the parent, `too-large` for the 126th layer of a stack, `invalid-archive` for a tar
   *   that cannot be stored, `conflict` when another process deleted the parent meanwhile, `cancelled`
   */
  async register(stream: ByteSource, parent: ChainID | undefined, options: RegisterOptions = {}): Promise<Layer> {
    const { register } = await import("./register.ts");
    return await register(this.#context, stream, parent, options);
  }

  /** Whether `registerTogether` can be called, and is quicker for layers with so many stored bytes in all. */
  registersTogether(bytes: number): boolean {
    return workersFor(bytes, this.#context) !== undefined;
  }

  /**
   * Stores layers that stand on each other and lie in files, several at a time. When it fails, those that `onLayer` was
   * given are there, and everything else is as it was before.
   *
   * @param tars bottom first
   * @param parent the stack that the first of them changes
   * @throws VarveError as `register`, of the first that fails
   */
  async registerTogether(
    tars: readonly StackedTar[],
    parent: ChainID | undefined,
    options: TogetherOptions,
  ): Promise<void> {
    const bytes = tars.reduce((sum, { size }) => sum + size, 0);
    const workers = workersFor(bytes, this.#context);
    if (workers === undefined) throw new VarveError("unsupported", "layers can only be registered one by one here");
    const { registerTogether } = await import("./register-together.ts");
    await registerTogether(this.#context, workers, tars, parent, options);
  }

  /**
   * Reads trees that the driver has and no record names, and says which layers they are; several at a time where that is worth it.
   *
   * @throws VarveError `cancelled`, `no-space`; what is wrong with a single tree `onTree` is told
   */
  async identifyTrees<Tree extends StrayTree>(trees: readonly Tree[], options: IdentifyOptions<Tree>): Promise<void> {
    const { identifyTrees } = await import("./adopt.ts");
    await identifyTrees(this.#context, trees, options);
  }

  /**
   * Makes a layer of a tree that the driver has already. Unlike after `register`, the tree stays when it fails.
   *
   * @returns a reference, also when the chain was known; then the tree is not needed
   * @throws VarveError `not-found` for the tree or the parent, `too-large` for the 126th layer of a stack
   */
  async adopt(tree: AdoptedTree, parent: ChainID | undefined): Promise<Layer> {
    const { adopt } = await import("./adopt.ts");
    return await adopt(this.#context, tree, parent);
  }

  /**
   * Makes a writable layer. When it fails, everything is as it was before.
   *
   * @param name one file name; Docker uses the container's id
   * @throws VarveError `already-exists`, `not-found` for the parent, `permission` where the driver needs root
   */
  async createRW(name: string, options: CreateRWOptions = {}): Promise<RWLayer> {
    return new MountedLayer(await createWritable(this.#context, name, options), this.#context.driver);
  }

  /**
   * Makes a writable layer of trees that the driver has already, or finds that it is one.
   *
   * @throws VarveError `not-found` for a tree or the parent, `already-exists` for another layer of this name
   */
  async adoptRW(name: string, record: MountRecord): Promise<RWLayer> {
    const { adoptWritable } = await import("./adopt.ts");
    return new MountedLayer(await adoptWritable(this.#context, name, record), this.#context.driver);
  }

  /** @throws VarveError `not-found` */
  getRW(name: string): RWLayer {
    return new MountedLayer(knownMount(this.#context, name), this.#context.driver);
  }

  hasRW(name: string): boolean {
    return this.#context.table.mounts.has(name);
  }

  rwNames(): string[] {
    return [...this.#context.table.mounts.keys()];
  }

  /**
   * Deletes a writable layer, its init layer, and the layers below as far as nobody else refers to them.
   *
   * @returns the read-only layers that were deleted, top first
   * @throws VarveError `in-use` while it is mounted. When its tree cannot be removed it is kept.
   */
  releaseRW(layer: RWLayer, options: ReleaseRWOptions = {}): Promise<ReleasedLayer[]> {
    return releaseWritable(this.#context, layer.name, options);
  }

  /**
   * Takes away what processes left that died in the middle of a registration or a deletion, with its trees. Never touches
   * what a living process works on, or a tree that a usable record names.
   */
  cleanup(): Promise<Reclaimed[]> {
    return reclaim(this.#context);
  }
}

function inTurns(): Commit {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  };
}
