import { join } from "node:path";
import type { Writable } from "node:stream";
import type { ImageSource, LayerProgress } from "../archive/archive.ts";
import type { LoadEvent, LoadedImage } from "../archive/load.ts";
import type { SaveFormat } from "../archive/save.ts";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import type { Change } from "../fstree/changes.ts";
import type { ImageID } from "../image/image.ts";
import { abortable, type ByteSource, copies } from "../io/byte-source.ts";
import { familiarString, parseNormalized, withDefaultTag } from "../reference/reference.ts";
import { type ByteString, fromBytes, fromText, toText } from "../sys/byte-string.ts";
import type { ContainerFilters } from "./container-filter.ts";
import { type ContainerSummary, listContainers, sizeBelow, writtenSizes } from "./container-list.ts";
import type { ContainerPath } from "./container-path.ts";
import { type Container, configOf, eventAttributes } from "./containers.ts";
import type { CopyInOptions } from "./copy-in.ts";
import { SIDE } from "./data-root.ts";
import type { StoreEvent } from "./events.ts";
import type { FileEntry, FileView } from "./file-view.ts";
import { type ImageFilters, matchesLabels, type PruneFilters, parseTimeFilter } from "./filters.ts";
import { findContainer, holdContainer, writableOf } from "./held-container.ts";
import {
  type HistoryEntry,
  type ImageSummary,
  imageHistory,
  imageLayers,
  type LayerSummary,
  labelsOf,
  listImages,
  tagImage,
  tellOfImage,
} from "./images.ts";
import { type InspectedImage, inspectImage } from "./inspect.ts";
import { type InspectedContainer, inspectContainer } from "./inspect-container.ts";
import { planPrune } from "./removal.ts";
import { carryOut, describeSteps, modelOf, planNamed, type RemovedItem } from "./removal-model.ts";
import { type DiskUsage, diskUsage, type StoreInfo, storeInfo } from "./usage.ts";
import { listVolumes, type VolumeFilters, type VolumeSummary, withSizes } from "./volume-list.ts";
import { type StoreOptions, Workspace } from "./workspace.ts";

/**
 * An open data-root, and everything that the command can do with it. `openStore` opens one.
 *
 * Names are Docker's: an image is named by its id, a reference or a prefix of its id, a container by its id, its name or a
 * prefix of its id. Methods that read see the root as it is at that moment, also after other processes changed it;
 * methods that write fail with `locked` while a dockerd lives on the root. Whatever fails, fails with a `VarveError`.
 *
 * Long work takes an `AbortSignal`: aborted, it fails with `cancelled` and leaves nothing behind. Methods that give a
 * `ByteSource` begin when it is first read, and fail there; who does not read to the end leaves the loop or calls
 * `return`. The chunks are the reader's to keep, so the stream may be piped and collected (`Readable.from`,
 * `Array.fromAsync`).
 *
 * @example
 * await using store = await openStore({ root: "/var/lib/docker" });
 * for (const image of await store.images()) console.log(image.tags, image.size);
 */
export class Store implements AsyncDisposable {
  readonly #workspace: Workspace;

