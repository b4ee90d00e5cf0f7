import { setImmediate } from "node:timers/promises";
import type { DiffID } from "../digest/chain-id.ts";
import { Digester } from "../digest/digest.ts";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import type { GraphID, GraphImage } from "../graph/descriptor.ts";
import { notedDiffID } from "../graph/migration/state.ts";
import { type ByteSource, fileSource, throwIfCancelled } from "../io/byte-source.ts";
import { isRoot } from "../sys/rank.ts";
import { tarLength } from "../tar/tar-length.ts";
import type { V1Root } from "./v1-root.ts";

/** What is told while images of a v1 graph are saved. */
export interface V1SaveEvent {
  /** Layers are read to find out which they are, and then again to be saved. */
  readonly kind: "reading" | "saving";
  /** The image whose layer it is. */
  readonly id: string;
  /** Bytes so far. */
  readonly current: number;
  /** 0 as long as nobody knows. */
  readonly total: number;
}

export interface V1ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: V1SaveEvent) => void) | undefined;
}

/** Which layer an image has. */
export interface V1LayerIdentity {
  readonly diffID: DiffID;
  /** Bytes of the tar. */
  readonly length: number;
}

/**
 * The layers of a v1 graph while it is saved. Each is read once to find out what it is; when it is given out it must be the
 * same again, to the byte.
 */
export class V1Layers {
  readonly #root: V1Root;
  readonly #options: V1ReadOptions;
  readonly #identities = new Map<GraphID, V1LayerIdentity>();
  readonly #lengths = new Map<GraphID, number>();

  constructor(root: V1Root, options: V1ReadOptions) {
    this.#root = root;
    this.#options = options;
  }

  /**
   * Which layer it is: as a migration has noted it, else by reading it.
   *
   * @throws VarveError `corrupt` when it cannot be given back, `permission`, `cancelled`
   */
  async identify(image: GraphImage): Promise<V1LayerIdentity> {
    const known = this.#identities.get(image.id) ?? (await this.#noted(image)) ?? (await this.#read(image));
    this.#identities.set(image.id, known);
    this.#lengths.set(image.id, known.length);
    return known;
  }

  /** Bytes of the tar, by its tar-split where there is one. @throws VarveError as `identify` */
  async length(image: GraphImage): Promise<number> {
    const known = this.#lengths.get(image.id) ?? (await this.#split(image)) ?? (await this.identify(image)).length;
    this.#lengths.set(image.id, known);
    return known;
  }

  /** The tar. What was identified before is verified. @throws VarveError as `identify` */
  async *open(image: GraphImage, signal: AbortSignal | undefined = this.#options.signal): ByteSource {
    const { id } = image;
    const total = await this.length(image);
    const expected = this.#identities.get(id)?.diffID;
    const digester = new Digester();
    let current = 0;
    for await (const chunk of this.#bytes(image, signal)) {
      if (expected !== undefined) digester.update(chunk);
      yield chunk;
      current += chunk.length;
      this.#options.onEvent?.({ kind: "saving", id, current, total });
    }
    const actual = expected && digester.digest();
    if (actual !== expected)
      throw new VarveError(
        "corrupt",
        `image ${id}: its layer is not the one that was read before: it is ${actual}, not ${expected}`,
        { id, actual, expected },
      );
  }

  /** Of a migration that was begun (FORMATS 11.4). Its word on layers without a tar-split would have to be read anyway. */
  async #noted(image: GraphImage): Promise<V1LayerIdentity | undefined> {
    const diffID = notedDiffID(this.#root.files, image.id);
    const length = diffID && (await this.#split(image));
    return diffID && length !== undefined ? { diffID, length } : undefined;
  }

  async #split(image: GraphImage): Promise<number | undefined> {
    const path = this.#root.files.tarData(image.id);
    if (path === undefined) return undefined;
    return await this.#naming(image, () => tarLength(fileSource(path, { signal: this.#options.signal })));
  }

  async #read(image: GraphImage): Promise<V1LayerIdentity> {
    const { id } = image;
    const digester = new Digester();
    let length = 0;
    for await (const chunk of this.#bytes(image, this.#options.signal)) {
      digester.update(chunk);
      length += chunk.length;
      this.#options.onEvent?.({ kind: "reading", id, current: length, total: 0 });
    }
    this.#options.onEvent?.({ kind: "reading", id, current: length, total: length });
    return { diffID: digester.digest(), length };
  }

  async *#bytes(image: GraphImage, signal: AbortSignal | undefined): ByteSource {
    this.#refuseHiddenMarks(image);
    let done = 0;
    try {
      for await (const chunk of this.#root.graph.tarStream(image.id)) {
        throwIfCancelled(signal);
        yield chunk;
        done += chunk.length;
        // All of this is synchronous within a file: whoever wants to cancel it needs a turn.
        if (done % BREATH < chunk.length) await setImmediate();
      }
    } catch (error) {
      throw naming(image, error);
    }
  }

  /** The tar of a layer without a tar-split is made of the tree, whose opaque directories on overlay2 only root sees. */
  #refuseHiddenMarks(image: GraphImage): void {
    if (this.#root.driver.name === "vfs" || isRoot() || this.#root.files.tarData(image.id) !== undefined) return;
    throw new VarveError(
      "permission",
      `image ${image.id} has no tar-data.json.gz: to make its layer of the files of ${this.#root.driver.name} needs root`,
      { id: image.id },
    );
  }

  async #naming<T>(image: GraphImage, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw naming(image, error);
    }
  }
}

/** A file that the tar-split names and the tree has not is as bad as one that has changed. */
function naming({ id }: GraphImage, error: unknown): unknown {
  const coded = asVarveError(error);
  if (!isVarveError(coded) || coded.message.includes(id)) return coded;
  const code = coded.code === "not-found" || coded.code === "invalid-archive" ? "corrupt" : coded.code;
  return new VarveError(code, `image ${id}: ${coded.message}`, { ...coded.details, id }, coded);
}

/** Bytes after which the event loop gets its turn. */
const BREATH = 4 << 20;
