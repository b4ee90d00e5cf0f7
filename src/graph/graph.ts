import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "../digest/digest.ts";
import { randomID } from "../digest/random-id.ts";
import type { Driver } from "../driver/driver.ts";
import { makeMissingDirectory, rootIdentity } from "../driver/home.ts";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import { type V1Image, v1ImageType } from "../image/config.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { namesIn } from "../io/directory.ts";
import { timeOf } from "../json/go-time.ts";
import { formatGo } from "../json/go-value.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { type GraphID, type GraphImage, isGraphID, readDescriptor } from "./descriptor.ts";
import { EntryFiles, TRANSACTIONS } from "./entry-files.ts";
import type { GraphContext } from "./graph-context.ts";
import { type BufferedTar, type BufferOptions, bufferTar, graphTar } from "./graph-tar.ts";
import { Holders } from "./holders.ts";
import { clearEntry, type GraphRegisterOptions, makeEntry } from "./make-entry.ts";
import { type BrokenEntry, readGraph } from "./read-graph.ts";
import { setAside } from "./set-aside.ts";

export interface GraphOptions {
  /** `<root>/graph`. It may be missing. */
  readonly directory: string;
  readonly driver: Driver;
  /** Whether changes outlive a power loss. */
  readonly sync: boolean;
  /** Whether a tree of the driver is also somebody else's, such as a layer's of a store that took it in. Nothing unless told. */
  readonly usedElsewhere?: ((tree: string) => boolean) | undefined;
  /** Told of what is left out, and of what Docker does not mind. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** What a new image says about itself; see `Graph.create`. */
export type NewGraphImage = Partial<
  Pick<V1Image, "parent" | "container" | "containerConfig" | "config" | "comment" | "author" | "architecture">
>;

/**
 * The v1 graph, the image store of Docker until 1.9 (FORMATS 11): an image is a layer with a JSON, has one parent, and
 * both it and the driver's tree are named by one id of 64 hex digits. `graph/` is shared by all drivers, so an image is
 * there only if the driver has its tree as well.
 *
 * `graph.ts` is the way in; `descriptor.ts` and `entry-files.ts` know the files of an image, `make-entry.ts` how one comes about,
 * `graph-tar.ts` how a layer is given back, and `tag-store.ts` is the file of names beside the graph.
 *
 * One process at a time may have a graph open for changes, under a lock of the caller's: its daemon kept the truth in
 * memory. Within the process, changes to different images go on at the same time.
 *
 * @example
 * const graph = Graph.open({ directory: "/var/lib/docker/graph", driver, sync: true });
 * for (const { id, image } of graph.heads()) console.log(id, image.author);
 */
export class Graph {
  readonly #files: EntryFiles;
  readonly #driver: Driver;
  readonly #context: GraphContext;
  readonly #images = new Map<GraphID, GraphImage>();
  readonly #children = new Map<GraphID, Set<GraphID>>();
  readonly #holders = new Holders();
  readonly #turns = new Map<GraphID, Promise<unknown>>();
  #broken: readonly BrokenEntry[] = [];

