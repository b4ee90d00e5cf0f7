import { VarveError } from "../errors.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import type { Time } from "../sys/time.ts";
import { GNU, PAX, USTAR } from "./block.ts";
import { type Header, isHeaderOnly, TYPE } from "./header.ts";
import { fitsBase256, fitsOctal } from "./numeric.ts";
import { formatTime, isValidRecord } from "./pax.ts";

/** In which formats a header can be written. */
export interface Encodings {
  /** The formats that can say all of it; never empty. */
  readonly formats: number;
  /** The records that PAX needs for it. */
  readonly records: ReadonlyMap<string, ByteString>;
}

/**
 * Weighs a header by Go's rules: USTAR holds ASCII and small numbers, PAX everything but large modes and device numbers,
 * GNU no records. A wish for PAX also allows USTAR, unless that would lose a time.
 *
 * @throws VarveError `invalid-argument` when no allowed format holds it
 */
export function encodingsOf(header: Header): Encodings {
  refuseImpossible(header);
  const survey = new Survey(header);
  survey.text("path", header.name, 100);
  survey.text("linkpath", header.linkname, 100);
  survey.text("uname", header.userName, 32);
  survey.text("gname", header.groupName, 32);
  survey.number(undefined, header.mode, 8);
  survey.number("uid", header.uid, 8);
  survey.number("gid", header.gid, 8);
  survey.number("size", header.size, 12);
  survey.number(undefined, header.deviceMajor, 8);
  survey.number(undefined, header.deviceMinor, 8);
  survey.time("mtime", header.mtime);
  if (header.atime !== undefined) survey.time("atime", header.atime);
  if (header.ctime !== undefined) survey.time("ctime", header.ctime);
  if (header.type === TYPE.paxGlobal) survey.formats &= PAX;
  survey.ownRecords();
  survey.wish();
  for (const [key, value] of survey.records)
    if (!isValidRecord(key, value)) throw cannotEncode(header, `invalid PAX record: ${key}`);
  if (survey.formats === 0) throw cannotEncode(header, `no format allowed by "${header.format}" can hold it`);
  return survey;
}

function refuseImpossible(header: Header): void {
  const { type } = header;
  const isNamedFile = ["0", "3", "4", "6", "S"].includes(type);
  if (isNamedFile && header.name.endsWith("/")) throw cannotEncode(header, "filename may not have trailing slash");
  if (type === TYPE.paxHeader || type === TYPE.gnuLongName || type === TYPE.gnuLongLink)
    throw cannotEncode(header, "headers about headers are made by themselves");
  if (header.size < 0 && !isHeaderOnly(type)) throw cannotEncode(header, "negative size");
}

/** Goes through a header field by field and keeps count of which formats can say it, and of PAX's records for it. */
class Survey implements Encodings {
  readonly records: Map<string, ByteString> = new Map();
  formats: number = USTAR | PAX | GNU;
  readonly #header: Header;
  #preferPax = false;

  constructor(header: Header) {
    this.#header = header;
  }

  text(key: string, value: ByteString, width: number): void {
    const tooLong = value.length > width;
    const longInGnu = key === "path" || key === "linkpath";
    if (tooLong && !longInGnu) this.formats &= ~GNU;
    if (tooLong || !isPlainAscii(value)) {
      if (key !== "path" || splitName(value) === undefined) this.formats &= ~USTAR;
      this.records.set(key, value);
    }
    this.#keep(key, value);
  }

  number(key: string | undefined, value: number, width: number): void {
    if (!fitsBase256(width, value)) this.formats &= ~GNU;
    if (!fitsOctal(width, value)) {
      this.formats &= key === undefined ? ~(USTAR | PAX) : ~USTAR;
      if (key !== undefined) this.records.set(key, String(value) as ByteString);
    }
    if (key !== undefined) this.#keep(key, String(value));
  }

  time(key: "mtime" | "atime" | "ctime", value: Time): void {
    const fits = key === "mtime" && fitsOctal(12, value.seconds);
    if (!fits) this.formats &= ~USTAR;
    if (!fits || value.nanoseconds !== 0) {
      this.#preferPax = true;
      this.records.set(key, formatTime(value) as ByteString);
    }
    this.#keep(key, formatTime(value));
  }

  /** The header's own records, but not those that speak of what its fields say. */
  ownRecords(): void {
    const { records, type } = this.#header;
    if (records.size === 0) return;
    this.formats &= PAX;
    for (const [key, value] of records) {
      if (this.records.has(key)) continue;
      const isField = FIELD_KEYS.has(key) || key.startsWith("GNU.sparse.");
      if (!isField || type === TYPE.paxGlobal) this.records.set(key, value);
    }
  }

  wish(): void {
    switch (this.#header.format) {
      case "ustar":
        this.formats &= USTAR;
        break;
      case "pax":
        this.formats &= this.#preferPax ? PAX : PAX | USTAR;
        break;
      case "gnu":
        this.formats &= GNU;
    }
  }

  /** A record that came with the header and still says the same is written again, needed or not. */
  #keep(key: string, value: string): void {
    const own = this.#header.records.get(key);
    if (own === value) this.records.set(key, own);
  }
}

const FIELD_KEYS: ReadonlySet<string> = new Set("path linkpath size uid gid uname gname mtime atime ctime".split(" "));

/** A name too long for its field, at the slash where USTAR divides it. */
export function splitName(name: ByteString): { readonly prefix: ByteString; readonly rest: ByteString } | undefined {
  if (name.length <= 100 || !isPlainAscii(name)) return undefined;
  const end = name.length > 156 ? 156 : name.endsWith("/") ? name.length - 1 : name.length;
  const slash = name.lastIndexOf("/", end - 1);
  const rest = name.slice(slash + 1) as ByteString;
  if (slash <= 0 || rest.length > 100 || rest === "") return undefined;
  return { prefix: name.slice(0, slash) as ByteString, rest };
}

function isPlainAscii(text: string): boolean {
  return !/[\0\x80-\xff]/.test(text);
}

function cannotEncode(header: Header, why: string): VarveError {
  return new VarveError("invalid-argument", `archive/tar: cannot encode header: ${why}`, { name: toText(header.name) });
}
