import { ftruncateSync, writeSync } from "node:fs";
import { asVarveError, VarveError } from "../errors.ts";
import { type ByteSource, throwIfCancelled } from "../io/byte-source.ts";
import { FirstFailure } from "../layer/first-failure.ts";
import { type TarPlace, wrongSize } from "../layer/tar-jobs.ts";
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
  | { readonly kind: "stream"; readonly content: StreamedContent }
);

/** A file's content that comes as it is asked for, from whoever knows more of it than the archive says. */
export interface StreamedContent {
  /** Bytes. May have to read all of it. */
  size(signal?: AbortSignal): Promise<number>;
  open(signal?: AbortSignal): ByteSource;
}

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
  for await (const { member, size } of measured(members, options.signal)) {
    throwIfCancelled(options.signal);
    yield encodeHeader(headerOf(member, size, style));
    if (member.kind === "file") yield member.bytes;
    else if (member.kind === "layer") yield* layerBytes(member.layer, size, options);
    else if (member.kind === "stream") yield* streamBytes(member, size, options.signal);
    if (size % 512 !== 0) yield paddingOf(size);
  }
  yield END_OF_ARCHIVE;
}

/**
 * Writes the same tar to a regular file, from its beginning. Where a layer lies is known as soon as those before it were
 * measured, so that several are written at a time.
 *
 * @returns its size. When it fails the file holds anything, and nobody writes to it any more.
 */
export async function placeTar(
  { members, style }: ArchivePlan,
  file: number,
  { signal, onLayer }: SinkOptions = {},
): Promise<number> {
  using failure = new FirstFailure(signal);
  const options = { signal: failure.signal, onLayer };
  const writing: Promise<void>[] = [];
  try {
    const gaps = new Gaps(file);
    for await (const { member, size } of measured(members, failure.signal)) {
      throwIfCancelled(failure.signal);
      gaps.add(encodeHeader(headerOf(member, size, style)));
      if (member.kind === "file") gaps.add(member.bytes);
      else if (member.kind === "layer")
        writing.push(failure.watch(placeLayer(member.layer, { fd: file, offset: gaps.leave(size), size }, options)));
      else if (member.kind === "stream")
        await placeBytes(streamBytes(member, size, options.signal), { fd: file, offset: gaps.leave(size), size });
      gaps.add(paddingOf(size));
    }
    gaps.add(END_OF_ARCHIVE);
    const length = gaps.end();
    await Promise.all(writing);
    return length;
  } catch (error) {
    throw failure.or(error);
  } finally {
    failure.stop();
    await Promise.allSettled(writing);
  }
}

async function placeLayer(layer: SourceLayer, place: TarPlace, options: SinkOptions): Promise<void> {
  const { signal, onLayer } = options;
  const { diffID, label } = layer;
  const { size } = place;
  if (layer.writeTar !== undefined) {
    const onBytes = (current: number): void => onLayer?.({ kind: "layer", label, diffID, current, total: size });
    await layer.writeTar(place, { signal, onBytes });
    return;
  }
  await placeBytes(layerBytes(layer, size, options), place);
}

async function placeBytes(bytes: ByteSource, { fd, offset }: TarPlace): Promise<void> {
  let current = 0;
  for await (const chunk of bytes) {
    writeAt(fd, chunk, offset + current);
    current += chunk.length;
  }
}

/** What lies between the layers of a file, gathered to as few writes as there are gaps. */
class Gaps {
  readonly #file: number;
  #gathered: Uint8Array[] = [];
  #written = 0;
  #length = 0;

  constructor(file: number) {
    this.#file = file;
  }

  add(bytes: Uint8Array): void {
    this.#gathered.push(bytes);
    this.#length += bytes.length;
  }

  /** Leaves room for a layer. @returns where */
  leave(size: number): number {
    this.#flush();
    const offset = this.#written;
    this.#written += size;
    return offset;
  }

  /** Gives the file its size, whatever it had. @returns that */
  end(): number {
    this.#flush();
    try {
      ftruncateSync(this.#file, this.#written);
    } catch (error) {
      throw asVarveError(error);
    }
    return this.#written;
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

/** Each member with its size. The next long one is measured while one is taken. */
async function* measured(
  members: readonly OutputMember[],
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly member: OutputMember; readonly size: number }> {
  const ahead = members.filter(({ kind }) => kind === "layer" || kind === "stream");
  const begun = new Map<OutputMember, Promise<number>>();
  const measureNext = (): void => {
    const member = ahead.shift();
    if (member === undefined) return;
    const size = sizeOf(member, signal);
    size.catch(() => {}); // told when it is that member's turn
    begun.set(member, size);
  };
  try {
    measureNext();
    for (const member of members) {
      const size = await (begun.get(member) ?? sizeOf(member, signal));
      if (begun.delete(member)) measureNext();
      yield { member, size };
    }
  } finally {
    await Promise.allSettled(begun.values());
  }
}

async function sizeOf(member: OutputMember, signal: AbortSignal | undefined): Promise<number> {
  if (member.kind === "file") return member.bytes.length;
  if (member.kind === "stream") return await member.content.size(signal);
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
  stream: { type: TYPE.file, bits: 0o100000, mode: 0o644 },
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

async function* streamBytes(
  { name, content }: OutputMember & { readonly kind: "stream" },
  size: number,
  signal: AbortSignal | undefined,
): ByteSource {
  let current = 0;
  for await (const chunk of content.open(signal)) {
    current += chunk.length;
    if (current > size) break;
    yield chunk;
  }
  if (current !== size)
    throw new VarveError("corrupt", `${name} does not have the ${size} bytes that were counted`, { name, size });
}

/** When an image was made, as far as a file's time can tell it; what is outside of that is 1970, as in Docker. */
export function fileTime({ seconds }: { readonly seconds: number }): number {
  return seconds >= 0 && seconds <= LAST_SECOND ? seconds : 0;
}

/** 2^63 nanoseconds. */
const LAST_SECOND = 9_223_372_036;
