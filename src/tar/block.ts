import type { ByteString } from "../sys/byte-string.ts";
import type { Time } from "../sys/time.ts";
import { type Header, isHeaderOnly, NO_RECORDS } from "./header.ts";
import { parseNumeric, parseOctal } from "./numeric.ts";

/** A tar is a row of blocks of this many bytes. */
export const BLOCK = 512;

/** A header while the reader merges into it what precedes it. */
export type HeaderDraft = { -readonly [Key in keyof Header]: Header[Key] };

/** The dialects that a header may still belong to, as a set; V7 and STAR are in none. */
export const USTAR = 1;
export const PAX = 2;
export const GNU = 4;

export interface ParsedBlock {
  readonly header: HeaderDraft;
  /** What Go would take the block for: `USTAR | PAX`, `GNU`, or 0. */
  readonly formats: number;
}

/** Bytes of zeros behind so much payload, up to the next block. */
export function paddingLength(size: number): number {
  const over = size % BLOCK;
  return over === 0 ? 0 : BLOCK - over;
}

export function isZeroBlock(block: Buffer): boolean {
  return block[0] === 0 && block.equals(ZEROS);
}

/** Reads a header block by Go's rules; `undefined` if the checksum or a number is no good. Not for zero blocks. */
export function parseBlock(block: Buffer): ParsedBlock | undefined {
  const sum = checksum(block);
  const stored = parseOctal(block, 148, 156);
  if (stored !== (sum & SUM_MASK) && stored !== signedChecksum(block)) return undefined;
  const dialect = dialectOf(block);

  const size = parseNumeric(block, 124, 136);
  const mode = parseNumeric(block, 100, 108);
  const uid = parseNumeric(block, 108, 116);
  const gid = parseNumeric(block, 116, 124);
  const seconds = parseNumeric(block, 136, 148);
  const type = String.fromCharCode(block[156]!);
  const header: HeaderDraft = {
    name: textAt(block, 0, 100),
    linkname: textAt(block, 157, 257),
    mode,
    uid,
    gid,
    size,
    mtime: { seconds, nanoseconds: 0 },
    atime: undefined,
    ctime: undefined,
    type,
    userName: "" as ByteString,
    groupName: "" as ByteString,
    deviceMajor: 0,
    deviceMinor: 0,
    records: NO_RECORDS,
    format: dialect,
    sparse: undefined,
    payloadSize: isHeaderOnly(type) ? 0 : size,
  };
  if (Number.isNaN(size + mode + uid + gid + seconds)) return undefined;
  if (dialect === "v7") return { header, formats: 0 };

  header.userName = textAt(block, 265, 297);
  header.groupName = textAt(block, 297, 329);
  header.deviceMajor = parseNumeric(block, 329, 337);
  header.deviceMinor = parseNumeric(block, 337, 345);
  if (Number.isNaN(header.deviceMajor + header.deviceMinor)) return undefined;
  if (dialect === "gnu") return { header, formats: readGnuTimes(block, header) ? GNU : 0 };
  if (dialect === "star") return readStarTimes(block, header) ? { header, formats: 0 } : undefined;
  addPrefix(header, textAt(block, 345, 500));
  return { header, formats: (sum & NON_ASCII) === 0 && numbersEndInNul(block) ? USTAR | PAX : 0 };
}

const ZEROS = Buffer.alloc(BLOCK);
const SUM_MASK = 0xfffff;
const NON_ASCII = 1 << 30;

/** The sum of the bytes, the checksum field taken as spaces, with `NON_ASCII` set if any byte is 0x80 or more. */
function checksum(block: Buffer): number {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK);
  let pairs = 0;
  let all = 0;
  for (let at = 0; at < BLOCK; at += 4) {
    const word = view.getInt32(at);
    all |= word;
    // Two sums of 256 bytes each run beside one another in 16 bits, where the largest, 256 * 255, still fits.
    pairs = (pairs + (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff)) | 0;
  }
  let sum = (pairs & 0xffff) + (pairs >>> 16);
  for (let at = 148; at < 156; at++) sum += 0x20 - block[at]!;
  return (all & 0x80808080) === 0 ? sum : sum | NON_ASCII;
}

/** What Sun's tar wrote: the sum of the bytes as signed numbers. */
function signedChecksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += (block[at]! << 24) >> 24;
  return sum;
}

function dialectOf(block: Buffer): "v7" | "ustar" | "gnu" | "star" {
  if (block[257] !== 0x75 || block.toString("latin1", 257, 262) !== "ustar") return "v7";
  if (block[262] === 0) return block.toString("latin1", 508, 512) === "tar\0" ? "star" : "ustar";
  return block.toString("latin1", 262, 265) === "  \0" ? "gnu" : "v7";
}

/**
 * GNU keeps atime and ctime where USTAR keeps the prefix of a name. Old versions of Go wrote that prefix into GNU
 * headers: when the times are no numbers, an ASCII prefix it is, and the header not GNU's (false).
 */
function readGnuTimes(block: Buffer, header: HeaderDraft): boolean {
  const atime = block[345] === 0 ? undefined : timeAt(block, 345);
  const ctime = block[357] === 0 ? undefined : timeAt(block, 357);
  if (Number.isNaN((atime?.seconds ?? 0) + (ctime?.seconds ?? 0))) {
    const prefix = textAt(block, 345, 500);
    if (!/[\x80-\xff]/.test(prefix)) addPrefix(header, prefix);
    return false;
  }
  header.atime = atime;
  header.ctime = ctime;
  return true;
}

function readStarTimes(block: Buffer, header: HeaderDraft): boolean {
  addPrefix(header, textAt(block, 345, 476));
  header.atime = timeAt(block, 476);
  header.ctime = timeAt(block, 488);
  return !Number.isNaN(header.atime.seconds + header.ctime.seconds);
}

function addPrefix(header: HeaderDraft, prefix: ByteString): void {
  if (prefix !== "") header.name = `${prefix}/${header.name}` as ByteString;
}

/** Where fields of numbers end that POSIX wants a NUL behind: size, mode, uid, gid, mtime and the device numbers. */
function numbersEndInNul(block: Buffer): boolean {
  return (block[135]! | block[107]! | block[115]! | block[123]! | block[147]! | block[336]! | block[344]!) === 0;
}

function timeAt(block: Buffer, at: number): Time {
  return { seconds: parseNumeric(block, at, at + 12), nanoseconds: 0 };
}

/** A text field, up to its first NUL or its end. */
function textAt(block: Buffer, from: number, to: number): ByteString {
  let end = from;
  while (end < to && block[end] !== 0) end++;
  return (end === from ? "" : block.toString("latin1", from, end)) as ByteString;
}
