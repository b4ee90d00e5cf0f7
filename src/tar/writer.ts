import { VarveError } from "../errors.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { BLOCK, PAX, paddingLength, USTAR } from "./block.ts";
import { cleanName } from "./clean-name.ts";
import { encodingsOf, splitName } from "./encodings.ts";
import { type Header, TYPE } from "./header.ts";
import { putNumeric, putOctal } from "./numeric.ts";
import { formatRecord } from "./pax.ts";

/** What follows the last entry: two blocks of zeros. */
export const END_OF_ARCHIVE: Buffer = Buffer.alloc(2 * BLOCK);

/** The zeros that follow a payload of so many bytes. */
export function paddingOf(size: number): Uint8Array {
  return END_OF_ARCHIVE.subarray(0, paddingLength(size));
}

/**
 * The blocks of one entry up to its payload, byte for byte as Go's archive/tar writes them (FORMATS 8.7): USTAR if that
 * holds everything, else PAX, else GNU, as far as `header.format` allows. Fields that follow from others are not looked at:
 * `payloadSize`, and `sparse`, for a sparse file is written with its holes.
 *
 * @throws VarveError `invalid-argument` for what the allowed formats cannot say
 * @example
 * const header = newHeader({ name: fromText("etc/motd"), mode: 0o644, size: text.length });
 * yield encodeHeader(header);
 * yield text;
 * yield paddingOf(text.length);
 * yield END_OF_ARCHIVE;
 */
export function encodeHeader(header: Header): Buffer {
  const entry = normalise(header);
  const { formats, records } = encodingsOf(entry);
  if ((formats & USTAR) !== 0) return ustarHeader(entry);
  if ((formats & PAX) !== 0) return paxHeader(entry, records);
  return gnuHeader(entry);
}

/** Settles V7's type; without a wish for a format only whole seconds and no other time than mtime are written. */
function normalise(header: Header): Header {
  const fallback = header.name.endsWith("/") ? TYPE.directory : TYPE.file;
  const entry = header.type === "\0" ? { ...header, type: fallback } : header;
  if (header.format === "ustar" || header.format === "pax" || header.format === "gnu") return entry;
  const seconds = header.mtime.seconds + (header.mtime.nanoseconds >= 5e8 ? 1 : 0);
  return { ...entry, mtime: { seconds, nanoseconds: 0 }, atime: undefined, ctime: undefined };
}

function ustarHeader(header: Header): Buffer {
  const split = splitName(header.name);
  const block = Buffer.alloc(BLOCK);
  putFields(block, split === undefined ? header : { ...header, name: split.rest }, putOctal);
  if (split !== undefined) putText(block, 345, 155, split.prefix);
  return seal(block, "ustar\x0000");
}

function paxHeader(header: Header, records: ReadonlyMap<string, ByteString>): Buffer {
  const isGlobal = header.type === TYPE.paxGlobal;
  const parts: Buffer[] = [];
  if (records.size > 0 || isGlobal) {
    const keys = [...records.keys()].sort();
    const data = keys.map((key) => formatRecord(key, records.get(key)!)).join("");
    if (data.length > MAX_RECORDS)
      throw new VarveError("invalid-argument", "archive/tar: header field too long", { name: toText(header.name) });
    const name = isGlobal ? header.name || "GlobalHead.0.0" : recordsName(header.name);
    parts.push(metaFile(name, isGlobal ? TYPE.paxGlobal : TYPE.paxHeader, data, "ustar\x0000"));
  }
  if (!isGlobal) {
    const block = Buffer.alloc(BLOCK);
    const { name, linkname, userName, groupName } = header;
    const ascii = { name: toAscii(name), linkname: toAscii(linkname), userName: toAscii(userName) };
    putFields(block, { ...header, ...ascii, groupName: toAscii(groupName) }, putOctal);
    parts.push(seal(block, "ustar\x0000"));
  }
  return Buffer.concat(parts);
}

/** Go's reader takes no more in one header. */
const MAX_RECORDS = 1 << 20;

function gnuHeader(header: Header): Buffer {
  const parts: Buffer[] = [];
  const longText: [ByteString, string][] = [
    [header.name, TYPE.gnuLongName],
    [header.linkname, TYPE.gnuLongLink],
  ];
  for (const [text, type] of longText)
    if (text.length > 100) parts.push(metaFile("././@LongLink", type, `${text}\0`, "ustar  \0"));
  const block = Buffer.alloc(BLOCK);
  putFields(block, header, putNumeric);
  if (header.atime !== undefined) putNumeric(block, 345, 12, header.atime.seconds);
  if (header.ctime !== undefined) putNumeric(block, 357, 12, header.ctime.seconds);
  parts.push(seal(block, "ustar  \0"));
  return Buffer.concat(parts);
}

/** A header about the next header, with its payload and padding. Device numbers and owner names stay NUL. */
function metaFile(name: string, type: string, data: string, magic: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  putText(block, 0, 100, toAscii(name).slice(0, 100).replace(/\/+$/, ""));
  for (const field of [100, 108, 116]) putOctal(block, field, 8, 0);
  putOctal(block, 124, 12, data.length);
  putOctal(block, 136, 12, 0);
  putText(block, 156, 1, type);
  return Buffer.concat([seal(block, magic), Buffer.from(data, "latin1"), paddingOf(data.length)]);
}

function putFields(block: Buffer, header: Header, putNumber: typeof putOctal): void {
  putText(block, 0, 100, header.name);
  putNumber(block, 100, 8, header.mode);
  putNumber(block, 108, 8, header.uid);
  putNumber(block, 116, 8, header.gid);
  putNumber(block, 124, 12, header.size);
  putNumber(block, 136, 12, header.mtime.seconds);
  putText(block, 156, 1, header.type);
  putText(block, 157, 100, header.linkname);
  putText(block, 265, 32, header.userName);
  putText(block, 297, 32, header.groupName);
  putNumber(block, 329, 8, header.deviceMajor);
  putNumber(block, 337, 8, header.deviceMinor);
}

/**
 * As much of a text as its field holds. What is cut right behind a slash loses the slash, for to some readers that would be
 * a directory.
 */
function putText(block: Buffer, at: number, width: number, text: string): void {
  block.write(text.slice(0, width), at, width, "latin1");
  if (text.length > width && text[width - 1] === "/") block[at + text.slice(0, width).replace(/\/+$/, "").length] = 0;
}

function seal(block: Buffer, magic: string): Buffer {
  block.write(magic, 257, "latin1");
  block.fill(" ", 148, 156);
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += block[at]!;
  putOctal(block, 148, 7, sum);
  return block;
}

/** The name under which an entry's records travel. */
function recordsName(name: ByteString): string {
  const slash = name.lastIndexOf("/");
  const parts = [name.slice(0, slash + 1), "PaxHeaders.0", name.slice(slash + 1)];
  return cleanName(parts.filter((part) => part !== "").join("/") as ByteString);
}

function toAscii(text: string): ByteString {
  return text.replace(/[\0\x80-\xff]/g, "") as ByteString;
}
