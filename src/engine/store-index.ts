import { closeSync, constants, fstatSync, ftruncateSync, openSync, renameSync, statSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { errnoOf, isVarveError } from "../errors.ts";
import { type IndexedImage, imageCodec } from "../image/image-index.ts";
import { Packer, Unpacker } from "../io/packed.ts";
import { RecordIndex } from "../io/record-index.ts";
import { readWholeFile } from "../io/whole-file.ts";
import { layerCodec } from "../layer/layer-index.ts";
import type { LayerRecord } from "../layer/metadata.ts";
import { FileLock } from "../sys/lock.ts";
import { removeFile } from "../sys/remove-file.ts";

/**
 * What a process leaves for the next one to start with, in one file, `<root>/varve/index-<driver>`: the records of all
 * layers and the outlines of all images, each with the stamp of the files that it was read from (`RecordIndex`). A
 * start then takes one look at each file's times instead of reading it.
 *
 * The file is no part of the root's state. It belongs to this version of Varve and to this machine, carries a checksum,
 * is never synced, and any process may remove it at any time; whatever is wrong with it, it is as if there were none. It
 * is written beside the root lock, into a file of its own and then into place, so nobody waits for it and nobody sees
 * half of it.
 */
export class StoreIndex {
  readonly layers: RecordIndex<LayerRecord>;
  readonly images: RecordIndex<IndexedImage>;
  readonly #path: string;

  /** What was left there, or an empty index. */
  static open(path: string): StoreIndex {
    return new StoreIndex(path, readIndex(path));
  }

  private constructor(path: string, from: Indexes) {
    this.layers = from.layers;
    this.images = from.images;
    this.#path = path;
  }

  /** Whether the next start would be noticeably quicker with what this one read. */
  get isStale(): boolean {
    const changes = this.layers.changes + this.images.changes;
    return changes > WORTH_WRITING + (this.layers.size + this.images.size) / 50;
  }

  /**
   * Leaves what was read since `open` to the next process, unless another one is about it.
   *
   * @throws VarveError or a system error when it cannot be written; see `isNoPlaceToWrite`
   */
  save(): void {
    writeIndex(this.#path, formatIndex(this));
  }

  /** To be called when the stores have been opened: the index is for that alone. */
  forget(): void {
    this.layers.forget();
    this.images.forget();
  }
}

/** Whether the error says only that this process cannot leave anything here. */
export function isNoPlaceToWrite(error: unknown): boolean {
  return ["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "ENOENT"].includes(errnoOf(error) ?? "");
}

/** Below this reading the files takes less time than a person could notice. */
const WORTH_WRITING = 100;
/** Far from what Node can make a text of. */
const MAX_SIZE = 1 << 28;
const MAGIC = "varve index 1";

interface Indexes {
  readonly layers: RecordIndex<LayerRecord>;
  readonly images: RecordIndex<IndexedImage>;
}

/** Exported for its tests: no bytes make anything but an index, if an empty one. */
export function parseIndex(bytes: Buffer | undefined): Indexes {
  try {
    const from = new Unpacker(bytes ?? EMPTY);
    if (from.latin() === MAGIC && from.count() === crc32(from.rest())) {
      const layers = RecordIndex.unpack(layerCodec, from);
      const images = RecordIndex.unpack(imageCodec, from);
      if (from.ended) return { layers, images };
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return { layers: new RecordIndex(layerCodec), images: new RecordIndex(imageCodec) };
}

export function formatIndex({ layers, images }: Indexes): Buffer {
  const packer = new Packer().latin(MAGIC).count(0);
  const start = packer.finish().length;
  layers.pack(packer);
  images.pack(packer);
  const bytes = packer.finish();
  bytes.writeUInt32LE(crc32(bytes.subarray(start)), start - 4);
  return bytes;
}

const EMPTY: Buffer = Buffer.alloc(0);

function readIndex(path: string): Indexes {
  try {
    return parseIndex(readWholeFile(path, MAX_SIZE));
  } catch (error) {
    if (isVarveError(error)) return parseIndex(undefined);
    throw error;
  }
}

/** Who finds the draft locked leaves the work to the one who has it; a draft that a dead process left is used again. */
function writeIndex(path: string, bytes: Buffer): void {
  const draft = `${path}.new`;
  const fd = openSync(draft, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    using lock = FileLock.tryAcquire(fd, "exclusive");
    if (lock === undefined || !isAt(draft, fd)) return;
    try {
      ftruncateSync(fd);
      writeFileSync(fd, bytes);
      renameSync(draft, path);
    } catch (error) {
      removeFile(draft);
      throw error;
    }
  } finally {
    closeSync(fd);
  }
}

/** Somebody may have moved it into place before the lock was ours. */
function isAt(path: string, fd: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
}
