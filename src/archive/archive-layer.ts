import type { DiffID } from "../digest/chain-id.ts";
import { algorithmOf, type Digest, Digester, digestOf } from "../digest/digest.ts";
import { shortID } from "../digest/random-id.ts";
import { VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { decompress, sniffCompression } from "../io/compression.ts";
import type { Descriptor } from "../layer/layer.ts";
import type { SourceLayer, StoredLayer, StreamOptions } from "./archive.ts";
import type { ArchiveFile } from "./archive-files.ts";

/** A file of an archive that is a layer, compressed or not. */
export interface LayerFile {
  /** Where the archive says that it lies. */
  readonly path: string;
  /** Absent when there is nothing at that path. */
  readonly file: ArchiveFile | undefined;
  /** The digest of the file as it lies there, when the archive promises one. */
  readonly digest?: Digest | undefined;
}

export interface ArchiveLayer extends LayerFile {
  readonly diffID: DiffID;
  readonly label?: string | undefined;
  readonly descriptor?: Descriptor | undefined;
}

/** @param limit bytes that the layer may have, uncompressed */
export function archiveLayer(layer: ArchiveLayer, limit: number): SourceLayer {
  const { diffID, descriptor } = layer;
  // Of a file that is not compressed the DiffID says as much, and whoever takes the layer looks at that.
  const promised = layer.digest === diffID ? { ...layer, digest: undefined } : layer;
  return {
    diffID,
    label: layer.label ?? shortID(diffID),
    descriptor,
    available: layer.file !== undefined,
    tarSize: (signal) => tarSize(layer, limit, signal),
    open: (options) => openLayer(promised, limit, options),
    stored: layer.file && storedLayer(layer.file, promised, limit),
  };
}

/** The uncompressed tar in a file. */
export function openLayer(layer: LayerFile, limit: number, options: StreamOptions = {}): ByteSource {
  return decompress(readStored(layer, options), { signal: options.signal, limits: { bytes: limit } });
}

function storedLayer(file: ArchiveFile, { path, digest }: LayerFile, limit: number): StoredLayer {
  return {
    size: file.size,
    open() {
      const range = file.openRange();
      return { range, limit, digest, [Symbol.dispose]: () => range[Symbol.dispose]() };
    },
    wrongBytes: (actual) => wrongBlob(path, digest!, actual),
  };
}

/** The bytes as stored, counted, and at their end seen to be the promised ones. */
async function* readStored(layer: LayerFile, { signal, onBytes }: StreamOptions): ByteSource {
  const { digest, path } = layer;
  const file = fileOf(layer);
  const digester = digest && new Digester(algorithmOf(digest));
  let current = 0;
  for await (const chunk of file.stream(signal)) {
    digester?.update(chunk);
    current += chunk.length;
    onBytes?.(current, file.size);
    yield chunk;
  }
  const actual = digester?.digest();
  if (actual !== undefined && actual !== digest) throw wrongBlob(path, digest!, actual);
}

async function tarSize(layer: LayerFile, limit: number, signal: AbortSignal | undefined): Promise<number> {
  const file = fileOf(layer);
  if (!(await isCompressed(file, signal))) return file.size;
  let size = 0;
  for await (const chunk of openLayer(layer, limit, { signal })) size += chunk.length;
  return size;
}

async function isCompressed(file: ArchiveFile, signal: AbortSignal | undefined): Promise<boolean> {
  for await (const chunk of file.stream(signal)) return sniffCompression(chunk) !== "none";
  return false;
}

function fileOf({ file, path }: LayerFile): ArchiveFile {
  if (file !== undefined) return file;
  throw new VarveError("invalid-archive", `invalid archive: the layer "${path}" is not in it`, { path });
}

/** @throws VarveError `invalid-archive` when a content-addressed file holds other bytes than its name promises */
export function checkBlob(path: string, expected: Digest, bytes: Uint8Array): void {
  const actual = digestOf(bytes, algorithmOf(expected));
  if (actual !== expected) throw wrongBlob(path, expected, actual);
}

function wrongBlob(path: string, expected: Digest, actual: Digest): VarveError {
  const message = `invalid archive: "${path}" has digest ${actual}, expected ${expected}`;
  return new VarveError("invalid-archive", message, { path, expected, actual });
}
