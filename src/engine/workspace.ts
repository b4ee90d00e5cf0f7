import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Stores } from "../archive/archive.ts";
import type { Driver, Durability } from "../driver/driver.ts";
import { openDriver } from "../driver/select.ts";
import { isVarveError, VarveError } from "../errors.ts";
import { FileBackend } from "../image/file-backend.ts";
import type { Image, ImageID } from "../image/image.ts";
import { ImageStore } from "../image/store.ts";
import { FileMetadata } from "../layer/file-metadata.ts";
import { LayerStore } from "../layer/store.ts";
import { familiarString, parseAny, type Reference, withDefaultTag } from "../reference/reference.ts";
import { ReferenceStore } from "../reference/reference-store.ts";
import { ContainerRecords } from "./containers.ts";
import { type DataRoot, locateDataRoot } from "./data-root.ts";
import { refuseRunningDockerd } from "./dockerd.ts";
import { EventLog } from "./events.ts";
import { type Lease, Leases } from "./leases.ts";
import { RootLock } from "./root-lock.ts";

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
   * How many worker threads may unpack layers beside each other; 0 for none. By default `VARVE_THREADS`, else as many as
   * there are cores, at most six, and none for little work.
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
  readonly events: EventLog;
  readonly warn: (message: string) => void;
  readonly #dataRoot: DataRoot;
  readonly #lock: RootLock;
  readonly #leases: Leases;

  static async open(options: StoreOptions = {}): Promise<Workspace> {
    const dataRoot = locateDataRoot(options.root, options.usernsRemap);
    const durability = options.durability ?? "layer";
    const driver = await openDriver(dataRoot.path, { name: options.driver, idMap: dataRoot.idMap, durability });
    const warn = options.onWarning ?? (() => {});
    const side = join(dataRoot.path, "varve");
    const metadata = join(dataRoot.path, "image", driver.name);
    const leases = new Leases(join(side, "leases"));
    const stores: { refresh(): void | Promise<void> }[] = [];
    const lock = new RootLock(side, {
      watched: WATCHED.map((name) => join(metadata, name)),
      refresh: async () => {
        for (const store of stores) await store.refresh();
      },
      beforeCommit: () => refuseRunningDockerd(dataRoot.path),
    });
    const sync = durability !== "none";
    lock.noteStamp();
    const layers = await LayerStore.open({
      driver,
      metadata: new FileMetadata(join(metadata, "layerdb"), { sync }),
      commit: (work) => lock.commit(work),
      heldElsewhere: (chain) => leases.heldElsewhere(chain),
      onHandOut: (chain) => leases.holdInScope(chain),
      onWarning: warn,
      threads: options.threads ?? threadsOf(process.env.VARVE_THREADS),
    });
    const backend = new FileBackend(join(metadata, "imagedb"), { sync });
    const images = ImageStore.open({ backend, layers, os: "linux", onWarning: warn });
    const references = ReferenceStore.open(join(metadata, "repositories.json"), { sync: durability === "strict" });
    stores.push(layers, images, references);
    return new Workspace({ dataRoot, driver, durability, layers, images, references, lock, leases, warn, options });
  }

  private constructor(parts: {
    dataRoot: DataRoot;
    driver: Driver;
    durability: Durability;
    layers: LayerStore;
    images: ImageStore;
    references: ReferenceStore;
    lock: RootLock;
    leases: Leases;
    warn: (message: string) => void;
    options: StoreOptions;
  }) {
    this.root = parts.dataRoot.path;
    this.driver = parts.driver;
    this.durability = parts.durability;
    this.limits = parts.options.limits ?? {};
    this.layers = parts.layers;
    this.images = parts.images;
    this.references = parts.references;
    this.containers = new ContainerRecords(join(this.root, "containers"));
    this.events = new EventLog(join(this.root, "varve", "events.jsonl"));
    this.warn = parts.warn;
    this.#dataRoot = parts.dataRoot;
    this.#lock = parts.lock;
    this.#leases = parts.leases;
  }

  /** What the ways in and out work on. */
  get stores(): Stores {
    const { layers, images, references } = this;
    return { layers, images, references, commit: (work) => this.commit(work) };
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
    return this.#lock.commit(async () => {
      this.#makeRoot();
      return await work();
    }, signal);
  }

  /** Before long work that ends in a commit: fails where the commit would, and reclaims what dead processes left. */
  async prepareToWrite(signal?: AbortSignal): Promise<void> {
    await this.commit(async () => {
      this.#leases.sweep();
      await this.layers.cleanup();
    }, signal);
  }

  /**
   * For work outside the lock: the layers that are handed out inside `Lease.run`, by `LayerStore.get` and by `register`,
   * are kept from other processes' deletions until the lease is disposed of.
   */
  lease(): Lease {
    return this.#leases.open();
  }

  /** A directory for what is only needed for a while, on the root's own file system. */
  temporaryDirectory(): string {
    const path = join(this.root, "tmp");
    mkdirSync(path, { recursive: true, mode: 0o700 });
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
      if (!this.images.has(named.id)) throw noSuchImage(name);
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

  #makeRoot(): void {
    mkdirSync(this.#dataRoot.path, { recursive: true, mode: 0o710 });
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

function threadsOf(setting: string | undefined): number | undefined {
  if (!setting) return undefined;
  if (/^\d{1,3}$/.test(setting)) return Number(setting);
  throw new VarveError("invalid-argument", `VARVE_THREADS is no number of threads: ${setting}`, { setting });
}

function isIDPrefix(id: ImageID, text: string): boolean {
  return id.startsWith(text) || id.slice("sha256:".length).startsWith(text);
}

function noSuchImage(name: string): VarveError {
  return new VarveError("not-found", `No such image: ${name}`, { name });
}
