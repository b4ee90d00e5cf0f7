import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Stores } from "../archive/archive.ts";
import type { ChainID } from "../digest/chain-id.ts";
import type { Driver, Durability } from "../driver/driver.ts";
import { makeMissingDirectory } from "../driver/home.ts";
import { openDriver } from "../driver/select.ts";
import { isVarveError, VarveError } from "../errors.ts";
import { FileBackend } from "../image/file-backend.ts";
import type { Image, ImageID } from "../image/image.ts";
import { ImageStore } from "../image/store.ts";
import { FileMetadata } from "../layer/file-metadata.ts";
import { LayerStore, type LayerStoreOptions } from "../layer/store.ts";
import { familiarString, parseAny, type Reference, withDefaultTag } from "../reference/reference.ts";
import { ReferenceStore } from "../reference/reference-store.ts";
import { sweepMounts } from "./container/mounted.ts";
import { LocalVolumes } from "./container/volumes.ts";
import { type Container, ContainerRecords } from "./containers.ts";
import { driversWithImages, locateDataRoot, makeDataRoot, refuseUnreadable, SIDE } from "./data-root.ts";
import { databaseOfRunningDockerd, refuseRunningDockerd } from "./dockerd.ts";
import { Doubts } from "./doubts.ts";
import { EventLog } from "./events.ts";
import { ImageMounts } from "./image-mounts.ts";
import { type Lease, Leases } from "./leases.ts";
import { RootLock } from "./root-lock.ts";
import { isNoPlaceToWrite, StoreIndex } from "./store-index.ts";

/** How a data-root is opened. */
export interface StoreOptions {
  /** The data-root; by default `defaultRoot()`. */
  readonly root?: string | undefined;
  /** `overlay2`, `vfs` or `rootless`; by default the one that the root has, or that suits a fresh one. */
  readonly driver?: string | undefined;
  /** As dockerd's `--userns-remap`. */
  readonly usernsRemap?: string | undefined;
  /** What survives a power loss; `layer` by default. */
  readonly durability?: Durability | undefined;
  /** Bounds on what an archive may make the store do. */
  readonly limits?: Limits | undefined;
  /**
   * How many worker threads may unpack, put together or remove layers beside each other; 0 for none. By default
   * `VARVE_THREADS`, else as many as there are cores, at most six, and none for little work.
   */
  readonly threads?: number | undefined;
  /** Told, in one line, of what was found broken and passed over. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

export interface Limits {
  /** Bytes that one layer may have when it is uncompressed. */
  readonly layerBytes?: number | undefined;
  /** Bytes that one manifest or config may have. */
  readonly documentBytes?: number | undefined;
  /** Bytes of an archive that comes through a pipe or compressed, which is spooled to the disk. */
  readonly spoolBytes?: number | undefined;
}

/**
 * An open data-root: its stores, wired together and to the lock. The use cases of `store.ts` are written on it. `read`
 * and `commit` run with memory as new as the disk; everything that takes long happens outside of them.
 */
export class Workspace {
  readonly root: string;
  readonly driver: Driver;
  readonly durability: Durability;
  readonly limits: Limits;
  readonly layers: LayerStore;
  readonly images: ImageStore;
  readonly references: ReferenceStore;
  readonly containers: ContainerRecords;
  readonly volumes: LocalVolumes;
  readonly events: EventLog;
  readonly imageMounts: ImageMounts;
  readonly warn: (message: string) => void;
  readonly #lock: RootLock;
  readonly #leases: Leases;
  readonly #doubts: Doubts;

