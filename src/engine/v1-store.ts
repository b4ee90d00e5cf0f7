import type { Writable } from "node:stream";
import { asVarveError } from "../errors.ts";
import { type ByteSource, copies } from "../io/byte-source.ts";
import type { ImageFilters } from "./filters.ts";
import { findV1Container, listV1Containers, type V1ContainerSummary } from "./v1-containers.ts";
import { listV1Images, type V1ImageSummary } from "./v1-images.ts";
import { V1Root, type V1StoreOptions } from "./v1-root.ts";
import { planV1, type V1SaveOptions } from "./v1-source.ts";

/**
 * The images and containers of a data-root of Docker 1.9 or before (FORMATS 11), as on the disk of a machine that is gone.
 * It is only read, as it was when it was opened: no lock is taken and nothing below the root is written or made. Where the
 * files can be read, no root is needed; what needs root says so before it starts. `openV1Store` opens one.
 *
 * Names are Docker 1.9's: a repository, `repository:tag`, `repository@digest`, an id or the beginning of one.
 *
 * `v1-root.ts` opens the graph and says what is wrong with an image, `v1-names.ts` which images names mean. `v1-layers.ts`
 * reads layers, and `v1-source.ts` gives them to the ways out as images of today, or as they were.
 *
 * @example
 * const old = await openV1Store({ root: "/mnt/old-disk/docker" });
 * for (const { id, tags, virtualSize } of await old.images()) console.log(id, tags, virtualSize);
 * await pipeline(old.save(["busybox"]), createWriteStream("busybox.tar"));
 */
export class V1Store {
  readonly #root: V1Root;

  private constructor(root: V1Root) {
    this.#root = root;
  }

  /** What `openV1Store` does. */
  static async open(options: V1StoreOptions = {}): Promise<V1Store> {
    return await coded(async () => new V1Store(await V1Root.open(options)));
  }

  /** The data-root, absolute; with user namespace remapping the directory below it. */
  get root(): string {
    return this.#root.path;
  }

  /** The driver's name. */
  get driver(): string {
    return this.#root.driver.name;
  }

  /**
   * Newest first: images that have a name or no children, or with `all` every image. Those that are broken, or stand on
   * broken ones, are left out with a warning.
   */
  images(options: { all?: boolean | undefined; filters?: ImageFilters | undefined } = {}): Promise<V1ImageSummary[]> {
    return coded(() => listV1Images(this.#root, options));
  }

  /** By their ids; with what can be read of their records. */
  containers(): Promise<V1ContainerSummary[]> {
    return coded(async () => listV1Containers(this.#root));
  }

  /**
   * An archive with images: by default the one that dockerd 20.10 would write after it had migrated them. Each layer is read
   * to find out which it is, and again to be saved, and must be the same then.
   *
   * @throws VarveError `not-found`, `ambiguous`, `invalid-reference`; `corrupt` for an image that is broken, or an ancestor
   *   of it; `permission`, `cancelled`
   */
  async *save(names: readonly string[], options: V1SaveOptions = {}): ByteSource {
    try {
      const { streamTar } = await import("../archive/tar-output.ts");
      const plan = await planV1(names, this.#root, options);
      yield* copies(streamTar(plan, { signal: options.signal }));
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /**
   * Writes what `save` gives to an open file, from its beginning, or to a stream. Neither is closed or ended.
   *
   * @param output a descriptor that is open for writing, or a `Writable`
   * @returns how many bytes there are
   * @throws VarveError as `save`; `no-space` and other failures of the output
   */
  saveTo(output: number | Writable, names: readonly string[], options: V1SaveOptions = {}): Promise<number> {
    return coded(async () => {
      const { writePlanTo } = await import("../archive/save.ts");
      return await writePlanTo(output, await planV1(names, this.#root, options), { signal: options.signal });
    });
  }

  /**
   * A tar of a container's whole file system, as `docker export`. Needs root where its tree has to be mounted to be seen
   * whole: on overlay2.
   *
   * @param name its id or the beginning of it, or its name
   * @throws VarveError `not-found`, `ambiguous`, `permission`
   */
  async *export(name: string, options: { signal?: AbortSignal | undefined } = {}): ByteSource {
    try {
      const { exportContainer } = await import("../archive/export.ts");
      const { driver, warn } = this.#root;
      const id = findV1Container(name, this.#root);
      const { signal } = options;
      const tree = { view: () => driver.view(id) };
      yield* copies(exportContainer(tree, { idMap: driver.idMap, signal, onWarning: warn }));
    } catch (error) {
      throw asVarveError(error);
    }
  }
}

async function coded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asVarveError(error);
  }
}
