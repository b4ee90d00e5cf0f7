import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LayerProgress } from "../archive/archive.ts";
import { commitContainer } from "../archive/commit.ts";
import { exportContainer } from "../archive/export.ts";
import { importImage } from "../archive/import.ts";
import { type LoadEvent, type LoadedImage, load } from "../archive/load.ts";
import { type SaveFormat, saveImages } from "../archive/save.ts";
import { openStoreSource } from "../archive/store-source.ts";
import { shortID } from "../digest/random-id.ts";
import { asVarveError, VarveError } from "../errors.ts";
import type { Change } from "../fstree/changes.ts";
import type { Image, ImageID } from "../image/image.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { RWLayer } from "../layer/rw-layer.ts";
import { familiarString } from "../reference/reference.ts";
import { fromText, toText } from "../sys/byte-string.ts";
import { type Container, commandOf, configOf } from "./containers.ts";
import { type CopyInOptions, copyIn } from "./copy-in.ts";
import { createContainer } from "./create-container.ts";
import type { StoreEvent } from "./events.ts";
import { archiveOf, type FileEntry, type FileView } from "./file-view.ts";
import { type ImageFilters, matchesLabels, type PruneFilters, parseTimeFilter } from "./filters.ts";
import { ImageFiles } from "./image-files.ts";
import {
  type HistoryEntry,
  type ImageSummary,
  imageHistory,
  imageLayers,
  type LayerSummary,
  labelsOf,
  listImages,
  tagImage,
} from "./images.ts";
import { inspectContainer, inspectImage, statusOf } from "./inspect.ts";
import { MountedFiles } from "./mounted-files.ts";
import { planPrune, planRemoval, type RemovalStep } from "./removal.ts";
import { carryOut, describeSteps, modelOf, type RemovedItem } from "./removal-model.ts";
import { type DiskUsage, diskUsage, type StoreInfo, storeInfo } from "./usage.ts";
import { type FoundImage, type StoreOptions, Workspace } from "./workspace.ts";

/**
 * An open data-root, and everything that the command can do with it.
 *
 * Names are Docker's: an image is named by its id, a reference or a prefix of its id, a container by its id, its name or a
 * prefix of its id. Methods that read see the root as it is at that moment, also after other processes changed it;
 * methods that write fail with `locked` while a dockerd lives on the root. Long work takes an `AbortSignal`: aborted, it
 * fails with `cancelled` and leaves nothing behind.
 *
 * @example
 * await using store = await openStore({ root: "/var/lib/docker" });
 * for (const image of await store.images()) console.log(image.tags, image.size);
 */
export class Store implements AsyncDisposable {
  readonly #workspace: Workspace;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** The data-root, absolute; with user namespace remapping the directory below it that is in use. */
  get root(): string {
    return this.#workspace.root;
  }

  /** The driver's name. */
  get driver(): string {
    return this.#workspace.driver.name;
  }

