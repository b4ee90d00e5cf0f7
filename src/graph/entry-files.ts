import { lstatSync } from "node:fs";
import { join } from "node:path";
import { type Digest, parseDigest } from "../digest/digest.ts";
import { isVarveError, VarveError } from "../errors.ts";
import { replaceFile } from "../io/atomic-file.ts";
import { directoriesIn } from "../io/directory.ts";
import { readWholeFile } from "../io/whole-file.ts";
import { type GraphID, type GraphImage, readDescriptor } from "./descriptor.ts";

/**
 * The files of the images in `graph/` (FORMATS 11.1): a directory for each, named by its id. Docker wrote each of them
 * in place; here a file that is added or changed appears in one step.
 */
export class EntryFiles {
  /** `<root>/graph`. */
  readonly directory: string;
  readonly #sync: boolean;

  /** @param options.sync whether what is added outlives a power loss */
  constructor(directory: string, { sync }: { readonly sync: boolean }) {
    this.directory = directory;
    this.#sync = sync;
  }

  /** All directories but those of transactions, whatever their names, sorted. */
  names(): string[] {
    return directoriesIn(this.directory)
      .filter((name) => name !== TRANSACTIONS)
      .sort();
  }

  path(id: GraphID, name: GraphFile): string {
    return join(this.directory, id, name);
  }

  /** @throws VarveError `not-found` without a `json`, `corrupt` */
  image(id: GraphID): GraphImage {
    return readDescriptor(id, this.json(id), this.#text(id, "parent"));
  }

  /** The JSON of an image, as it lies there. @throws VarveError `not-found` */
  json(id: GraphID): Buffer {
    const json = this.#read(id, "json", MAX_JSON);
    if (json === undefined) throw new VarveError("not-found", `no such id: ${id}`, { id });
    return json;
  }

  /**
   * The file of the tar-split that was kept of the layer, as Docker has done since 1.8, if there is one.
   *
   * @throws VarveError `corrupt` when something else has its name
   */
  tarData(id: GraphID): string | undefined {
    const path = this.path(id, "tar-data.json.gz");
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || stat.isFile()) return stat && path;
    throw new VarveError("corrupt", `image ${id}: ${path} is not a regular file`, { id, path });
  }

  /** Bytes of the layer's files; `undefined` when nobody has counted them yet. @throws VarveError `corrupt` */
  size(id: GraphID): number | undefined {
    const text = this.#text(id, "layersize");
    if (text === undefined) return undefined;
    if (!/^[0-9]{1,15}$/.test(text))
      throw new VarveError("corrupt", `image ${id}: invalid size ${JSON.stringify(text)}`, { id });
    return Number(text);
  }

  setSize(id: GraphID, size: number): void {
    this.#write(id, "layersize", String(size));
  }

  /**
   * The digest of the blob that the layer came from or went to.
   *
   * @throws VarveError `not-found` when nobody has noted one, `invalid-digest` for the checksums of old registries
   */
  digest(id: GraphID): Digest {
    const text = this.#text(id, "checksum");
    if (text === undefined) throw new VarveError("not-found", "digest is not set for layer", { id });
    return parseDigest(text);
  }

  setDigest(id: GraphID, digest: Digest): void {
    this.#write(id, "checksum", digest);
  }

  /** What a registry's manifest had about the image. @throws VarveError `not-found` when nobody has noted it */
  v1Compatibility(id: GraphID): Buffer {
    const json = this.#read(id, "v1Compatibility", MAX_JSON);
    if (json === undefined) throw new VarveError("not-found", "v1Compatibility is not set for layer", { id });
    return json;
  }

  setV1Compatibility(id: GraphID, json: Uint8Array): void {
    this.#write(id, "v1Compatibility", json);
  }

  #write(id: GraphID, name: GraphFile, content: Uint8Array | string): void {
    replaceFile(this.path(id, name), content, { mode: 0o600, sync: this.#sync });
  }

  #text(id: GraphID, name: GraphFile): string | undefined {
    return this.#read(id, name, MAX_TEXT)?.toString("latin1").trim();
  }

  #read(id: GraphID, name: GraphFile, limit: number): Buffer | undefined {
    try {
      return readWholeFile(this.path(id, name), limit);
    } catch (error) {
      if (!isVarveError(error, "too-large")) throw error;
      throw new VarveError("corrupt", `image ${id}: ${error.message}`, { id }, error);
    }
  }
}

/** What may lie in the directory of an image. */
export type GraphFile = "json" | "layersize" | "tar-data.json.gz" | "checksum" | "v1Compatibility" | "parent";

/** Where entries are made, and where they go to be deleted. */
export const TRANSACTIONS = "_tmp";

/** A config with labels and history may be large, but not like this. */
const MAX_JSON = 16 << 20;
const MAX_TEXT = 4096;
