import { VarveError } from "../errors.ts";
import { type ByteSource, throwIfCancelled } from "../io/byte-source.ts";
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

/** Writes a tar straight from its members; a layer's tar is rebuilt while it is written. */
export async function* writeTar(
  members: Iterable<OutputMember>,
  style: HeaderStyle,
  options: SinkOptions = {},
): ByteSource {
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
  if (current !== size)
    throw new VarveError("corrupt", `layer ${diffID} does not have the ${size} bytes that were counted`, { diffID });
}

/** When an image was made, as far as a file's time can tell it; what is outside of that is 1970, as in Docker. */
export function fileTime({ seconds }: { readonly seconds: number }): number {
  return seconds >= 0 && seconds <= LAST_SECOND ? seconds : 0;
}

/** 2^63 nanoseconds. */
const LAST_SECOND = 9_223_372_036;