  private constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** What `openStore` does. */
  static async open(options: StoreOptions = {}): Promise<Store> {
    try {
      return new Store(await Workspace.open(options));
    } catch (error) {
      throw asVarveError(error);
    }
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
   * @param source the path of a file, a directory or a pipe; or the bytes as they come, such as a `Readable`
   * @throws VarveError `invalid-archive`, `too-large`, `no-space`; the images before the bad one stay, nothing else does
   * @example
   * await store.load("image.tar", { onEvent: (event) => console.log(event.kind) });
   */
  load(
    source: string | ByteSource,
    options: { signal?: AbortSignal | undefined; onEvent?: ((event: LoadEvent) => void) | undefined } = {},
  ): Promise<LoadedImage[]> {
    const workspace = this.#workspace;
    return this.#long(async () => {
      const { load } = await import("../archive/load.ts");
      await workspace.prepareToWrite(options.signal);
      const { limits } = workspace;
      const temporary = workspace.temporaryDirectory();
      const onEvent = (event: LoadEvent): void => {
        if (event.kind === "image") tellOfImage(workspace, "load", event.id);
        options.onEvent?.(event);
      };
      return await load(source, workspace.stores, { ...options, onEvent, temporary, limits });
    });
  }

  /**
   * An archive with images: by default the bytes that `docker save` of 20.10 writes. Each layer is verified as it passes;
   * a stream that fails has given no archive.
   *
   * @param names a tag, a name for all its tags, an id or the beginning of one
   * @param options.format `docker` unless said
   * @throws VarveError `not-found`, `ambiguous`, `unsupported` for an image without layers, `corrupt`
   * @example
   * await pipeline(store.save(["nginx:latest"]), createWriteStream("nginx.tar"));
   */
  async *save(
    names: readonly string[],
    options: {
      format?: SaveFormat | undefined;
      signal?: AbortSignal | undefined;
      onEvent?: ((event: LayerProgress) => void) | undefined;
    } = {},
  ): ByteSource {
    const { format, signal, onEvent } = options;
    try {
      const { saveImages } = await import("../archive/save.ts");
      await using source = await this.#imagesToSave(names, signal);
      yield* copies(saveImages(source.images, { format, signal, onLayer: onEvent }));
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /**
   * Writes what `save` gives to an open file or a stream, and is quicker at it. A regular file is written from its
   * beginning, several layers at a time and not in order; it is whole when this returns, and holds anything after a failure.
   * What else is written to gets the bytes as it takes them. Neither is closed or ended.
   *
   * @param output a descriptor that is open for writing, or a `Writable`
   * @returns how many bytes there are
   * @throws VarveError as `save`; `no-space` and other failures of the output
   * @example
   * await using file = await open("nginx.tar", "w");
   * await store.saveTo(file.fd, ["nginx:latest"]);
   */
  saveTo(
    output: number | Writable,
    names: readonly string[],
    options: {
      format?: SaveFormat | undefined;
      signal?: AbortSignal | undefined;
      onEvent?: ((event: LayerProgress) => void) | undefined;
    } = {},
  ): Promise<number> {
    const { format, signal, onEvent } = options;
    return this.#long(async () => {
      const { saveImagesTo } = await import("../archive/save.ts");
      await using source = await this.#imagesToSave(names, signal);
      return await saveImagesTo(output, source.images, { format, signal, onLayer: onEvent });
    });
  }

  /**
   * Makes an image of one layer out of a tar of a file tree, compressed or not.
   *
   * @param source a path, or the bytes as they come
   * @param options.reference what it is to be called; without it the image has no name
   * @param options.message the comment in its history
   * @param options.changes Dockerfile instructions for its config, such as `CMD ["/bin/sh"]`
   * @param options.onBytes told how much of the uncompressed tar has been read
   * @example
   * await store.import("rootfs.tar.xz", { reference: "base:1", changes: ['CMD ["/bin/sh"]'] });
   */
  import(
    source: string | ByteSource,
    options: {
      reference?: string | undefined;
      message?: string | undefined;
      changes?: readonly string[] | undefined;
      signal?: AbortSignal | undefined;
      onBytes?: ((total: number) => void) | undefined;
    } = {},
  ): Promise<ImageID> {
    const workspace = this.#workspace;
    return this.#long(async () => {
      const { importImage } = await import("../archive/import.ts");
      await workspace.prepareToWrite(options.signal);
      using lease = workspace.lease();
      const { stores, limits } = workspace;
      const id = await lease.run(() => importImage(source, stores, { ...options, limits }));
      if (options.reference) tellOfImage(workspace, "tag", id, familiarString(parseNormalized(options.reference)));
      tellOfImage(workspace, "import", id);
      return id;
    });
  }

  /** Newest first; intermediate images only with `all`. */
  images(options: { all?: boolean | undefined; filters?: ImageFilters | undefined } = {}): Promise<ImageSummary[]> {
    return this.#read(() => listImages(this.#workspace, options, (name) => this.#workspace.find(name).image));
  }

  /** Docker's own document of `docker image inspect`. @throws VarveError `not-found`, `ambiguous` */
  inspect(name: string): Promise<InspectedImage> {
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
   * @param options.signal heeded between two images; what went before that is gone
   * @returns what went, in order
   * @throws VarveError `conflict` with Docker's text
   */
  remove(
    name: string,
    options: {
      force?: boolean | undefined;
      noPrune?: boolean | undefined;
      dryRun?: boolean | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<RemovedItem[]> {
    const { dryRun = false, signal } = options;
    if (dryRun) return this.#read(() => describeSteps(planNamed(this.#workspace, name, options)), signal);
    return this.#commit(() => carryOut(this.#workspace, planNamed(this.#workspace, name, options), signal), signal);
  }

  /**
   * What one `remove` after the other would take. The answers are in the order of the names; a name that cannot be removed
   * any more by then, or not at all, has the error of its `remove`.
   */
  previewRemoval(
    names: readonly string[],
    options: { force?: boolean | undefined; noPrune?: boolean | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<(RemovedItem[] | VarveError)[]> {
    return this.#read(() => {
      const model = modelOf(this.#workspace);
      return names.map((name) => {
        try {
          return describeSteps(planNamed(this.#workspace, name, options, model));
        } catch (error) {
          if (isVarveError(error)) return error;
          throw error;
        }
      });
    }, options.signal);
  }

  /**
   * Removes dangling images, or with `all` every image without a container.
   *
   * @param options.dryRun only tells what would go
   * @param options.signal heeded between two images; what went before that is gone
   * @returns what went, and the bytes of the layers among it
   */
  prune(
    options: {
      all?: boolean | undefined;
      filters?: PruneFilters | undefined;
      dryRun?: boolean | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<{ removed: RemovedItem[]; reclaimed: number }> {
    const { all = false, filters = {}, dryRun = false, signal } = options;
    const work = async (): Promise<{ removed: RemovedItem[]; reclaimed: number }> => {
      const sizes = this.#workspace.layers.map();
      const steps = planPrune(modelOf(this.#workspace), this.#pruneCandidates(all, filters), all);
      const removed = dryRun ? describeSteps(steps) : await carryOut(this.#workspace, steps, signal);
      const reclaimed = removed.reduce(
        (sum, item) => sum + ("deleted" in item ? (sizes.get(item.deleted as ImageID)?.size ?? 0) : 0),
        0,
      );
      if (!dryRun) {
        const attributes = { reclaimed: `${reclaimed}` };
        this.#workspace.events.append({ type: "image", action: "prune", id: "", attributes });
      }
      return { removed, reclaimed };
    };
    return dryRun ? this.#read(work, signal) : this.#commit(work, signal);
  }

  /**
   * Makes a container that does not run: a writable layer on the image, with Docker's own record and volumes. Needs root.
   *
   * @param image nothing for a container from scratch
   * @param options.config Docker's `Config`, the own fields of what clients send to create a container; merged with the
   *   image's as Docker merges them
   * @param options.hostConfig Docker's `HostConfig`
   * @param options.networkingConfig Docker's `NetworkingConfig`
   * @param options.onWarning told, in Docker's words, of what was asked for and will not be
   * @returns its id
   * @throws VarveError `not-found`, `conflict` for a name in use, `invalid-argument` with Docker's text for what Docker refuses
   * @example
   * await store.create("nginx", { name: "web", config: { Env: ["A=b"] }, hostConfig: { Binds: ["/srv:/srv:ro"] } });
   */
  create(
    image: string,
    options: {
      name?: string | undefined;
      config?: object | undefined;
      hostConfig?: object | undefined;
      networkingConfig?: object | undefined;
      onWarning?: ((message: string) => void) | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<string> {
    return this.#long(async () => {
      await this.#workspace.prepareToWrite(options.signal);
      const { createContainer } = await import("./create-container.ts");
      return await createContainer(this.#workspace, image, options);
    });
  }

  /**
   * Newest first. With `size` also what each container wrote, which takes a look at its files, and root.
   *
   * @param options.all `false` for those that run
   * @param options.limit the newest so many
   * @param options.filters as those of `docker ps`
   * @throws VarveError `invalid-argument` with Docker's text for filters that it refuses
   * @example
   * await store.containers({ filters: { status: ["created"], label: ["stage=prod"] } });
   */
  containers(
    options: {
      all?: boolean | undefined;
      limit?: number | undefined;
      size?: boolean | undefined;
      filters?: ContainerFilters | undefined;
    } = {},
  ): Promise<ContainerSummary[]> {
    return this.#long(async () => {
      const summaries = await this.#workspace.read(() => listContainers(this.#workspace, options));
      if (options.size !== true) return summaries;
      const sizes = await this.#sizesOf(summaries.map(({ id }) => id));
      return summaries.map((summary) => ({ ...summary, ...sizes.get(summary.id) }));
    });
  }

  /**
   * Docker's document of `docker container inspect`, as far as the records tell.
   *
   * @param options.size whether it tells what the container wrote, which takes a look at its files, and root
   */
  async inspectContainer(name: string, options: { size?: boolean | undefined } = {}): Promise<InspectedContainer> {
    const inspected = await this.#read(() => this.#inspected(this.#workspace.containers.find(name)));
    if (options.size !== true) return inspected;
    const sizes = (await this.#long(() => this.#sizesOf([inspected.Id]))).get(inspected.Id);
    return await this.#read(() => this.#inspected(this.#workspace.containers.find(inspected.Id), sizes));
  }

  /** The same of all containers, newest first, but for those that cannot be used. */
  inspectContainers(): Promise<InspectedContainer[]> {
    return this.#read(async () => {
      const inspected: InspectedContainer[] = [];
      for (const container of this.#workspace.containersHere()) {
        if (!this.#workspace.layers.hasRW(container.id)) continue;
        try {
          inspected.push(await this.#inspected(container));
        } catch (error) {
          if (!isVarveError(error, "corrupt")) throw error;
          this.#workspace.warn(error.message);
        }
      }
      return inspected;
    });
  }

  /** What a container changed, as `docker diff`: `C` for changed, `A` for added, `D` for deleted. */
  diff(name: string): Promise<{ kind: "C" | "A" | "D"; path: string }[]> {
    return this.#long(async () => {
      using lease = this.#workspace.lease();
      const { layer } = await this.#workspace.read(() => holdContainer(this.#workspace, name, lease));
      return (await layer.changes()).map(({ kind, path }) => ({ kind: LETTERS[kind], path: toText(path) }));
    });
  }

  /**
   * Makes an image of what a container holds. Needs root.
   *
   * @param options.config Docker's `Config`, what the image's begins with in place of the container's
   * @param options.changes Dockerfile instructions for its config
   */
  commit(
    name: string,
    options: {
      reference?: string | undefined;
      author?: string | undefined;
      message?: string | undefined;
      config?: object | undefined;
      changes?: readonly string[] | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<ImageID> {
    const workspace = this.#workspace;
    return this.#long(async () => {
      const { commitContainer } = await import("../archive/commit.ts");
      const { readConfig } = await import("./container/request.ts");
      const config = readConfig(options.config);
      await workspace.prepareToWrite(options.signal);
      using lease = workspace.lease();
      const source = await workspace.read(() => {
        const { container, layer } = holdContainer(workspace, name, lease);
        const attributes = eventAttributes(container);
        return { id: container.id, image: container.image, config: configOf(container), layer, attributes };
      });
      const image = await lease.run(() => commitContainer(source, workspace.stores, { ...options, config }));
      const named = options.reference ? familiarString(withDefaultTag(parseNormalized(options.reference))) : undefined;
      if (named !== undefined) tellOfImage(workspace, "tag", image, named);
      const attributes = {
        ...source.attributes,
        comment: options.message ?? "",
        imageID: image,
        imageRef: named ?? "",
      };
      workspace.events.append({ type: "container", action: "commit", id: source.id, attributes });
      return image;
    });
  }

  /** A tar of a container's whole file system, as `docker export`. Needs root. */
  async *export(name: string, options: { signal?: AbortSignal | undefined } = {}): ByteSource {
    try {
      const { exportContainer } = await import("../archive/export.ts");
      const { driver, warn } = this.#workspace;
      using lease = this.#workspace.lease();
      const { layer } = await this.#workspace.read(() => holdContainer(this.#workspace, name, lease));
      yield* copies(exportContainer(layer, { idMap: driver.idMap, signal: options.signal, onWarning: warn }));
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /** Gives a container another name. @throws VarveError `not-found`, `invalid-argument`, `conflict` with Docker's texts */
  rename(name: string, newName: string): Promise<void> {
    return this.#commit(async () => {
      const { renameContainer } = await import("./rename-container.ts");
      renameContainer(this.#workspace, name, newName);
    });
  }

  /**
   * Deletes the containers that do not run.
   *
   * @param options.filters `until` for those made before, `label` and `label!`
   * @param options.dryRun only tells what would go
   * @param options.signal heeded between two containers; what went before that is gone
   * @returns the ids of what went, and the bytes that it had written
   */
  pruneContainers(
    options: {
      filters?: PruneFilters | undefined;
      dryRun?: boolean | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<{ removed: string[]; reclaimed: number }> {
    return this.#long(async () => {
      const { pruneContainers } = await import("./container-prune.ts");
      return await pruneContainers(this.#workspace, options);
    });
  }

  /**
   * Deletes a container and its writable layer.
   *
   * @param options.force also when its record says that it runs
   * @param options.volumes also its volumes without a name that no other container has
   * @param options.dryRun only tells, by not failing, that it could be deleted
   * @returns its id
   */
  removeContainer(
    name: string,
    options: { force?: boolean | undefined; volumes?: boolean | undefined; dryRun?: boolean | undefined } = {},
  ): Promise<string> {
    return this.#long(async () => {
      const { removeContainer } = await import("./container-removal.ts");
      return await removeContainer(this.#workspace, name, options);
    });
  }

  /**
   * Mounts a container's file system, or an image's read-only one, until `unmount`, also of a later process. Needs root.
   *
   * @returns where
   */
  mount(name: string): Promise<string> {
    return this.#commit(async () => {
      const container = findContainer(this.#workspace, name);
      if (container !== undefined) return await writableOf(this.#workspace, container).mount();
      const { id, tree } = this.#topTree(name);
      return await this.#workspace.imageMounts.mount(id, tree);
    });
  }

  /** Undoes one `mount`. */
  unmount(name: string): Promise<void> {
    return this.#commit(async () => {
      const container = findContainer(this.#workspace, name);
      if (container !== undefined) return await writableOf(this.#workspace, container).unmount();
      const { id, tree } = this.#topTree(name);
      await this.#workspace.imageMounts.unmount(id, tree);
    });
  }

  /**
   * What a path in a container or an image is. Looking into an image needs neither root nor a mount; into a container,
   * root.
   *
   * @param path text; or bytes, for names that are no UTF-8
   * @param options.follow whether a link at the end is followed, as those on the way are
   * @throws VarveError `not-found`
   */
  stat(
    target: string,
    path: string | Uint8Array,
    options: { follow?: boolean | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<FileEntry> {
    const follow = options.follow === true;
    return this.#view(target, options.signal, (view) => view.stat(bytesOf(path), { follow }));
  }

  /** What a directory in a container or an image holds, by name. @throws VarveError `not-found`, `invalid-argument` */
  list(
    target: string,
    path: string | Uint8Array,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<FileEntry[]> {
    return this.#view(target, options.signal, (view) => view.list(bytesOf(path)));
  }

  /**
   * The content of a file in a container or an image.
   *
   * @throws VarveError `not-found`, `invalid-argument` for what is no file
   * @example
   * for await (const chunk of store.read("nginx", "/etc/passwd")) process.stdout.write(chunk);
   */
  async *read(
    target: string,
    path: string | Uint8Array,
    options: { signal?: AbortSignal | undefined } = {},
  ): ByteSource {
    yield* this.#streamOf(target, options.signal, (view) => view.read(bytesOf(path)));
  }

  /**
   * A tar of a file or directory in a container or an image, under its last name, as `docker cp` gets it.
   *
   * @example
   * await pipeline(store.archive("nginx", "/etc/nginx"), createWriteStream("nginx-config.tar"));
   */
  async *archive(
    target: string,
    path: string | Uint8Array,
    options: { signal?: AbortSignal | undefined } = {},
  ): ByteSource {
    const { archiveOf } = await import("./file-view.ts");
    yield* this.#streamOf(target, options.signal, (view) => archiveOf(view, bytesOf(path)));
  }

  /**
   * A path of a container as `docker cp` opens it: what it is, and a tar of it. Needs root.
   *
   * @throws VarveError `not-found`
   * @example
   * await using found = await store.openPath("web", "/etc/nginx/");
   * await pipeline(found.tar(), createWriteStream("nginx.tar"));
   */
  openPath(
    name: string,
    path: string | Uint8Array,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<ContainerPath> {
    return this.#long(async () => {
      const { openContainerPath } = await import("./container-path.ts");
      return await openContainerPath(this.#workspace, name, bytesOf(path), options.signal);
    });
  }

  /** Unpacks a tar into a directory of a container. Needs root. @throws VarveError `not-found`, `invalid-archive` */
  copyIn(name: string, path: string | Uint8Array, tar: ByteSource, options: CopyInOptions = {}): Promise<void> {
    return this.#long(async () => {
      const { copyIntoContainer } = await import("./copy-into-container.ts");
      await copyIntoContainer(this.#workspace, name, bytesOf(path), tar, options);
    });
  }

  /**
   * The volumes of Docker's driver `local`, by name. With `size` also how much is in each, which takes a look at its files,
   * and root.
   *
   * @throws VarveError `invalid-argument` with Docker's text for filters that it refuses
   */
  volumes(options: { filters?: VolumeFilters | undefined; size?: boolean | undefined } = {}): Promise<VolumeSummary[]> {
    return this.#long(async () => {
      const listed = await this.#workspace.read(() => listVolumes(this.#workspace, options.filters));
      return options.size === true ? withSizes(listed) : listed;
    });
  }

  /** What takes how much room. */
  df(): Promise<DiskUsage> {
    return this.#long(async () => {
      const sizes = await writtenSizes(this.#workspace);
      return await this.#workspace.read(() => diskUsage(this.#workspace, sizes));
    });
  }

  /** The root, its driver and what is in it, for a person to see. */
  info(): Promise<StoreInfo> {
    return this.#read(() => storeInfo(this.#workspace));
  }

  /**
   * What happens on the root, whoever does it, as long as it is Varve. Times are nanoseconds since the epoch.
   *
   * @param options.since the first moment; now unless said
   * @param options.until the last moment; without it, it goes on until the signal aborts, which is no error
   * @example
   * for await (const { type, action, id } of store.events({ since: 0n, until: BigInt(Date.now()) * 1_000_000n }))
   *   console.log(type, action, id);
   */
  events(
    options: { since?: bigint | undefined; until?: bigint | undefined; signal?: AbortSignal | undefined } = {},
  ): AsyncIterable<StoreEvent> {
    return this.#workspace.events.read(options);
  }

  /**
   * Keeps other daemons from serving this root, until what it gives is disposed of or this process ends.
   *
   * @param holder what the others are told, such as `varve serve (pid 7)`
   * @throws VarveError `locked` when there is one, or a dockerd lives on the root
   */
  claimForDaemon(holder: string): Promise<Disposable> {
    return this.#commit(async () => {
      const { claimForDaemon } = await import("./daemon-claim.ts");
      return claimForDaemon(join(this.root, SIDE, "daemon"), holder);
    });
  }

  /** To be called when nothing is under way any more; `await using` does it. */
  async close(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #inspected(
    container: Container,
    sizes?: { readonly size: number; readonly rootSize: number },
  ): Promise<InspectedContainer> {
    const hostConfig = this.#workspace.containers.hostConfigDocument(container.id);
    const graphData = await writableOf(this.#workspace, container).metadata();
    return inspectContainer(container, { root: this.root, graphData, hostConfig, sizes });
  }

  /** What containers wrote, and that with what they stand on. */
  async #sizesOf(ids: readonly string[]): Promise<Map<string, { size: number; rootSize: number }>> {
    const written = await writtenSizes(this.#workspace, ids);
    return await this.#workspace.read(() => {
      const entries = [...written].map(([id, size]) => {
        return [id, { size, rootSize: size + sizeBelow(this.#workspace, id) }] as const;
      });
      return new Map(entries);
    });
  }

  #topTree(name: string): { id: ImageID; tree: string } {
    const { image } = this.#workspace.find(name);
    if (image.chainID === undefined)
      throw new VarveError("invalid-argument", `${name} has no layers to mount`, { image: image.id });
    return { id: image.id, tree: this.#workspace.layers.map().get(image.chainID)!.cacheID };
  }

  #pruneCandidates(all: boolean, filters: PruneFilters): ImageID[] {
    const { images } = this.#workspace;
    const until = filters.until === undefined ? undefined : parseTimeFilter(filters.until) / 1000;
    return [...(all ? images.map() : images.heads())]
      .filter(([, outline]) => {
        const labels = labelsOf(outline);
        const created = outline.created.seconds + outline.created.nanoseconds / 1e9;
        if (until !== undefined && created > until) return false;
        // Docker asks an image without a config for no label.
        if (!outline.hasConfig) return true;
        if (filters.label !== undefined && !matchesLabels(labels, filters.label)) return false;
        return filters["label!"] === undefined || !matchesLabels(labels, filters["label!"]);
      })
      .map(([id]) => id);
  }

  /** Held until it is disposed of. */
  async #imagesToSave(names: readonly string[], signal: AbortSignal | undefined): Promise<ImageSource> {
    const { openStoreSource } = await import("../archive/store-source.ts");
    const lease = this.#workspace.lease();
    try {
      const work = () => openStoreSource(names, this.#workspace.stores);
      const source = await lease.run(() => this.#workspace.read(work, signal));
      const release = async (): Promise<void> => {
        using _ = lease;
        await source[Symbol.asyncDispose]();
      };
      return { images: source.images, [Symbol.asyncDispose]: release };
    } catch (error) {
      lease[Symbol.dispose]();
      throw error;
    }
  }

  async #view<T>(target: string, signal: AbortSignal | undefined, work: (view: FileView) => T): Promise<T> {
    return await this.#long(async () => {
      const { openView } = await import("./open-view.ts");
      await using opened = await openView(this.#workspace, target, signal);
      return work(opened.view);
    });
  }

  async *#streamOf(
    target: string,
    signal: AbortSignal | undefined,
    stream: (view: FileView) => ByteSource,
  ): ByteSource {
    try {
      const { openView } = await import("./open-view.ts");
      await using opened = await openView(this.#workspace, target, signal);
      yield* copies(abortable(stream(opened.view), signal));
    } catch (error) {
      throw asVarveError(error);
    }
  }

  #read<T>(work: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    return this.#long(() => this.#workspace.read(work, signal));
  }

  #commit<T>(work: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    return this.#long(() => this.#workspace.commit(work, signal));
  }

  async #long<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asVarveError(error);
    }
  }
}

/**
 * Opens a data-root. Nothing is written before the first change.
 *
 * @throws VarveError `conflict` when several drivers have left trees there, `permission` when it cannot be read
 */
export async function openStore(options: StoreOptions = {}): Promise<Store> {
  return await Store.open(options);
}

/** A path that a caller gave. */
function bytesOf(path: string | Uint8Array): ByteString {
  return typeof path === "string" ? fromText(path) : fromBytes(path);
}

const LETTERS: Readonly<Record<Change["kind"], "C" | "A" | "D">> = { modified: "C", added: "A", deleted: "D" };
