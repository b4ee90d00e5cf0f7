import type { ByteString } from "../sys/byte-string.ts";
import type { EntrySink } from "../tar/disassemble.ts";
import { type Header, newHeader, TYPE } from "../tar/header.ts";
import { TarReader } from "../tar/reader.ts";
import { END_OF_ARCHIVE, encodeHeader, paddingOf } from "../tar/writer.ts";

/**
 * An entry of a tar as a test writes it down. Names have one character a byte; a type and a mode that follow from the
 * rest need not be said, and the owner is whoever runs the test.
 */
export interface TarEntry extends Partial<Omit<Header, "name" | "linkname">> {
  readonly name: string;
  readonly linkname?: string;
  readonly content?: string | Uint8Array;
  /** Extended attributes, their values one character a byte. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

/** The tar of some entries, as Go's writer makes it. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = contentOf(entry);
    return [encodeHeader(headerOf(entry)), content, paddingOf(content.length)];
  });
  return Buffer.concat([...parts, END_OF_ARCHIVE]);
}

/** Gives entries to a sink, as a reader of their tar would. @returns the names whose payload the sink did not keep */
export function feed(sink: EntrySink, entries: readonly TarEntry[]): string[] {
  const split: string[] = [];
  for (const entry of entries) {
    const content = contentOf(entry);
    if (sink.entry(headerOf(entry)) === "split" && content.length > 0) split.push(entry.name);
    if (content.length > 0) sink.data(content);
    sink.entryEnd();
  }
  return split;
}

/** What a tar says, in order; contents as one character a byte. */
export function readTar(tar: Uint8Array): { readonly header: Header; readonly content: string }[] {
  const entries: { header: Header; content: string }[] = [];
  const reader = new TarReader({
    raw() {},
    header: (header) => void entries.push({ header, content: "" }),
    payload(bytes) {
      entries.at(-1)!.content += Buffer.from(bytes).toString("latin1");
    },
  });
  reader.write(tar);
  reader.end();
  return entries;
}

export function headerOf(entry: TarEntry): Header {
  const { name, linkname = "", content: _, xattrs = {}, ...fields } = entry;
  const type = fields.type ?? (name.endsWith("/") ? TYPE.directory : TYPE.file);
  const records = Object.entries(xattrs).map(([key, value]) => [`SCHILY.xattr.${key}`, value]);
  return newHeader({
    mode: type === TYPE.directory ? 0o755 : 0o644,
    uid: process.geteuid!(),
    gid: process.getegid!(),
    mtime: { seconds: 1_600_000_000, nanoseconds: 0 },
    size: contentOf(entry).length,
    records: new Map(records as never),
    ...fields,
    type,
    name: name as ByteString,
    linkname: linkname as ByteString,
  });
}

function contentOf({ content = "" }: TarEntry): Uint8Array {
  return typeof content === "string" ? Buffer.from(content) : content;
}
