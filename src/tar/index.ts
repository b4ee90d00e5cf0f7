/**
 * `varve/tar`: tar archives without losing a byte, apart from the store.
 *
 * @example <caption>List an archive</caption>
 * const reader = new TarReader({ raw() {}, payload() {}, header: ({ name, size }) => console.log(toText(name), size) });
 * for await (const chunk of createReadStream("layer.tar")) reader.write(chunk);
 * reader.end();
 *
 * @example <caption>Take a layer apart, keep the files elsewhere, and join it again</caption>
 * const lines: string[] = [];
 * const disassembler = new Disassembler({ line: (text) => void lines.push(text), tree });
 * for await (const chunk of createReadStream("layer.tar")) disassembler.write(chunk);
 * disassembler.end();
 * const assembler = new Assembler({ open: (name) => openSync(pathOf(name), "r") });
 * for (const chunk of assembler.add(lines.map(parseSplitLine))) output.write(chunk);
 * for (const chunk of assembler.end()) output.write(chunk);
 */
export { type ByteString, fromBytes, fromText, toBytes, toText } from "../sys/byte-string.ts";
export type { Time } from "../sys/time.ts";
export { Assembler, assemble, type PayloadFiles, readHeaders, readSplit } from "./assemble.ts";
export { cleanName } from "./clean-name.ts";
export { Crc64 } from "./crc64.ts";
export { Disassembler, type DisassemblerOptions, type EntrySink, type PayloadHome } from "./disassemble.ts";
export type { TarLimits } from "./entries.ts";
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