  /**
   * Takes in the images of an archive (`docker save` of any age, an OCI layout) or of an OCI layout's directory. Layers
   * that are there already are not read.
   *
   * @param source the path of a file, a directory or a pipe; or the bytes as they come
   * @throws VarveError `invalid-archive`, `too-large`, `no-space`; what was loaded before it stays, nothing else does
   * @example
   * await store.load("image.tar", { onEvent: (event) => console.log(event.kind) });
   */
  load(
    source: string | ByteSource,
    options: { signal?: AbortSignal; onEvent?: (event: LoadEvent) => void } = {},
  ): Promise<LoadedImage[]> {
    const workspace = this.#workspace;
    return this.#long(async () => {
      await workspace.prepareToWrite();
      const { limits, events } = workspace;
      const temporary = workspace.temporaryDirectory();
      using lease = workspace.lease();
      const loaded = await lease.run(() => load(source, workspace.stores, { ...options, temporary, limits }));
      for (const { id } of loaded) events.append({ type: "image", action: "load", id, attributes: { name: id } });
      return loaded;
    });
  }

  /**
   * An archive with images: by default the bytes that `docker save` of 20.10 writes. Each layer is verified as it passes;
   * a stream that fails has given no archive.
   *
   * @param names a tag, a name for all its tags, an id or the beginning of one
   * @example
   * await pipeline(store.save(["nginx:latest"]), createWriteStream("nginx.tar"));
   */
  async *save(
    names: readonly string[],
    options: { format?: SaveFormat; signal?: AbortSignal; onEvent?: (event: LayerProgress) => void } = {},
  ): ByteSource {
    const workspace = this.#workspace;
    try {
      using lease = workspace.lease();
      await using source = await lease.run(() => workspace.read(() => openStoreSource(names, workspace.stores)));
      yield* saveImages(source.images, { signal: options.signal, onLayer: options.onEvent });
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /**
   * Makes an image of one layer out of a tar of a file tree, compressed or not.
   *
   * @param options.changes Dockerfile instructions for its config, such as `CMD ["/bin/sh"]`
   * @example
   * await store.import("rootfs.tar.xz", { reference: "base:1", changes: ['CMD ["/bin/sh"]'] });
   */
  import(
    source: string | ByteSource,
    options: {
      reference?: string;
      message?: string;
      changes?: string[];
      signal?: AbortSignal;
      onBytes?: (total: number) => void;
    } = {},
  ): Promise<ImageID> {
    const workspace = this.#workspace;
    return this.#long(async () => {
      await workspace.prepareToWrite();
      using lease = workspace.lease();
      const { stores, limits, events } = workspace;
      const id = await lease.run(() => importImage(source, stores, { ...options, limits }));
      events.append({ type: "image", action: "import", id, attributes: { name: options.reference ?? id } });
      return id;
    });
  }

  /** Newest first; intermediate images only with `all`. */
  images(options: { all?: boolean; filters?: ImageFilters } = {}): Promise<ImageSummary[]> {
    return this.#read(() => listImages(this.#workspace, options, (name) => this.#workspace.find(name).image));
  }

  /** Docker's own JSON of `docker image inspect`. */
  inspect(name: string): Promise<object> {
    return this.#read(async () => {
      const { image } = this.#workspace.find(name);
      if (image.chainID === undefined) return inspectImage(this.#workspace, image, null);
      const layer = this.#workspace.layers.get(image.chainID);
      try {
        return inspectImage(this.#workspace, image, await layer.metadata());
      } finally {
        layer.forget();
      }
    });
  }

  /** The config as it was stored, byte for byte: its SHA-256 is the image's id. */
  config(name: string): Promise<Buffer> {
    return this.#read(() => this.#workspace.find(name).image.raw);
  }

  /** How the image came about, newest first. */
  history(name: string): Promise<HistoryEntry[]> {
    return this.#read(() => imageHistory(this.#workspace, this.#workspace.find(name).image));
  }

  /** The image's layers, bottom first. */
  layers(name: string): Promise<LayerSummary[]> {
    return this.#read(() => imageLayers(this.#workspace, this.#workspace.find(name).image));
  }

  /** Gives an image one more name, taking that name from the image that had it. */
  tag(source: string, target: string): Promise<void> {
    return this.#commit(() => {
      tagImage(this.#workspace, this.#workspace.find(source).image, target);
    });
  }

  /**
   * Removes a reference, or an image with all that only it needs, by Docker's rules.
   *
   * @param options.force removes an image with several tags, or one that a stopped container uses
   * @param options.noPrune keeps untagged parents
   * @param options.dryRun only tells what would go
   * @returns what went, in order
   * @throws VarveError `conflict` with Docker's text
   */
  remove(name: string, options: { force?: boolean; noPrune?: boolean; dryRun?: boolean } = {}): Promise<RemovedItem[]> {
    const plan = (): RemovalStep[] => {
      const { image, reference }: FoundImage = this.#workspace.find(name);
      const target = { image: image.id, ...(reference === undefined ? {} : { reference }) };
      const { force = false, noPrune = false } = options;
      return planRemoval(modelOf(this.#workspace), target, { force, prune: !noPrune });
    };
    if (options.dryRun === true) return this.#read(() => describeSteps(plan()));
    return this.#commit(() => carryOut(this.#workspace, plan()));
  }

  /**
   * Removes dangling images, or with `all` every image without a container.
   *
   * @returns what went, and the bytes of the layers among it
   */
  prune(
    options: { all?: boolean; filters?: PruneFilters; dryRun?: boolean } = {},
  ): Promise<{ removed: RemovedItem[]; reclaimed: number }> {
    const { all = false, filters = {}, dryRun = false } = options;
    const work = async (): Promise<{ removed: RemovedItem[]; reclaimed: number }> => {
      const sizes = this.#workspace.layers.map();
      const steps = planPrune(modelOf(this.#workspace), this.#pruneCandidates(all, filters), all);
      const removed = dryRun ? describeSteps(steps) : await carryOut(this.#workspace, steps);
      const reclaimed = removed.reduce(
        (sum, item) => sum + ("deleted" in item ? (sizes.get(item.deleted as ImageID)?.size ?? 0) : 0),
        0,
      );
      return { removed, reclaimed };
    };
    return dryRun ? this.#read(work) : this.#commit(work);
  }

  /**
   * Makes a container that does not run: a writable layer on the image, with Docker's own record. Needs root.
   *
   * @returns its id
   */
  create(image: string, options: { name?: string } = {}): Promise<string> {
    return this.#long(async () => {
      await this.#workspace.prepareToWrite();
      const found = await this.#workspace.read(() => this.#workspace.find(image).image);
      return await createContainer(this.#workspace, found, { name: options.name, imageName: image });
    });
  }

  /** Newest first. With `size` also what each container wrote, which takes a look at its files. */
  containers(options: { size?: boolean } = {}): Promise<ContainerSummary[]> {
    return this.#read(async () => {
      const { containers, layers, references, warn } = this.#workspace;
      const summaries: ContainerSummary[] = [];
      for (const container of containers.list(warn)) {
        const config = container.record.Config as { Image?: string } | undefined;
        const named = config?.Image ?? "";
        const tagged = references
          .referencesOf(container.image)
          .some((reference) => familiarString(reference) === named);
        summaries.push({
          id: container.id,
          name: container.name,
          image: tagged || named === "" ? named || shortID(container.image) : named,
          imageID: container.image,
          created: container.created,
          command: commandOf(container),
          status: statusOf(container),
          ...(options.size === true && layers.hasRW(container.id)
            ? { size: await layers.getRW(container.id).size() }
            : {}),
        });
      }
      return summaries;
    });
  }

  /** Docker's JSON of `docker container inspect`, as far as the records tell. */
  inspectContainer(name: string): Promise<object> {
    return this.#read(async () => {
      const container = this.#workspace.containers.find(name);
      const host = readFileSync(join(this.root, "containers", container.id, "hostconfig.json"), "utf8");
      return inspectContainer(container, await this.#writable(container).metadata(), JSON.parse(host));
    });
  }

  /** What a container changed, as `docker diff`. */
  diff(name: string): Promise<{ kind: "C" | "A" | "D"; path: string }[]> {
    return this.#long(async () => {
      const layer = await this.#workspace.read(() => this.#writable(this.#workspace.containers.find(name)));
      return (await layer.changes()).map(({ kind, path }) => ({ kind: LETTERS[kind], path: toText(path) }));
    });
  }

  /**
   * Makes an image of what a container holds. Needs root.
   *
   * @param options.changes Dockerfile instructions for its config
   */
  commit(
    name: string,
    options: {
      reference?: string;
      author?: string;
      message?: string;
      changes?: string[];
      signal?: AbortSignal;
    } = {},
  ): Promise<ImageID> {
    const workspace = this.#workspace;
    return this.#long(async () => {
      await workspace.prepareToWrite();
      const source = await workspace.read(() => {
        const container = workspace.containers.find(name);
        const { id, image } = container;
        return { id, image, config: configOf(container), layer: this.#writable(container) };
      });
      using lease = workspace.lease();
      const image = await lease.run(() => commitContainer(source, workspace.stores, options));
      const attributes = {
        imageID: image,
        ...(options.reference === undefined ? {} : { imageRef: options.reference }),
      };
      workspace.events.append({ type: "container", action: "commit", id: source.id, attributes });
      return image;
    });
  }

  /** A tar of a container's whole file system, as `docker export`. Needs root. */
  async *export(name: string, options: { signal?: AbortSignal } = {}): ByteSource {
    try {
      const { containers, driver, warn } = this.#workspace;
      const layer = await this.#workspace.read(() => this.#writable(containers.find(name)));
      yield* exportContainer(layer, { idMap: driver.idMap, signal: options.signal, onWarning: warn });
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /**
   * Deletes a container and its writable layer.
   *
   * @param options.force also when its record says that it runs
   */
  removeContainer(name: string, options: { force?: boolean; dryRun?: boolean } = {}): Promise<void> {
    const check = (): Container => {
      const container = this.#workspace.containers.find(name);
      if (container.running && options.force !== true)
        throw new VarveError(
          "conflict",
          `You cannot remove a running container ${container.id}. Stop the container before attempting removal or force remove`,
          { container: container.id },
        );
      return container;
    };
    if (options.dryRun === true) return this.#read(() => void check());
    return this.#commit(async () => {
      const container = check();
      const { layers, containers, events } = this.#workspace;
      if (layers.hasRW(container.id)) await layers.releaseRW(layers.getRW(container.id));
      containers.remove(container.id);
      events.append({ type: "container", action: "destroy", id: container.id, attributes: { name: container.name } });
    });
  }

  /**
   * Mounts a container's file system, or an image's read-only one, until `unmount`, also of a later process. Needs root,
   * except for what is one directory anyway.
   *
   * @returns where
   */
  mount(name: string): Promise<string> {
    return this.#commit(async () => {
      const container = this.#findContainer(name);
      if (container !== undefined) return await this.#writable(container).mount();
      return await this.#workspace.driver.get(this.#topTree(name), { readOnly: true });
    });
  }

  /** Undoes one `mount`. */
  unmount(name: string): Promise<void> {
    return this.#commit(async () => {
      const container = this.#findContainer(name);
      if (container !== undefined) await this.#writable(container).unmount();
      else await this.#workspace.driver.put(this.#topTree(name));
    });
  }

  /** What a path in a container or an image is. @param options.follow a link at the end, too */
  stat(target: string, path: string, options: { follow?: boolean } = {}): Promise<FileEntry> {
    return this.#view(target, async (view) => view.stat(fromText(path), options));
  }

  /** What a directory in a container or an image holds, by name. */
  list(target: string, path: string): Promise<FileEntry[]> {
    return this.#view(target, async (view) => view.list(fromText(path)));
  }

  /**
   * The content of a file in a container or an image.
   *
   * @example
   * for await (const chunk of store.read("nginx", "/etc/passwd")) process.stdout.write(chunk);
   */
  async *read(target: string, path: string): ByteSource {
    yield* this.#streamOf(target, (view) => view.read(fromText(path)));
  }

  /** A tar of a file or directory in a container or an image, under its last name, as `docker cp` gets it. */
  async *archive(target: string, path: string): ByteSource {
    yield* this.#streamOf(target, (view) => archiveOf(view, fromText(path)));
  }

  /** Unpacks a tar into a directory of a container. Needs root. */
  copyIn(name: string, path: string, tar: ByteSource, options: CopyInOptions = {}): Promise<void> {
    return this.#long(async () => {
      await this.#workspace.prepareToWrite();
      const layer = await this.#workspace.read(() => this.#writable(this.#workspace.containers.find(name)));
      const mounted = await layer.mount();
      try {
        await copyIn(mounted, fromText(path), tar, this.#workspace.driver.idMap, options);
      } finally {
        await layer.unmount();
      }
    });
  }

  /** What takes how much room. */
  df(): Promise<DiskUsage> {
    return this.#read(() => diskUsage(this.#workspace));
  }

  info(): Promise<StoreInfo> {
    return this.#read(() => storeInfo(this.#workspace));
  }

  /**
   * What happens on the root, whoever does it, as long as it is Varve. Times are nanoseconds since the epoch; without
   * `until` it goes on until the signal aborts.
   */
  events(options: { since?: bigint; until?: bigint; signal?: AbortSignal } = {}): AsyncIterable<StoreEvent> {
    return this.#workspace.events.read(options);
  }

  /** Nothing may be under way any more. */
  async close(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #findContainer(name: string): Container | undefined {
    try {
      return this.#workspace.containers.find(name);
    } catch (error) {
      if (error instanceof VarveError && error.code === "not-found") return undefined;
      throw error;
    }
  }

  #writable({ id, driver }: Container): RWLayer {
    if (this.#workspace.layers.hasRW(id)) return this.#workspace.layers.getRW(id);
    const reason = driver === this.driver ? "its writable layer cannot be used" : `it belongs to the driver ${driver}`;
    throw new VarveError("not-found", `container ${shortID(id)}: ${reason}`, { container: id, driver });
  }

  #topTree(name: string): string {
    const { image } = this.#workspace.find(name);
    if (image.chainID === undefined)
      throw new VarveError("invalid-argument", `${name} has no layers to mount`, { image: image.id });
    return this.#workspace.layers.map().get(image.chainID)!.cacheID;
  }

  #pruneCandidates(all: boolean, filters: PruneFilters): ImageID[] {
    const { images } = this.#workspace;
    const until = filters.until === undefined ? undefined : parseTimeFilter(filters.until) / 1000;
    return [...(all ? images.map() : images.heads())]
      .filter(([, { config }]) => {
        const labels = labelsOf(config.config);
        if (until !== undefined && config.created.seconds > until) return false;
        if (filters.label !== undefined && !matchesLabels(labels, filters.label)) return false;
        return !(filters["label!"] ?? []).some((label) => matchesLabels(labels, [label]));
      })
      .map(([id]) => id);
  }

  async #view<T>(target: string, work: (view: FileView) => Promise<T>): Promise<T> {
    return await this.#long(async () => {
      await using opened = await this.#open(target);
      return await work(opened.view);
    });
  }

  async *#streamOf(target: string, stream: (view: FileView) => ByteSource): ByteSource {
    try {
      await using opened = await this.#open(target);
      yield* stream(opened.view);
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /** What is opened last is closed first. */
  async #open(target: string): Promise<AsyncDisposable & { view: FileView }> {
    const workspace = this.#workspace;
    const closers: (() => unknown)[] = [];
    const close = async (): Promise<void> => {
      for (const closer of closers.splice(0).reverse()) await closer();
    };
    try {
      const lease = workspace.lease();
      closers.push(() => lease[Symbol.dispose]());
      const found = await lease.run(() =>
        workspace.read(() => {
          const container = this.#findContainer(target);
          if (container !== undefined) return this.#writable(container);
          return this.#chainsOf(workspace.find(target).image).map((chain) => {
            const layer = workspace.layers.get(chain);
            closers.push(() => layer.release());
            return layer;
          });
        }),
      );
      const view = Array.isArray(found)
        ? await ImageFiles.open(found)
        : new MountedFiles(await found.mount(), workspace.driver.idMap, () => found.unmount());
      closers.push(() => view[Symbol.asyncDispose]());
      return { view, [Symbol.asyncDispose]: close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  #chainsOf(image: Image): ImageID[] {
    return imageLayers(this.#workspace, image).map(({ chainID }) => chainID);
  }

  #read<T>(work: () => Promise<T> | T): Promise<T> {
    return this.#long(() => this.#workspace.read(work));
  }

  #commit<T>(work: () => Promise<T> | T): Promise<T> {
    return this.#long(() => this.#workspace.commit(work));
  }

  async #long<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asVarveError(error);
    }
  }
}

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  /** As the user named it. */
  readonly image: string;
  readonly imageID: ImageID;
  readonly created: string;
  readonly command: string;
  readonly status: string;
  readonly size?: number;
}

/**
 * Opens a data-root. Nothing is written before the first change.
 *
 * @throws VarveError `conflict` when several drivers have left trees there, `permission` when it cannot be read
 */
export async function openStore(options: StoreOptions = {}): Promise<Store> {
  try {
    return new Store(await Workspace.open(options));
  } catch (error) {
    throw asVarveError(error);
  }
}

const LETTERS: Readonly<Record<Change["kind"], "C" | "A" | "D">> = { modified: "C", added: "A", deleted: "D" };
