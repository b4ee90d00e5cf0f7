import type { ByteString } from "../sys/byte-string.ts";
import { BLOCK, GNU, type HeaderDraft, isZeroBlock, PAX, paddingLength, parseBlock, USTAR } from "./block.ts";
import { type Format, type Fragment, type Header, isHeaderOnly, newHeader, TYPE } from "./header.ts";
import { parseDecimal, parseNumeric } from "./numeric.ts";
import { mergeRecords, parseRecords } from "./pax.ts";
import { checkMap, OLD_MAP, PayloadMapParser, readOldMap, readRecordMap, sparseVersion } from "./sparse.ts";
import { badSparseData, fieldTooLong, invalidHeader, unexpectedEnd } from "./tar-error.ts";

/** How much of what a stream declares is held in memory. */
export interface TarLimits {
  /** Bytes of one PAX header or GNU long name; 1 MiB as in Go if absent. */
  readonly specialBytes?: number;
  /** Fragments of one sparse file; 262,144 if absent. */
  readonly fragments?: number;
}

/**
 * What the grammar wants of the stream next: `take` so many bytes in one piece (the answer to the `yield`), let
 * `payload` or `padding` pass, or all the `rest`. With `mayEnd` the stream may be over before the first byte of it.
 */
export interface Demand {
  readonly kind: "take" | "payload" | "padding" | "rest";
  readonly length: number;
  readonly mayEnd: boolean;
}

/** What the grammar tells about: each entry before and after its payload, and the end of the archive. */
export interface EntryEvents {
  header(header: Header): void;
  payloadEnd?(): void;
  archiveEnd?(): void;
}

type Demands<Result> = Generator<Demand, Result, Buffer>;

/**
 * The grammar of a tar: which blocks follow one another, and what they mean together. It holds no bytes; whoever runs
 * it serves its demands. `offset` tells where in the stream the last piece that it got began.
 */
export function* readEntries(events: EntryEvents, limits: TarLimits, offset: () => number): Demands<void> {
  const reader: Context = {
    offset,
    specialBytes: limits.specialBytes ?? 1 << 20,
    fragments: limits.fragments ?? 1 << 18,
  };
  for (;;) {
    const entry = yield* readEntry(reader);
    if (entry === undefined) break;
    events.header(entry.header);
    if (entry.header.payloadSize > 0) yield { kind: "payload", length: entry.header.payloadSize, mayEnd: false };
    events.payloadEnd?.();
    if (entry.padding > 0) yield padding(entry.padding);
  }
  events.archiveEnd?.();
  yield { kind: "rest", length: Number.POSITIVE_INFINITY, mayEnd: true };
}

type Context = { readonly offset: () => number } & Required<TarLimits>;

interface Entry {
  readonly header: Header;
  readonly padding: number;
}

const HEADER: Demand = { kind: "take", length: BLOCK, mayEnd: true };
const MORE: Demand = { kind: "take", length: BLOCK, mayEnd: false };
const ANY_FORMAT = USTAR | PAX | GNU;

/** Reads headers up to the one of an entry, which those before it complete. Nothing behind the two zero blocks. */
function* readEntry(reader: Context): Demands<Entry | undefined> {
  let formats = ANY_FORMAT;
  let records: Map<string, ByteString> | undefined;
  let longName = "" as ByteString;
  let longLink = "" as ByteString;
  for (;;) {
    const block = yield HEADER;
    if (isZeroBlock(block)) {
      if (isZeroBlock(yield HEADER)) return undefined;
      throw invalid(reader, "a single zero block");
    }
    const parsed = parseBlock(block);
    if (parsed === undefined) throw invalid(reader, "checksum or number");
    const { header } = parsed;
    if (header.payloadSize < 0) throw invalid(reader, "negative size");
    formats &= parsed.formats;
    switch (header.type) {
      case TYPE.paxHeader:
      case TYPE.paxGlobal: {
        formats &= PAX;
        records = parseRecords(yield* readSpecial(reader, header.size));
        if (records === undefined) throw invalid(reader, "PAX records");
        const rest = paddingLength(header.size);
        if (header.type === TYPE.paxGlobal) return { header: globalHeader(header, records, formats), padding: rest };
        if (rest > 0) yield padding(rest);
        break;
      }
      case TYPE.gnuLongName:
      case TYPE.gnuLongLink: {
        formats &= GNU;
        const text = untilNul(yield* readSpecial(reader, header.size));
        if (header.type === TYPE.gnuLongName) longName = text;
        else longLink = text;
        const rest = paddingLength(header.size);
        if (rest > 0) yield padding(rest);
        break;
      }
      default: {
        if (records !== undefined && !mergeRecords(header, records)) throw invalid(reader, "PAX record");
        if (longName !== "") header.name = longName;
        if (longLink !== "") header.linkname = longLink;
        header.format = formatOf(formats, header.format);
        settle(header, reader);
        if (header.type === TYPE.gnuSparse) yield* readOldSparse(reader, header, block);
        else if (records !== undefined) yield* readPaxSparse(reader, header);
        return { header, padding: paddingLength(header.payloadSize) };
      }
    }
  }
}

