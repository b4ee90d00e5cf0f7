import { VarveError } from "../errors.ts";
import { type ByteString, fromBytes, fromText, isUtf8, toBytes, toText } from "../sys/byte-string.ts";

/**
 * The lines of a tar-split (FORMATS 9): what of a tar is not file content, as JSON. A segment is raw bytes of the tar, a
 * file stands for the payload that goes between; segments and payloads in their order are the tar.
 */
export type SplitEntry = SplitSegment | SplitFile;

export interface SplitSegment {
  readonly kind: "segment";
  readonly bytes: Uint8Array;
}

export interface SplitFile {
  readonly kind: "file";
  /** As in the tar, and no more to be trusted. */
  readonly name: ByteString;
  /** Bytes of payload; 0 when there is none, or when it lies in the segments that follow. */
  readonly size: number;
  /** CRC-64 of the payload, as `Crc64` gives it. */
  readonly crc: Uint8Array | undefined;
}

/**
 * Lines that are longer are refused. The longest segment that is written has 1 MiB, a third less than its line; dockerd's may
 * hold all that precedes one payload.
 */
export const MAX_LINE: number = 16 << 20;

/**
 * The line of an entry, as dockerd writes it, with its newline. It is text: names that are not ASCII are to be written
 * out as UTF-8.
 *
 * @param position the line's number, from 0
 * @example formatSplitLine({ kind: "file", name: fromText("bin/"), size: 0, crc: undefined }, 1)
 */
export function formatSplitLine(entry: SplitEntry, position: number): string {
  if (entry.kind === "segment") return `{"type":2,"payload":"${base64(entry.bytes)}","position":${position}}\n`;
  const size = entry.size === 0 ? "" : `,"size":${entry.size}`;
  const payload = entry.crc === undefined ? "null" : `"${base64(entry.crc)}"`;
  return `{"type":1${nameMember(entry.name)}${size},"payload":${payload},"position":${position}}\n`;
}

/**
 * Reads a line as Go would: keys in any order and case, unknown ones skipped, `null` the same as absent. An entry of unknown
 * type contributes nothing to the tar and comes out as an empty segment.
 *
 * @throws VarveError `corrupt`
 */
export function parseSplitLine(line: string): SplitEntry {
  if (line.length > MAX_LINE) throw corrupt("a line is too long", { length: line.length });
  const { type, name, name_raw, size, payload } = membersOf(line);
  const bytes = decode("payload", payload);
  if (integer("type", type) !== FILE) return { kind: "segment", bytes: (type === SEGMENT && bytes) || NOTHING };
  const raw = decode("name_raw", name_raw);
  if (name !== undefined && typeof name !== "string") throw corrupt(`name is ${typeof name}`);
  return {
    kind: "file",
    name: raw !== undefined && raw.length > 0 ? fromBytes(raw) : fromText(name ?? ""),
    size: integer("size", size),
    crc: bytes,
  };
}

/** Cuts a tar-split, once it is gunzipped, into its entries. Holds at most one line of it. */
export class SplitParser {
  #entries: SplitEntry[] = [];
  readonly #lines = new SplitLines((line) => {
    const entry = splitEntryOf(line);
    if (entry !== undefined) this.#entries.push(entry);
  });

  /**
   * The entries that end in this chunk.
   *
   * @throws VarveError `corrupt`
   */
  write(chunk: Uint8Array): SplitEntry[] {
    this.#lines.write(chunk);
    return this.#taken();
  }

  /** The entry of a last line that no newline ends. */
  end(): SplitEntry[] {
    this.#lines.end();
    return this.#taken();
  }

  #taken(): SplitEntry[] {
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }
}

/** Cuts a tar-split, once it is gunzipped, into its lines, and holds at most one of them. */
export class SplitLines {
  readonly #take: (line: Buffer) => void;
  #parts: Buffer[] = [];
  #length = 0;

  /** @param take gets each line without its newline; mostly it is a piece of the chunk */
  constructor(take: (line: Buffer) => void) {
    this.#take = take;
  }

  /** @throws VarveError `corrupt` */
  write(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      this.#end(bytes.subarray(at, end));
      at = end + 1;
    }
    this.#keep(bytes.subarray(at));
  }

  /** Gives the last line, if no newline ended it. */
  end(): void {
    this.#end(NOTHING);
  }

  #end(end: Buffer): void {
    if (this.#length === 0) {
      this.#take(end);
      return;
    }
    this.#keep(end);
    const line = Buffer.concat(this.#parts, this.#length);
    this.#parts = [];
    this.#length = 0;
    this.#take(line);
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#length += part.length;
    if (this.#length > MAX_LINE) throw corrupt("a line is too long", { length: this.#length });
    this.#parts.push(Buffer.from(part));
  }
}

/** The entry of a line; `undefined` for a blank one. @throws VarveError `corrupt` */
export function splitEntryOf(line: Buffer): SplitEntry | undefined {
  const entry = plainEntry(line);
  if (entry !== undefined) return entry;
  const text = line.toString("utf8");
  return /\S/.test(text) ? parseSplitLine(text) : undefined;
}