  static async open(options: StoreOptions = {}): Promise<Workspace> {
    const dataRoot = locateDataRoot(options.root, options.usernsRemap);
    refuseUnreadable(dataRoot);
    const durability = options.durability ?? "layer";
    const driver = await openDriver(dataRoot.path, { name: options.driver, idMap: dataRoot.idMap, durability });
    const warn = options.onWarning ?? (() => {});
    const side = join(dataRoot.path, SIDE);
    const metadata = join(dataRoot.path, "image", driver.name);
    warnOfOtherDrivers(dataRoot.path, driver.name, warn);
    const doubts = new Doubts(join(side, "doubts"));
    const leases = new Leases(join(side, "leases"), doubts);
    const stores: { refresh(): void | Promise<void> }[] = [];
    const lock = new RootLock(side, {
      watched: WATCHED.map((name) => join(metadata, name)),
      refresh: async () => {
        for (const store of stores) await store.refresh();
      },
      prepare: () => makeDataRoot(dataRoot),
      beforeCommit: () => refuseRunningDockerd(dataRoot.path),
    });
    const sync = durability !== "none";
    const index = existsSync(side) ? StoreIndex.open(join(side, `index-${driver.name}`)) : undefined;
    const layerOptions: LayerStoreOptions = {
      driver,
      metadata: new FileMetadata(join(metadata, "layerdb"), { sync, index: index?.layers }),
      commit: (work) => lock.commit(work),
      afterwards: (work) => lock.afterwards(work),
      heldElsewhere: (chain) => {
        const held = leases.heldElsewhere(chain);
        // Who holds it may only be looking, and will not delete it.
        if (held) doubts.raise(chain);
        return held;
      },
      keepsTree: treesOfGraph(dataRoot.path, warn),
      onHandOut: (chain, isNew) => leases.holdInScope(chain, isNew),
      onWarning: warn,
      threads: options.threads ?? threadsOf(process.env.VARVE_THREADS),
    };
    const backend = new FileBackend(join(metadata, "imagedb"), { sync });
    lock.noteStamp();
    // While nobody changes it: half of a deletion would look like a broken store.
    const { layers, images, references } = await lock.read(async () => {
      const layers = await LayerStore.open(layerOptions);
      // What an image refers to is on disk and needs no lease.
      const imageLayers = { get: (chain: ChainID) => leases.outside(() => layers.get(chain)) };
      const images = ImageStore.open({
        backend,
        layers: imageLayers,
        os: "linux",
        index: index?.images,
        onWarning: warn,
      });
      const references = ReferenceStore.open(join(metadata, "repositories.json"), { sync: durability === "strict" });
      return { layers, images, references };
    });
    stores.push(layers, images, references);
    if (index !== undefined) leaveIndex(index, dataRoot.path, warn);
    const { path: root, idMap } = dataRoot;
    const containers = new ContainerRecords(join(root, "containers"), { idMap, sync });
    const volumes = new LocalVolumes(join(root, "volumes"), { idMap, sync });
    const events = new EventLog(join(side, "events.jsonl"));
    const { limits = {} } = options;
    const imageMounts = new ImageMounts(driver, join(side, "images"));
    const parts = { layers, images, references, containers, volumes, events, imageMounts, lock, leases, doubts };
    return new Workspace({ root, driver, durability, limits, warn, ...parts });
  }

  private constructor(parts: {
    root: string;
    driver: Driver;
    durability: Durability;
    limits: Limits;
    layers: LayerStore;
    images: ImageStore;
    references: ReferenceStore;
    containers: ContainerRecords;
    volumes: LocalVolumes;
    events: EventLog;
    imageMounts: ImageMounts;
    warn: (message: string) => void;
    lock: RootLock;
    leases: Leases;
    doubts: Doubts;
  }) {
    this.root = parts.root;
    this.driver = parts.driver;
    this.durability = parts.durability;
    this.limits = parts.limits;
    this.layers = parts.layers;
    this.images = parts.images;
    this.references = parts.references;
    this.containers = parts.containers;
    this.volumes = parts.volumes;
    this.events = parts.events;
    this.imageMounts = parts.imageMounts;
    this.warn = parts.warn;
    this.#lock = parts.lock;
    this.#leases = parts.leases;
    this.#doubts = parts.doubts;
  }

  /** What the ways in and out work on. */
  get stores(): Stores {
    const { layers, images, references } = this;
    return {
      layers,
      images,
      references,
      commit: (work) => this.commit(work),
      hold: async (work) => {
        using lease = this.lease();
        return await lease.run(work);
      },
    };
  }

  /** Looks at the stores while nobody changes them. @param signal ends the wait for those who do */
  read<T>(work: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    return this.#lock.read(work, signal);
  }

  /**
   * Changes what others see, alone among all processes.
   *
   * @param signal ends the wait for the others
   * @throws VarveError `locked` while a dockerd has the root
   */
  commit<T>(work: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    return this.#lock.commit(work, signal);
  }