/** The payload of a header that tells about the next one. One byte too many is read, as Go reads it, then refused. */
function* readSpecial(reader: Context, size: number): Demands<Buffer> {
  const limit = reader.specialBytes;
  if (size === 0) return NOTHING;
  const payload = yield { kind: "take", length: Math.min(size, limit + 1), mayEnd: false };
  if (size > limit) throw fieldTooLong({ offset: reader.offset(), size, limit });
  return payload;
}

/** Of a global header only name and records count. */
function globalHeader(header: HeaderDraft, records: ReadonlyMap<string, ByteString>, formats: number): Header {
  const name = records.get("path") || header.name;
  return newHeader({ name, type: TYPE.paxGlobal, records, format: formatOf(formats, header.format) });
}

/** Decides type and payload once everything is merged. */
function settle(header: HeaderDraft, reader: Context): void {
  if (header.type === "\0") header.type = header.name.endsWith("/") ? TYPE.directory : TYPE.file;
  header.payloadSize = isHeaderOnly(header.type) ? 0 : header.size;
  if (header.payloadSize < 0 || !Number.isSafeInteger(header.size)) throw invalid(reader, "size");
}

function* readOldSparse(reader: Context, header: HeaderDraft, block: Buffer): Demands<void> {
  header.size = parseNumeric(block, 483, 495);
  if (Number.isNaN(header.size) || block.toString("latin1", 257, 265) !== "ustar  \0")
    throw invalid(reader, "sparse header");
  const map: Fragment[] = [];
  let more = readOldMap(block, OLD_MAP.inHeader, map);
  while (more) {
    if (map.length > reader.fragments) throw tooManyFragments(reader);
    more = readOldMap(yield MORE, OLD_MAP.inExtension, map);
  }
  if (more === undefined) throw invalid(reader, "sparse map");
  setFragments(reader, header, map);
}

function* readPaxSparse(reader: Context, header: HeaderDraft): Demands<void> {
  const { records } = header;
  const version = sparseVersion(records);
  if (version === undefined) return;
  header.name = records.get("GNU.sparse.name") || header.name;
  const size = records.get("GNU.sparse.size") || records.get("GNU.sparse.realsize");
  if (size) header.size = parseDecimal(size);
  const map = version === "1.0" ? yield* readPayloadMap(reader, header) : readRecordMap(records);
  if (map === undefined) throw invalid(reader, "sparse map");
  setFragments(reader, header, map);
}

/** The map at the head of the payload, which is taken off it. */
function* readPayloadMap(reader: Context, header: HeaderDraft): Demands<readonly Fragment[] | undefined> {
  const parser = new PayloadMapParser(reader.fragments);
  for (;;) {
    if (header.payloadSize < BLOCK) throw unexpectedEnd({ offset: reader.offset() });
    header.payloadSize -= BLOCK;
    const map = parser.add(yield MORE);
    if (map === "invalid") return undefined;
    if (map === "too-long") throw tooManyFragments(reader);
    if (map !== "more") return map;
  }
}

/** Checks the map against what the file shall be (`size`) and what of it is stored (`payloadSize`). */
function setFragments(reader: Context, header: HeaderDraft, map: readonly Fragment[]): void {
  if (map.length > reader.fragments) throw tooManyFragments(reader);
  const sparse = Number.isSafeInteger(header.size) ? checkMap(map, header.size) : undefined;
  if (sparse === undefined || isHeaderOnly(header.type)) throw invalid(reader, "sparse map");
  let expected = 0;
  for (const { length } of sparse) expected += length;
  const stored = header.payloadSize;
  if (expected !== stored) throw badSparseData(expected > stored, { offset: reader.offset(), expected, stored });
  header.sparse = sparse;
}

/** Go's guess: USTAR before PAX before GNU; if nothing is left the headers contradict one another. */
function formatOf(formats: number, dialect: Format): Format {
  if ((formats & USTAR) !== 0) return "ustar";
  if ((formats & PAX) !== 0) return "pax";
  if ((formats & GNU) !== 0) return "gnu";
  return dialect === "v7" || dialect === "star" ? dialect : "unknown";
}

const NOTHING: Buffer = Buffer.alloc(0);

function padding(length: number): Demand {
  return { kind: "padding", length, mayEnd: true };
}

function untilNul(payload: Buffer): ByteString {
  const end = payload.indexOf(0);
  return payload.toString("latin1", 0, end < 0 ? payload.length : end) as ByteString;
}

function invalid(reader: Context, what: string): Error {
  return invalidHeader({ offset: reader.offset(), what });
}

function tooManyFragments(reader: Context): Error {
  return fieldTooLong({ offset: reader.offset(), limit: reader.fragments, what: "sparse map" });
}
