/**
 * `varve/tar`: tar archives without losing a byte, apart from the store.
 *
 * @example <caption>List an archive</caption>
 * import { createReadStream } from "node:fs";
 * import { TarReader, toText } from "varve/tar";
 *
 * const reader = new TarReader({
 *   raw() {},
 *   payload() {},
 *   header: ({ name, size }) => console.log(toText(name), size),
 * });
 * for await (const chunk of createReadStream("layer.tar")) reader.write(chunk);
 * reader.end();
 *
 * @example <caption>Write an archive</caption>
 * import { writeFileSync } from "node:fs";
 * import { encodeHeader, END_OF_ARCHIVE, fromText, newHeader, paddingOf } from "varve/tar";
 *
 * const text = Buffer.from("hello\n");
 * const header = newHeader({ name: fromText("etc/motd"), mode: 0o644, size: text.length });
 * writeFileSync("motd.tar", Buffer.concat([encodeHeader(header), text, paddingOf(text.length), END_OF_ARCHIVE]));
 *
 * @example <caption>Take an archive apart, keep its contents elsewhere, and join it again</caption>
 * import { createReadStream, createWriteStream, mkdtempSync, openSync, writeFileSync } from "node:fs";
 * import { type ByteString, Disassembler, Assembler, parseSplitLine, type SplitEntry } from "varve/tar";
 *
 * const directory = mkdtempSync("contents-");
 * const paths = new Map<ByteString, string>();
 * let path = "";
 * const tree = {
 *   entry({ name }: { name: ByteString }): "tree" {
 *     path = `${directory}/${paths.size}`;
 *     paths.set(name, path);
 *     return "tree";
 *   },
 *   data: (bytes: Uint8Array) => writeFileSync(path, bytes, { flag: "a" }),
 *   hole() {}, // the tar-split keeps sparse files
 *   entryEnd() {},
 * };
 * const entries: SplitEntry[] = [];
 * const disassembler = new Disassembler({ line: (text) => void entries.push(parseSplitLine(text)), tree });
 * for await (const chunk of createReadStream("layer.tar")) disassembler.write(chunk);
 * disassembler.end();
 *
 * const output = createWriteStream("again.tar");
 * const assembler = new Assembler({ open: (name) => openSync(paths.get(name)!, "r") });
 * for (const chunk of assembler.add(entries)) output.write(Buffer.from(chunk));
 * for (const chunk of assembler.end()) output.end(chunk);
 */
export { type ByteString, fromBytes, fromText, toBytes, toText } from "../sys/byte-string.ts";
export type { Time } from "../sys/time.ts";
export { Assembler, assemble, type PayloadFiles, readHeaders, readSplit } from "./assemble.ts";
export { cleanName } from "./clean-name.ts";
export { Crc64 } from "./crc64.ts";
export { Disassembler, type DisassemblerOptions, type EntrySink, type PayloadHome } from "./disassemble.ts";
export type { EntryEvents, TarLimits } from "./entries.ts";
export { type Format, type Fragment, type Header, isHeaderOnly, newHeader, TYPE, XATTR_PREFIX } from "./header.ts";
export { TarReader, type TarSink } from "./reader.ts";
export {
  formatSplitLine,
  parseSplitLine,
  type SplitEntry,
  type SplitFile,
  SplitParser,
  type SplitSegment,
} from "./split.ts";
export { END_OF_ARCHIVE, encodeHeader, paddingOf } from "./writer.ts";