  /** Before long work that ends in a commit: fails where the commit would, and reclaims what dead processes left. */
  async prepareToWrite(signal?: AbortSignal): Promise<void> {
    const doubted = await this.commit(() => {
      this.#leases.sweep();
      this.sweepMounts();
      return [...this.#doubts.all()].filter(([chain]) => !this.#leases.isHeld(chain));
    }, signal);
    await this.layers.cleanup();
    for (const [chain, doubt] of doubted) {
      if (this.layers.has(chain)) await this.layers.get(chain).release();
      doubt[Symbol.dispose]();
    }
  }

  /**
   * For the deletion of what refers to layers: if we die in the midst of it, the next writer deletes those that nothing
   * needs. To be called inside `commit`, and disposed of when the layers are deleted.
   */
  doubt(chains: readonly ChainID[]): Disposable {
    const doubts = chains.map((chain) => this.#doubts.raise(chain));
    return {
      [Symbol.dispose]: () => {
        for (const doubt of doubts) doubt[Symbol.dispose]();
      },
    };
  }

  /** The directory in which containers are mounted whole. */
  get mountPlaces(): string {
    return join(this.root, SIDE, "copying");
  }

  /** Unmounts containers that dead processes were at work on. To be called inside `commit`. */
  sweepMounts(): void {
    sweepMounts(this.mountPlaces, (id) => this.isContainerHeld(id));
  }

  /** Whether anybody is at work on a container. To be called inside `commit`. */
  isContainerHeld(id: string): boolean {
    return this.#leases.isContainerHeld(id);
  }

  /**
   * For work outside the lock: the layers that are handed out inside `Lease.run`, by `LayerStore.get` and by `register`,
   * are kept from other processes' deletions until the lease is disposed of.
   */
  lease(): Lease {
    return this.#leases.open();
  }

  /** The containers that a dockerd with this driver would know. */
  containersHere(): Container[] {
    return this.containers.list().filter(({ driver }) => driver === this.driver.name || driver === "");
  }

  /** A directory for what is only needed for a while, on the root's own file system. */
  temporaryDirectory(): string {
    const path = join(this.root, "tmp");
    makeMissingDirectory(path, 0o700, { uid: 0, gid: 0 });
    return path;
  }

  /**
   * The image that a user's text names: an id, a reference, a prefix of an id, in this order (FORMATS 3.6). To be called
   * inside `read` or `commit`.
   *
   * @throws VarveError `not-found`, `ambiguous`, `invalid-reference`
   */
  find(name: string): FoundImage {
    const named = parseAny(name);
    if (named.kind === "id") {
      if (!this.images.has(named.id)) throw noSuchImage(named.id);
      return { image: this.images.get(named.id) };
    }
    const reference = withDefaultTag(named.reference);
    const id = this.references.find(reference);
    if (id !== undefined) return this.#taggedImage(id, reference, name);
    try {
      return { image: this.images.get(this.images.search(name)) };
    } catch (error) {
      if (isVarveError(error, "not-found")) throw noSuchImage(familiarString(reference));
      throw error;
    }
  }

  #taggedImage(id: ImageID, reference: Reference, name: string): FoundImage {
    if (!this.images.has(id))
      throw new VarveError("not-found", `${familiarString(reference)} points to an image that cannot be used: ${id}`, {
        reference: familiarString(reference),
        image: id,
      });
    const image = this.images.get(id);
    return isIDPrefix(id, name) ? { image } : { image, reference };
  }
}

export interface FoundImage {
  readonly image: Image;
  /** The reference by which it was found, when the text is not also an id of it. */
  readonly reference?: Reference;
}

/** Their modification tells that somebody who moves no stamp of ours, such as a dockerd, was here. */
const WATCHED = [
  "layerdb/sha256",
  "layerdb/mounts",
  "imagedb/content/sha256",
  "imagedb/metadata/sha256",
  "repositories.json",
];

/**
 * Only where a Varve has been at work before, or looking would leave a trace; and never where a dockerd is now. That it
 * cannot be done is no reason to fail.
 */
function leaveIndex(index: StoreIndex, root: string, warn: (message: string) => void): void {
  try {
    if (index.isStale && databaseOfRunningDockerd(root) === undefined) index.save();
  } catch (error) {
    if (!isNoPlaceToWrite(error)) warn(`the index of ${root} could not be written: ${(error as Error).message}`);
  }
  index.forget();
}

/** A migrated layer has its tree together with the v1 graph, which stays what it is until it is removed as a whole. */
function treesOfGraph(root: string, warn: (message: string) => void): (tree: string) => boolean {
  let isTold = false;
  return (tree) => {
    const isKept = existsSync(join(root, "graph", tree));
    if (isKept && !isTold)
      warn(`files of removed layers stay as long as ${root}/graph has them: varve migrate v1 --remove-old removes it`);
    isTold ||= isKept;
    return isKept;
  };
}

function threadsOf(setting: string | undefined): number | undefined {
  if (!setting) return undefined;
  if (/^\d{1,3}$/.test(setting)) return Number(setting);
  throw new VarveError("invalid-argument", `VARVE_THREADS is no number of threads: ${setting}`, { setting });
}

function warnOfOtherDrivers(root: string, driver: string, warn: (message: string) => void): void {
  const others = driversWithImages(root);
  if (others.length === 0 || others.includes(driver)) return;
  warn(`${root} has no images of the driver ${driver}, but some of ${others.join(" and ")}: choose that with --driver`);
}

function isIDPrefix(id: ImageID, text: string): boolean {
  return id.startsWith(text) || id.slice("sha256:".length).startsWith(text);
}

function noSuchImage(name: string): VarveError {
  return new VarveError("not-found", `No such image: ${name}`, { name });
}