  /** Reads what the driver knows of. What is broken is told and left out. */
  static open(options: GraphOptions): Graph {
    const graph = new Graph(options);
    const { images, broken } = readGraph(graph.#context);
    for (const image of images) graph.#add(image);
    graph.#broken = broken;
    return graph;
  }

  private constructor({ directory, driver, sync, usedElsewhere = () => false, onWarning = () => {} }: GraphOptions) {
    this.#files = new EntryFiles(directory, { sync });
    this.#driver = driver;
    this.#context = { files: this.#files, driver, sync, usedElsewhere, warn: onWarning };
  }

  /** What `open` left out. Images that only another driver knows are not broken. */
  get broken(): readonly BrokenEntry[] {
    return this.#broken;
  }

  map(): ReadonlyMap<GraphID, GraphImage> {
    return this.#images;
  }

  /** The images that have children, each with these. */
  byParent(): ReadonlyMap<GraphID, readonly GraphImage[]> {
    return new Map([...this.#children.keys()].map((id) => [id, this.children(id)]));
  }

  children(id: GraphID): GraphImage[] {
    return [...(this.#children.get(id) ?? [])].map((child) => this.#images.get(child) as GraphImage);
  }

  hasChildren(id: GraphID): boolean {
    return this.#children.has(id);
  }

  /** The images that no other stands on. */
  heads(): GraphImage[] {
    return [...this.#images.values()].filter(({ id }) => !this.hasChildren(id));
  }

  /**
   * The id that begins like this.
   *
   * @throws VarveError `not-found`, `ambiguous`
   */
  lookup(prefix: string): GraphID {
    const text = prefix.toLowerCase();
    if (isGraphID(text) && this.#images.has(text)) return text;
    const found = /^[0-9a-f]+$/.test(text) ? [...this.#images.keys()].filter((id) => id.startsWith(text)) : [];
    if (found.length > 1)
      throw new VarveError("ambiguous", `Multiple IDs found with provided prefix: ${prefix}`, { prefix });
    if (found[0] === undefined) throw new VarveError("not-found", `no such id: ${prefix}`, { prefix });
    return found[0];
  }

  /** @throws VarveError `not-found`, `ambiguous` */
  get(prefix: string): GraphImage {
    return this.#images.get(this.lookup(prefix)) as GraphImage;
  }

  /** The JSON as it lies on the disk. @throws VarveError `not-found` */
  json(id: GraphID): Buffer {
    return this.#files.json(this.#known(id).id);
  }

  /** Bytes of the layer. Where nobody has counted them, the driver does, and the answer is kept. */
  async size(id: GraphID): Promise<number> {
    const { parent } = this.#known(id);
    const known = this.#files.size(id);
    if (known !== undefined) return known;
    const size = await this.#driver.diffSize(id, parent);
    this.#files.setSize(id, size);
    return size;
  }

  /** @throws VarveError `not-found` when none was noted, `invalid-digest` for the checksums of old registries */
  digest(id: GraphID): Digest {
    return this.#files.digest(this.#known(id).id);
  }

  /** Notes the digest of the blob that the layer came from or went to. */
  setDigest(id: GraphID, digest: Digest): void {
    this.#files.setDigest(this.#known(id).id, digest);
  }

  /**
   * What a registry's manifest (schema 1) says of an image: as it was pulled, or made of its JSON and kept, for all its
   * ancestors too.
   */
  v1Compatibility(id: GraphID): Buffer {
    for (let image: GraphImage | undefined = this.#known(id); image !== undefined; ) {
      if (!this.#hasV1Compatibility(image.id)) this.#files.setV1Compatibility(image.id, asV1(image));
      image = image.parent && this.#images.get(image.parent);
    }
    return this.#files.v1Compatibility(id);
  }

  setV1Compatibility(id: GraphID, json: Uint8Array): void {
    this.#files.setV1Compatibility(this.#known(id).id, json);
  }

  /** The layer's tar. @throws VarveError while it is read: `corrupt` when files are no longer what they were */
  tarStream(id: GraphID): ByteSource {
    return graphTar(this.#known(id), this.#files, this.#driver);
  }

  /** The same, once its length is known. */
  async bufferedTar(id: GraphID, options: BufferOptions = {}): Promise<BufferedTar> {
    const tar = this.tarStream(id);
    this.#makeDirectories();
    return await bufferTar(tar, this.#files.directory, options);
  }

  /** Keeps images from being deleted, for a holder who names himself. */
  retain(holder: string, ids: Iterable<GraphID>): void {
    this.#holders.retain(holder, ids);
  }

  release(holder: string, ids: Iterable<GraphID>): void {
    this.#holders.release(holder, ids);
  }

  isHeld(id: GraphID): boolean {
    return this.#holders.of(id).length > 0;
  }

  /**
   * Makes a new image, under a random id, out of a layer and what there is to say about it.
   *
   * @throws VarveError as `register`
   */
  async create(layer: ByteSource, about: NewGraphImage, options: GraphRegisterOptions = {}): Promise<GraphImage> {
    const id = randomID() as GraphID;
    const image: V1Image = {
      ...v1ImageType.zero,
      architecture: GO_ARCHITECTURES[process.arch] ?? process.arch,
      ...about,
      id,
      created: timeOf(new Date()),
      dockerVersion: DOCKER_VERSION,
      os: "linux",
    };
    return await this.register(id, formatGo(v1ImageType.write(image)), layer, options);
  }

  /**
   * Takes in an image and its layer, in one visible step. One that is there already is left as it is, and its layer
   * is not read. What is left of the id, from a crash or from another driver, is cleared first.
   *
   * @throws VarveError `corrupt` for a JSON that is none or another image's, `not-found` for the parent, `in-use` when
   *   another store has a tree of this id, `invalid-archive`, `cancelled`; the graph is then as it was
   */
  async register(
    id: GraphID,
    json: Uint8Array,
    layer: ByteSource,
    options: GraphRegisterOptions = {},
  ): Promise<GraphImage> {
    return await this.#alone(id, async () => {
      const known = this.#images.get(id);
      if (known !== undefined) return known;
      this.#refuseUsedElsewhere(id);
      const image = readDescriptor(id, json, options.parent);
      const below = image.parent === undefined ? [] : [this.#known(image.parent).id];
      const holder = `register ${id}`;
      this.retain(holder, below);
      try {
        this.#makeDirectories();
        await clearEntry(this.#context, id);
        await makeEntry(this.#context, image, json, layer, options);
      } catch (error) {
        throw asVarveError(error);
      } finally {
        this.release(holder, below);
      }
      this.#add(image);
      return image;
    });
  }

  /**
   * Deletes an image and its layer.
   *
   * @throws VarveError `in-use` while somebody holds it, or another store has its tree, `conflict` while others stand on it; what the driver throws, and
   *   then the image is still there
   */
  async delete(prefix: string): Promise<void> {
    const id = this.lookup(prefix);
    await this.#alone(id, async () => {
      const image = this.#known(id);
      const holders = this.#holders.of(id);
      if (holders.length > 0)
        throw new VarveError("in-use", `image ${id} is being used by ${holders.join(", ")}`, { id, holders });
      if (this.hasChildren(id)) throw new VarveError("conflict", `image ${id} has dependent child images`, { id });
      this.#refuseUsedElsewhere(id);
      this.#makeDirectories();
      const aside = setAside(this.#context, id);
      // Out of memory first, so that nobody begins to stand on it.
      this.#drop(image);
      try {
        await this.#driver.remove(id);
      } catch (error) {
        aside.undo();
        this.#add(image);
        throw error;
      }
      aside.finish();
    });
  }

  /** Takes away what dead processes left half-made or half-deleted. @returns the names of that */
  async cleanup(): Promise<string[]> {
    const { directory } = this.#files;
    const names = namesIn(join(directory, TRANSACTIONS)).filter((name) => !this.#turns.has(name as GraphID));
    for (const name of names) {
      // The tree of an entry, even of a broken one, is not ours to take.
      const isOurs = isGraphID(name) && !existsSync(join(directory, name)) && !this.#context.usedElsewhere(name);
      if (isOurs) await this.#driver.remove(name);
      removeTree(join(directory, TRANSACTIONS, name));
    }
    return names;
  }

  #makeDirectories(): void {
    const owner = rootIdentity(this.#driver.idMap);
    for (const path of [this.#files.directory, join(this.#files.directory, TRANSACTIONS)])
      makeMissingDirectory(path, 0o700, owner);
  }

  #refuseUsedElsewhere(id: GraphID): void {
    if (this.#context.usedElsewhere(id))
      throw new VarveError("in-use", `image ${id} has come across: its tree is that of a layer of today`, { id });
  }

  #known(id: GraphID): GraphImage {
    const image = this.#images.get(id);
    if (image === undefined) throw new VarveError("not-found", `no such id: ${id}`, { id });
    return image;
  }

  #add(image: GraphImage): void {
    this.#images.set(image.id, image);
    if (image.parent === undefined) return;
    this.#children.set(image.parent, (this.#children.get(image.parent) ?? new Set()).add(image.id));
  }

  #drop({ id, parent }: GraphImage): void {
    this.#images.delete(id);
    if (parent === undefined) return;
    const siblings = this.#children.get(parent);
    siblings?.delete(id);
    if (siblings?.size === 0) this.#children.delete(parent);
  }

  #hasV1Compatibility(id: GraphID): boolean {
    try {
      this.#files.v1Compatibility(id);
      return true;
    } catch (error) {
      if (isVarveError(error, "not-found")) return false;
      throw error;
    }
  }

  /** One change of an image at a time. */
  async #alone<T>(id: GraphID, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => {});
    this.#turns.set(id, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(id) === settled) this.#turns.delete(id);
    }
  }
}

/** What the `json` of a new image says made it: the last Docker that had such a graph. */
const DOCKER_VERSION = "1.9.1";
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

function asV1({ id, parent, image }: GraphImage): Buffer {
  return formatGo(v1ImageType.write({ ...image, id, parent: parent ?? "" }));
}
