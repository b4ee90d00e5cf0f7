import type { ByteString } from "../sys/byte-string.ts";
import type { Time } from "../sys/time.ts";
import type { HeaderDraft } from "./block.ts";
import { parseDecimal } from "./numeric.ts";

/**
 * PAX records: `<length> <key>=<value>\n`, the length in decimal and of the whole record. Every function here returns
 * `undefined` for what Go refuses; the caller knows where in the stream it was.
 */

/** Reads a PAX header's payload. The offsets of GNU's sparse format 0.0 are gathered into the map of format 0.1. */
export function parseRecords(payload: Buffer): Map<string, ByteString> | undefined {
  const records = new Map<string, ByteString>();
  const sparseMap: string[] = [];
  for (let at = 0; at < payload.length; ) {
    const space = payload.indexOf(SPACE, at);
    if (space < 0) return undefined;
    const length = parseDecimal(payload.toString("latin1", at, space));
    const end = at + length;
    if (!(length >= 5) || end > payload.length || end <= space + 1 || payload[end - 1] !== NEWLINE) return undefined;
    const equals = payload.indexOf(EQUALS, space + 1);
    if (equals < 0 || equals >= end - 1) return undefined;
    const key = payload.toString("latin1", space + 1, equals);
    const value = payload.toString("latin1", equals + 1, end - 1) as ByteString;
    if (!isValidRecord(key, value)) return undefined;
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") {
      const expected = sparseMap.length % 2 === 0 ? "GNU.sparse.offset" : "GNU.sparse.numbytes";
      if (key !== expected || value.includes(",")) return undefined;
      sparseMap.push(value);
    } else records.set(key, value);
    at = end;
  }
  if (sparseMap.length > 0) records.set("GNU.sparse.map", sparseMap.join(",") as ByteString);
  return records;
}

/** Lets the records override the header that they precede; an empty value overrides nothing. False if one is no good. */
export function mergeRecords(header: HeaderDraft, records: ReadonlyMap<string, ByteString>): boolean {
  for (const [key, value] of records) {
    if (value === "") continue;
    switch (key) {
      case "path":
        header.name = value;
        break;
      case "linkpath":
        header.linkname = value;
        break;
      case "uname":
        header.userName = value;
        break;
      case "gname":
        header.groupName = value;
        break;
      case "uid":
      case "gid":
      case "size": {
        const number = parseDecimal(value);
        if (Number.isNaN(number)) return false;
        header[key] = number;
        break;
      }
      case "mtime":
      case "atime":
      case "ctime": {
        const time = parseTime(value);
        if (time === undefined) return false;
        header[key] = time;
        break;
      }
    }
  }
  header.records = records;
  return true;
}

/** Seconds with an optional sign and fraction; digits beyond nanoseconds are cut off. */
export function parseTime(text: string): Time | undefined {
  const dot = text.indexOf(".");
  const whole = dot < 0 ? text : text.slice(0, dot);
  const fraction = dot < 0 ? "" : text.slice(dot + 1);
  const seconds = parseDecimal(whole);
  if (Number.isNaN(seconds) || /[^0-9]/.test(fraction)) return undefined;
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (nanoseconds === 0 || !whole.startsWith("-")) return { seconds, nanoseconds };
  return { seconds: seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

export function formatTime({ seconds, nanoseconds }: Time): string {
  if (nanoseconds === 0) return String(seconds);
  const [whole, fraction] = seconds < 0 ? [-(seconds + 1), 1e9 - nanoseconds] : [seconds, nanoseconds];
  return `${seconds < 0 ? "-" : ""}${whole}.${String(fraction).padStart(9, "0").replace(/0+$/, "")}`;
}

export function formatRecord(key: string, value: ByteString): ByteString {
  const content = ` ${key}=${value}\n`;
  let length = content.length;
  while (String(length).length + content.length !== length) length = String(length).length + content.length;
  return `${length}${content}` as ByteString;
}

/** Whether Go would write and read the record: no NUL in a key or in the text that overrides a header's. */
export function isValidRecord(key: string, value: string): boolean {
  if (key === "" || key.includes("=")) return false;
  const text = key === "path" || key === "linkpath" || key === "uname" || key === "gname";
  return !(text ? value : key).includes("\0");
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const EQUALS = 0x3d;