/** How many bytes a segment has whose line is written as everybody writes it; `undefined` for any other line. */
export function plainSegmentLength(line: Buffer): number | undefined {
  const end = endOfPlainSegment(line);
  if (end === undefined) return undefined;
  const length = end - SEGMENT_START.length;
  const padding = line[end - 2] === EQUALS ? 2 : line[end - 1] === EQUALS ? 1 : 0;
  return length === 0 ? 0 : length % 4 === 0 ? (length / 4) * 3 - padding : undefined;
}

const FILE = 1;
const SEGMENT = 2;
const NEWLINE = 0x0a;
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * The entry of a line that is written as everybody writes it, which nearly all are; `undefined` for one that needs a
 * closer look. Says the same as `parseSplitLine`, several times as fast.
 */
function plainEntry(line: Buffer): SplitEntry | undefined {
  if (line[TYPE_AT] === DIGIT_TWO) return plainSegment(line);
  return line.length <= MAX_LINE && line[TYPE_AT] === DIGIT_ONE ? plainFile(line) : undefined;
}

function plainSegment(line: Buffer): SplitSegment | undefined {
  const end = endOfPlainSegment(line);
  const bytes = end === undefined ? undefined : fromBase64(line.toString("latin1", SEGMENT_START.length, end));
  return bytes && { kind: "segment", bytes };
}

/** Where its payload ends. */
function endOfPlainSegment(line: Buffer): number | undefined {
  if (line.length < SEGMENT_START.length || line.length > MAX_LINE) return undefined;
  if (SEGMENT_START.compare(line, 0, SEGMENT_START.length) !== 0) return undefined;
  const end = line.indexOf(QUOTE, SEGMENT_START.length);
  return end >= 0 && !line.includes(BACKSLASH) && SEGMENT_END.test(line.toString("latin1", end)) ? end : undefined;
}

function plainFile(line: Buffer): SplitFile | undefined {
  const match = PLAIN_FILE.exec(line.toString("latin1"));
  if (match === null) return undefined;
  const size = match[2] === undefined ? 0 : Number(match[2]);
  const crc = match[3] === undefined ? undefined : fromBase64(match[3]);
  if (match[3] !== undefined && crc === undefined) return undefined;
  return { kind: "file", name: match[1] as ByteString, size, crc };
}

const TYPE_AT = 8;
const DIGIT_ONE = 0x31;
const DIGIT_TWO = 0x32;
const QUOTE = 0x22;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const SEGMENT_START: Buffer = Buffer.from('{"type":2,"payload":"');
const SEGMENT_END = /^","position":[0-9]+\}$/;
/** Of ASCII without escapes, and a size that no number's precision ends. */
const PLAIN_FILE =
  /^\{"type":1,"name":"([ !#-[\]-~]+)"(?:,"size":([1-9][0-9]{0,14}))?,"payload":(?:null|"([^"\\]{12})"),"position":[0-9]+\}$/;

type Members = Partial<Record<"type" | "name" | "name_raw" | "size" | "payload", unknown>>;
const KEYS: ReadonlySet<string> = new Set<keyof Members>(["type", "name", "name_raw", "size", "payload"]);

function membersOf(line: string): Members {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw corrupt("a line is not JSON", { line: line.slice(0, 80) }, error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw corrupt("a line is not an object");
  const members: Members = {};
  for (const [key, member] of Object.entries(value)) {
    const lower = key.toLowerCase() as keyof Members;
    if (member !== null && KEYS.has(lower)) members[lower] = member;
  }
  return members;
}

function integer(key: string, value: unknown): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value)) throw corrupt(`${key} is not an integer`);
  return value as number;
}

/** Base64 in full: what Node would skip or cut off is an error. */
function decode(key: string, value: unknown): Buffer | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw corrupt(`${key} is ${typeof value}`);
  const bytes = fromBase64(value);
  if (bytes === undefined) throw corrupt(`${key} is not base64`);
  return bytes;
}

function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return bytes.length === (text.length / 4) * 3 - padding ? bytes : undefined;
}

function nameMember(name: ByteString): string {
  if (name === "") return "";
  if (/^[ !#-%'-;=?-[\]-~]+$/.test(name)) return `,"name":"${name}"`;
  if (!isUtf8(name)) return `,"name_raw":"${toBytes(name).toString("base64")}"`;
  return `,"name":"${toText(name).replace(/[\0-\x1f"\\<>&\u2028\u2029]/g, escapeCharacter)}"`;
}

/** Go's escapes: short ones only for these five, and for what HTML and JavaScript would stumble over. */
function escapeCharacter(character: string): string {
  switch (character) {
    case '"':
    case "\\":
      return `\\${character}`;
    case "\n":
      return "\\n";
    case "\r":
      return "\\r";
    case "\t":
      return "\\t";
  }
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function corrupt(what: string, details: Record<string, unknown> = {}, cause?: unknown): VarveError {
  return new VarveError("corrupt", `tar-split: ${what}`, details, cause);
}
