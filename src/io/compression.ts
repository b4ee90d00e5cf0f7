import type { Transform } from "node:stream";
import zlib from "node:zlib";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import { abortable, type ByteSource, peek } from "./byte-source.ts";
import { ChildConverter } from "./child-converter.ts";
import { type Converter, through } from "./through.ts";
import { zstdPieces } from "./zstd-frames.ts";

export type Compression = "none" | "gzip" | "zstd" | "xz" | "bzip2";

/** Half the speed of gunzip is lost in Node's default of 16 KiB. */
const CHUNK_SIZE = 128 * 1024;
/** What a small stream may make xz allocate; its highest preset needs 65 MiB. */
const XZ_MEMORY = "512MiB";
/** As many bytes as `sniffCompression` ever looks at. */
const SNIFFED = 10;

/** Tells a compressed stream by its first ten bytes (FORMATS 8.10); with fewer it may not be recognised. */
export function sniffCompression(first: Uint8Array): Compression {
  for (const [compression, magic] of MAGICS) if (magic.every((byte, i) => first[i] === byte)) return compression;
  if (first.length < 8) return "none";
  const frame = Buffer.from(first.buffer, first.byteOffset, first.length).readUInt32LE();
  return frame >= 0x184d2a50 && frame <= 0x184d2a5f ? "zstd" : "none";
}

const MAGICS: readonly (readonly [Compression, readonly number[]])[] = [
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];

export interface DecompressOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limits?: { /** How much may come out. */ readonly bytes?: number | undefined } | undefined;
}

/**
 * The content of a stream, whatever it is compressed with; one that is not compressed passes through. Memory stays
 * bounded whatever the stream unfolds to. xz and bzip2 need the programs of that name.
 *
 * @throws VarveError `invalid-archive` for a stream that is damaged, cut short or followed by something else;
 * `too-large` past the limit; `unsupported` where a decoder is missing; `cancelled`
 * @example
 * for await (const chunk of decompress(fileSource("layer.tar.gz"))) hash.update(chunk);
 */
export async function* decompress(source: ByteSource, options: DecompressOptions = {}): AsyncGenerator<Uint8Array> {
  const { signal, limits } = options;
  const limit = limits?.bytes ?? Number.POSITIVE_INFINITY;
  const { head, whole } = await peek(abortable(source, signal), SNIFFED);
  try {
    let size = 0;
    for await (const chunk of await decoded(sniffCompression(head), whole, signal)) {
      size += chunk.length;
      if (size > limit) throw new VarveError("too-large", `unpacks to more than ${limit} bytes`, { limit });
      yield chunk;
    }
  } catch (error) {
    throw asVarveError(error);
  } finally {
    await whole.return?.();
  }
}

/**
 * Compresses with gzip, or deflates without a header, always to the same bytes for the same content, level and zlib.
 * Without a level, zlib's own.
 */
export async function* compress(
  source: ByteSource,
  format: "gzip" | "deflate",
  options: { readonly level?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Uint8Array> {
  const { level = zlib.constants.Z_DEFAULT_COMPRESSION, signal } = options;
  const settings = { level, chunkSize: CHUNK_SIZE };
  const stream = format === "gzip" ? zlib.createGzip(settings) : zlib.createDeflateRaw(settings);
  yield* through(abortable(source, signal), converterOf(stream, format), signal);
}

async function decoded(
  compression: Compression,
  source: ByteSource,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  switch (compression) {
    case "none":
      return source;
    case "gzip":
      return through(source, gunzip(), signal);
    case "zstd":
      return through(zstdPieces(source), converterOf(await createZstdDecoder(), "zstd"), signal);
    case "xz":
      return through(source, new ChildConverter("xz", "-dcq", `--memlimit-decompress=${XZ_MEMORY}`), signal);
    case "bzip2":
      return through(source, new ChildConverter("bzip2", "-dc"), signal);
  }
}

/**
 * zlib goes on with the next member by itself, and refuses what begins unlike one. It stops for good at a zero byte,
 * the padding of tapes: then only zeros may follow.
 */
function gunzip(): Converter {
  const stream = zlib.createGunzip({ chunkSize: CHUNK_SIZE });
  let offered = 0;
  return {
    ...converterOf(stream, "gzip"),
    taken(chunk) {
      offered += chunk.length;
      const ignored = Math.min(offered - stream.bytesWritten, chunk.length);
      if (ignored > 0 && chunk.subarray(chunk.length - ignored).some((byte) => byte !== 0))
        throw new VarveError("invalid-archive", "gzip: invalid header");
    },
  };
}

function converterOf(stream: Transform, format: string): Converter {
  return {
    input: stream,
    output: stream,
    explain: (error) => explainCodec(error, format),
    destroy: () => void stream.destroy(),
  };
}

/** Go's words where it has some for the same thing. */
function explainCodec(error: Error, format: string): Error {
  if (isVarveError(error)) return error;
  const message = GO_MESSAGES[error.message] ?? `${format}: ${error.message}`;
  return new VarveError("invalid-archive", message, { format }, error);
}

const GO_MESSAGES: Readonly<Record<string, string>> = {
  "unexpected end of file": "unexpected EOF",
  "incorrect header check": "gzip: invalid header",
  "unknown compression method": "gzip: invalid header",
  "incorrect data check": "gzip: invalid checksum",
  "incorrect length check": "gzip: invalid checksum",
};

/** Node's own from 22.15 on, before that an optional package. */
async function createZstdDecoder(): Promise<Transform> {
  if ("createZstdDecompress" in zlib) {
    const create = zlib.createZstdDecompress as (options: { chunkSize: number }) => Transform;
    return create({ chunkSize: CHUNK_SIZE });
  }
  try {
    const { Decompressor } = await import("@cloudpss/zstd/napi");
    return new Decompressor();
  } catch (error) {
    throw new VarveError("unsupported", "zstd needs Node 22.15, or the package @cloudpss/zstd", {}, error);
  }
}
