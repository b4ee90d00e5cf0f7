import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { algorithmOf, digestOf, hexOf, isDigest } from "../digest/digest.ts";
import { asVarveError, VarveError } from "../errors.ts";
import { replaceFile } from "../io/atomic-file.ts";
import { stampOf } from "../io/stamp.ts";
import { readWholeFile } from "../io/whole-file.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { syncDirectory } from "../sys/sync.ts";
import type { ImageBackend } from "./backend.ts";
import type { ImageID } from "./image.ts";

/** No config that an image could need is longer. */
const MAX_CONFIG = 64 << 20;
const MAX_METADATA = 1 << 20;

/**
 * The imagedb (FORMATS 3.1, 3.2): `content/sha256/<hex>` and `metadata/sha256/<hex>/<key>`. Nothing is created before
 * the first image is.
 */
export class FileBackend implements ImageBackend {
  readonly #directory: string;
  readonly #sync: boolean;

  /**
   * @param directory `<root>/image/<driver>/imagedb`
   * @param options.sync whether a write has reached the disk when it returns
   */
  constructor(directory: string, options: { readonly sync: boolean }) {
    this.#directory = directory;
    this.#sync = options.sync;
  }

  ids(): ImageID[] {
    const directory = join(this.#directory, "content", "sha256");
    const names = existsSync(directory) ? onDisk(() => readdirSync(directory)) : [];
    return names.map((name) => `sha256:${name}`).filter(isDigest);
  }

  get(id: ImageID): Buffer {
    const raw = readWholeFile(this.#contentPath(id), MAX_CONFIG);
    if (raw === undefined) throw new VarveError("not-found", `failed to get digest ${id}: no such image`, { id });
    if (digestOf(raw, algorithmOf(id)) !== id) throw new VarveError("corrupt", `failed to verify: ${id}`, { id });
    return raw;
  }

  stamp(id: ImageID): string | undefined {
    const content = stampOf(`${this.#directory}/content/${algorithmOf(id)}`, [hexOf(id)], FOLLOWED);
    return content && content + (stampOf(this.#metadataPath(id), ["parent"], FOLLOWED) ?? "");
  }

  set(raw: Uint8Array): ImageID {
    if (raw.length === 0) throw new VarveError("invalid-argument", "invalid empty data");
    const id = digestOf(raw);
    this.#write(join(this.#directory, "content", "sha256"), hexOf(id), raw);
    return id;
  }

  delete(id: ImageID): void {
    this.#remove(this.#metadataPath(id));
    this.#remove(this.#contentPath(id));
  }

  metadata(id: ImageID, key: string): Buffer | undefined {
    const path = `${this.#metadataPath(id)}/${plainName(key)}`;
    // Most have none, and to fail takes longer than to look.
    const isThere = onDisk(() => statSync(path, { throwIfNoEntry: false })) !== undefined;
    return isThere ? readWholeFile(path, MAX_METADATA) : undefined;
  }

  setMetadata(id: ImageID, key: string, value: Uint8Array): void {
    this.get(id);
    this.#write(this.#metadataPath(id), plainName(key), value);
  }

  deleteMetadata(id: ImageID, key: string): void {
    this.#remove(join(this.#metadataPath(id), plainName(key)));
  }

  #write(directory: string, name: string, bytes: Uint8Array): void {
    onDisk(() => this.#makeDirectory(directory));
    replaceFile(join(directory, name), bytes, { mode: 0o600, sync: this.#sync });
  }

  #makeDirectory(directory: string): void {
    const first = mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (first === undefined || !this.#sync) return;
    for (let made = directory; made.length >= first.length; made = dirname(made)) syncDirectory(dirname(made));
  }

  #remove(path: string): void {
    onDisk(() => removeTree(path));
    if (this.#sync && existsSync(dirname(path))) syncDirectory(dirname(path));
  }

  #contentPath(id: ImageID): string {
    return `${this.#directory}/content/${algorithmOf(id)}/${hexOf(id)}`;
  }

  #metadataPath(id: ImageID): string {
    return `${this.#directory}/metadata/${algorithmOf(id)}/${hexOf(id)}`;
  }
}

/** As reading does. */
const FOLLOWED = { follow: true } as const;

function plainName(key: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(key)) return key;
  throw new VarveError("invalid-argument", `not a name for metadata: ${JSON.stringify(key)}`, { key });
}

function onDisk<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asVarveError(error);
  }
}
