import { ftruncateSync, writeSync } from "node:fs";
import { asVarveError } from "../errors.ts";
import { type ByteSource, throwIfCancelled } from "../io/byte-source.ts";
import { FirstFailure } from "../layer/first-failure.ts";
import { wrongSize } from "../layer/tar-jobs.ts";
import { fromText } from "../sys/byte-string.ts";
import { type Header, newHeader, TYPE } from "../tar/header.ts";
import { END_OF_ARCHIVE, encodeHeader, paddingOf } from "../tar/writer.ts";
import type { SinkOptions, SourceLayer } from "./archive.ts";

/** One member of an archive to be written; directories end in a slash. */
export type OutputMember = { readonly name: string /** Seconds since the epoch. */; readonly mtime: number } & (
  | { readonly kind: "directory" }
  | { readonly kind: "file"; readonly bytes: Uint8Array }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "layer"; readonly layer: SourceLayer }
);

/** How headers are filled in, which changed with the Docker that wrote them (FORMATS 8.7). */
export type HeaderStyle =
  /** Up to 20.10: file type bits in the mode, and names for owner and group. */
  | "typed"
  /** Since 24. */
  | "plain";

/** All that an archive consists of. */
export interface ArchivePlan {
  readonly members: readonly OutputMember[];
  readonly style: HeaderStyle;
}

/** Writes a tar straight from its members; a layer's tar is rebuilt while it is written. */
export async function* streamTar({ members, style }: ArchivePlan, options: SinkOptions = {}): ByteSource {
  for (const member of members) {
    throwIfCancelled(options.signal);
    const size = await sizeOf(member, options.signal);
    yield encodeHeader(headerOf(member, size, style));
    if (member.kind === "file") yield member.bytes;
    else if (member.kind === "layer") yield* layerBytes(member.layer, size, options);
    if (size % 512 !== 0) yield paddingOf(size);
  }
  yield END_OF_ARCHIVE;
}

/**
 * Writes the same tar to a regular file, from its beginning. Where everything lies is known before the layers are
 * written, so that several are written at a time.
 *
 * @returns its size. When it fails the file holds anything, and nobody writes to it any more.
 */
export async function placeTar(
  { members, style }: ArchivePlan,
  file: number,
  { signal, onLayer }: SinkOptions = {},
): Promise<number> {
  const sizes = await Promise.all(members.map((member) => sizeOf(member, signal)));
  const output = new Placed(file);
  const layers: { readonly layer: SourceLayer; readonly offset: number; readonly size: number }[] = [];
  for (const [i, member] of members.entries()) {
    const size = sizes[i]!;
    output.add(encodeHeader(headerOf(member, size, style)));
    if (member.kind === "file") output.add(member.bytes);
    else if (member.kind === "layer") layers.push({ layer: member.layer, offset: output.skip(size), size });
    output.add(paddingOf(size));
  }
  output.add(END_OF_ARCHIVE);
  output.end();
  using failure = new FirstFailure(signal);
  // The largest first, so that none of them is left to one thread in the end.
  const writing = layers
    .sort((a, b) => b.size - a.size)
    .map((placed) => failure.watch(placeLayer(placed, file, { signal: failure.signal, onLayer })));
  await Promise.allSettled(writing);
  try {
    await Promise.all(writing);
  } catch (error) {
    throw failure.or(error);
  }
  return output.size;
}

async function placeLayer(
  { layer, offset, size }: { readonly layer: SourceLayer; readonly offset: number; readonly size: number },
  file: number,
  { signal, onLayer }: SinkOptions,
): Promise<void> {
  const { diffID, label } = layer;
  const onBytes = (current: number): void => onLayer?.({ kind: "layer", label, diffID, current, total: size });
  if (layer.writeTar !== undefined) {
    await layer.writeTar({ fd: file, offset, size }, { signal, onBytes });
    return;
  }
  let current = 0;
  for await (const chunk of layerBytes(layer, size, { signal, onLayer })) {
    writeAt(file, chunk, offset + current);
    current += chunk.length;
  }
}

/** What lies between the layers of a file, gathered to as few writes as there are gaps. */
class Placed {
  readonly #file: number;
  #gathered: Uint8Array[] = [];
  #written = 0;
  #length = 0;

  constructor(file: number) {
    this.#file = file;
  }

  get size(): number {
    return this.#written + this.#length;
  }

  add(bytes: Uint8Array): void {
    this.#gathered.push(bytes);
    this.#length += bytes.length;
  }

  /** Leaves room. @returns where */
  skip(size: number): number {
    this.#flush();
    const offset = this.#written;
    this.#written += size;
    return offset;
  }

  /** Gives the file its size, whatever it had. */
  end(): void {
    this.#flush();
    try {
      ftruncateSync(this.#file, this.#written);
    } catch (error) {
      throw asVarveError(error);
    }
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#gathered, this.#length);
    writeAt(this.#file, bytes, this.#written);
    this.#written += bytes.length;
    this.#gathered = [];
    this.#length = 0;
  }
}

function writeAt(file: number, bytes: Uint8Array, offset: number): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, offset + at);
  } catch (error) {
    throw asVarveError(error);
  }
}

async function sizeOf(member: OutputMember, signal: AbortSignal | undefined): Promise<number> {
  if (member.kind === "file") return member.bytes.length;
  return member.kind === "layer" ? await member.layer.tarSize(signal) : 0;
}

function headerOf(member: OutputMember, size: number, style: HeaderStyle): Header {
  const { type, bits, mode } = KINDS[member.kind];
  const owner = fromText(style === "typed" ? "root" : "");
  return newHeader({
    name: fromText(member.name),
    linkname: fromText(member.kind === "symlink" ? member.target : ""),
    type,
    mode: style === "typed" ? bits | mode : mode,
    size,
    mtime: { seconds: member.mtime, nanoseconds: 0 },
    userName: owner,
    groupName: owner,
  });
}

const KINDS = {
  directory: { type: TYPE.directory, bits: 0o040000, mode: 0o755 },
  file: { type: TYPE.file, bits: 0o100000, mode: 0o644 },
  layer: { type: TYPE.file, bits: 0o100000, mode: 0o644 },
  symlink: { type: TYPE.symlink, bits: 0o120000, mode: 0o777 },
} as const;

async function* layerBytes(layer: SourceLayer, size: number, { signal, onLayer }: SinkOptions): ByteSource {
  const { diffID, label } = layer;
  let current = 0;
  for await (const chunk of layer.open({ signal })) {
    current += chunk.length;
    if (current > size) break;
    yield chunk;
    onLayer?.({ kind: "layer", label, diffID, current, total: size });
  }
  if (current !== size) throw wrongSize(diffID, size);
}

/** When an image was made, as far as a file's time can tell it; what is outside of that is 1970, as in Docker. */
export function fileTime({ seconds }: { readonly seconds: number }): number {
  return seconds >= 0 && seconds <= LAST_SECOND ? seconds : 0;
}

/** 2^63 nanoseconds. */
const LAST_SECOND = 9_223_372_036;
