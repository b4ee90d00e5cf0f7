import { randomInt } from "node:crypto";
import { chmodSync, mkdirSync, renameSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { ChainID } from "../digest/chain-id.ts";
import { hexOf } from "../digest/digest.ts";
import { randomID } from "../digest/random-id.ts";
import { asVarveError, VarveError } from "../errors.ts";
import { type ByteSource, fileSource } from "../io/byte-source.ts";
import { directoriesIn } from "../io/directory.ts";
import type { RecordIndex } from "../io/record-index.ts";
import { stampOf } from "../io/stamp.ts";
import { WriteSet } from "../io/write-set.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { syncDirectory } from "../sys/sync.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { LayerDraft, MountDraft } from "./draft.ts";
import type {
  BeginOptions,
  LayerMetadata,
  LayerRecord,
  Leftover,
  MountRecord,
  MountRemoval,
  Removal,
} from "./metadata.ts";
import { readLayerFiles, readMountFiles, treesNamedIn } from "./record-files.ts";
import { SetAside } from "./set-aside.ts";

/**
 * The layerdb (FORMATS 2): `sha256/<chain hex>/` for each layer, `mounts/<name>/` for each writable one, `tmp/` for what
 * is being made. dockerd reads and writes the same files. Beyond what it does:
 *
 * - whoever makes or deletes a record holds a lock on its directory, so that what a dead process left can be told from
 *   what a living one is at;
 * - a writable layer's record appears by one rename and leaves by one, into a write set in `tmp/`;
 * - a broken record that stands in the way of a new one moves to `tmp/broken-<chain hex>-<digits>`, where dockerd never
 *   looks. Its tree is kept: other layers' trees may stand on it.
 *
 * Nothing is written before the first record is.
 */
export class FileMetadata implements LayerMetadata {
  readonly #layers: string;
  readonly #mounts: string;
  readonly #drafts: string;
  readonly #sync: boolean;
  readonly #index: RecordIndex<LayerRecord> | undefined;

  /**
   * @param directory `<root>/image/<driver>/layerdb`
   * @param options.sync whether records outlive a power loss
   * @param options.index spares it the files of records that are as they were
   */
  constructor(
    directory: string,
    { sync, index }: { readonly sync: boolean; readonly index?: RecordIndex<LayerRecord> | undefined },
  ) {
    this.#layers = join(directory, "sha256");
    this.#mounts = join(directory, "mounts");
    this.#drafts = join(directory, "tmp");
    this.#sync = sync;
    this.#index = index;
  }

  chains(): ChainID[] {
    return directoriesIn(this.#layers)
      .filter((name) => CHAIN_HEX.test(name))
      .map((hex): ChainID => `sha256:${hex}`);
  }

  /**
   * Of the directory, since whoever makes a record, or takes a file of one away, changes that; and of the file that says
   * which tree is the layer's, since on it depends what is deleted.
   */
  layerStamp(chain: ChainID): string | undefined {
    return stampOf(this.#layer(chain), ["", "cache-id"]);
  }

  readLayer(chain: ChainID, stamp: string | undefined = this.layerStamp(chain)): LayerRecord {
    if (stamp === undefined) throw noRecord(chain);
    const known = this.#index?.recall(chain, stamp);
    if (known !== undefined) return known;
    const record = readLayerFiles(this.#layer(chain));
    // Foreign layers are rare, and their descriptors large.
    if (record.descriptor === undefined) this.#index?.note(chain, stamp, record);
    return record;
  }

  splitStream(chain: ChainID): ByteSource {
    return fileSource(this.splitPath(chain));
  }

  splitPath(chain: ChainID): string {
    return join(this.#layer(chain), "tar-split.json.gz");
  }

  mounts(): string[] {
    return directoriesIn(this.#mounts);
  }

  mountStamp(name: string): string | undefined {
    return stampOfDirectory(join(this.#mounts, name));
  }

  readMount(name: string): MountRecord {
    if (this.mountStamp(name) === undefined) throw noRecord(name);
    return readMountFiles(join(this.#mounts, name));
  }

  async beginLayer(cacheID: string, options: BeginOptions = {}): Promise<LayerDraft> {
    return this.#begin(options, (files) => new LayerDraft(files, cacheID, (chain) => this.#layer(chain)));
  }

  async beginMount(record: MountRecord, options: BeginOptions = {}): Promise<MountDraft> {
    return this.#begin(options, (files) => new MountDraft(files, record, (name) => join(this.#mounts, name)));
  }

  async setLayerAside(chain: ChainID): Promise<Removal> {
    const path = this.#layer(chain);
    return SetAside.move(path, `${path}-${randomID()}-removing`, this.#sync);
  }

  async setMountAside(name: string): Promise<MountRemoval> {
    this.#makeDirectories();
    return SetAside.move(join(this.#mounts, name), this.#newDraft("write-set"), this.#sync);
  }

  async putBrokenAside(chain: ChainID): Promise<string> {
    this.#makeDirectories();
    const path = this.#newDraft(`broken-${hexOf(chain)}`);
    renameSync(this.#layer(chain), path);
    if (this.#sync) syncDirectory(this.#layers);
    return path;
  }

  leftovers(): Leftover[] {
    const drafts = directoriesIn(this.#drafts).filter((name) => DRAFT.test(name));
    const removals = directoriesIn(this.#layers).filter((name) => REMOVING.test(name));
    const paths = [
      ...drafts.map((name) => join(this.#drafts, name)),
      ...removals.map((name) => join(this.#layers, name)),
    ];
    return paths.map(abandonedAt).filter((leftover) => leftover !== undefined);
  }

  #layer(chain: ChainID): string {
    return `${this.#layers}/${hexOf(chain)}`;
  }

  #newDraft(what: string): string {
    return join(this.#drafts, `${what}-${randomInt(2 ** 47)}`);
  }

  #begin<T>({ adopted }: BeginOptions, draft: (files: WriteSet) => T): T {
    this.#makeDirectories();
    const files = WriteSet.open(this.#drafts, { sync: this.#sync, prefix: adopted ? ADOPTION : undefined });
    try {
      return draft(files);
    } catch (error) {
      files.cancel();
      throw error;
    }
  }

  #makeDirectories(): void {
    for (const path of [this.#layers, this.#mounts, this.#drafts]) {
      if (stampOfDirectory(path) !== undefined) continue;
      const made = mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      mkdirSync(path, { recursive: true });
      chmodSync(path, 0o755); // whatever the umask
      if (this.#sync) syncPath(dirname(path), dirname(made ?? path));
    }
  }
}

/** The names of new directories, from the lowest up to that of the topmost one. */
function syncPath(lowest: string, topmost: string): void {
  for (let directory = lowest; ; directory = dirname(directory)) {
    syncDirectory(directory);
    if (directory === topmost) return;
  }
}

const CHAIN_HEX = /^[0-9a-f]{64}$/;
const REMOVING = /^[0-9a-f]{64}-.*-removing$/s;
/** The last one is that of Docker 1.10 to 1.12. */
const DRAFT = /^(write-set|adoption|layer)-[0-9]+$/;
/** A draft by whose name can be told that its trees are not to go with it. */
const ADOPTION = "adoption";

/** A directory that takes another one's place has another inode, or at least another time. */
function stampOfDirectory(directory: string): string | undefined {
  try {
    const stat = statSync(directory, { bigint: true, throwIfNoEntry: false });
    return stat?.isDirectory() ? `${stat.ino} ${stat.mtimeNs}` : undefined;
  } catch (error) {
    throw asVarveError(error);
  }
}

function noRecord(name: string): VarveError {
  return new VarveError("not-found", `${name} has no record`, { name });
}

function abandonedAt(path: string): Leftover | undefined {
  const lock = DirectoryLock.tryAcquire(path);
  if (lock === undefined) return undefined;
  try {
    const trees = basename(path).startsWith(`${ADOPTION}-`) ? [] : treesNamedIn(path);
    return { path, trees, discard: async () => removeTree(path), [Symbol.dispose]: () => lock[Symbol.dispose]() };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}
