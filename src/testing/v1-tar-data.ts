import { gzipSync } from "node:zlib";

/** An entry of a layer's tar, its name one character a byte. */
export interface V1Entry {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
}

type Piece = { readonly segment: Buffer } | { readonly entry: V1Entry; readonly payload: Buffer };

/** The entries of a layer, in order. */
export function entriesOf(tar: Buffer): V1Entry[] {
  return [...piecesOf(tar)].flatMap((piece) => ("entry" in piece ? [piece.entry] : []));
}

/**
 * What dockerd keeps of a layer's tar beside its tree: `tar-data.json.gz` of the v1 graph, which is `tar-split.json.gz`
 * of the layers after it (FORMATS 9). Plain and slow, and written from the description alone, so that it can be held
 * against what reads and writes such files elsewhere.
 */
export function tarDataOf(tar: Buffer): Buffer {
  const lines = [...piecesOf(tar)].map((piece, position) => {
    if ("segment" in piece)
      return `{"type":2,"payload":"${piece.segment.toString("base64")}","position":${position}}\n`;
    const { name, size } = piece.entry;
    const bytes = Buffer.from(name, "latin1");
    const text = bytes.toString("utf8");
    const named = Buffer.from(text).equals(bytes)
      ? `"name":${goString(text)}`
      : `"name_raw":"${bytes.toString("base64")}"`;
    const kept =
      size === 0 ? `"payload":null` : `"size":${size},"payload":"${crc64(piece.payload).toString("base64")}"`;
    return `{"type":1,${named},${kept},"position":${position}}\n`;
  });
  return gzipSync(lines.join(""));
}

function* piecesOf(tar: Buffer): Generator<Piece> {
  let kept = 0;
  let at = 0;
  let long: Extended = {};
  while (at < tar.length) {
    const block = tar.subarray(at, at + BLOCK);
    if (block.every((byte) => byte === 0)) {
      at = Math.min(tar.length, at + 2 * BLOCK);
      break;
    }
    const type = String.fromCharCode(block[156]!);
    const declared = numberIn(block.subarray(124, 136));
    const start = at + BLOCK;
    if (type === "x" || type === "L" || type === "K") {
      const data = tar.subarray(start, start + declared);
      if (type === "x") long = { ...long, ...paxOf(data) };
      if (type === "L") long = { ...long, name: textIn(data) };
      at = start + padded(declared);
      continue;
    }
    if (type === "g") {
      // Docker's reader hands out a global header as an entry without a payload.
      yield { segment: tar.subarray(kept, start + declared) };
      yield { entry: { name: nameIn(block), type, size: 0, uid: 0, gid: 0 }, payload: Buffer.alloc(0) };
      kept = start + declared;
      at = start + padded(declared);
      continue;
    }
    const name = long.name ?? nameIn(block);
    const size = "123456".includes(type) || name.endsWith("/") ? 0 : (long.size ?? declared);
    if (type === "S") throw new Error(`${name}: a sparse file is beyond this reader`);
    if (start + size > tar.length) throw new Error(`${name}: the tar ends in the middle of it`);
    const { uid = numberIn(block.subarray(108, 116)), gid = numberIn(block.subarray(116, 124)) } = long;
    long = {};
    yield { segment: tar.subarray(kept, start) };
    yield { entry: { name, type, size, uid, gid }, payload: tar.subarray(start, start + size) };
    kept = start + size;
    at = start + padded(size);
  }
  if (at > kept) yield { segment: tar.subarray(kept, at) };
  for (; at < tar.length; at += TAIL) yield { segment: tar.subarray(at, at + TAIL) };
  yield { segment: Buffer.alloc(0) };
}

const BLOCK = 512;
const TAIL = 1 << 20;

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function nameIn(block: Buffer): string {
  const name = textIn(block.subarray(0, 100));
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? textIn(block.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function textIn(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? field.length : end);
}

function numberIn(field: Buffer): number {
  if ((field[0]! & 0x80) === 0) return Number.parseInt(textIn(field).trim() || "0", 8);
  return field.subarray(1).reduce((sum, byte) => sum * 256 + byte, field[0]! & 0x7f);
}

/** What stands before a header because it has no room for it. */
type Extended = { name?: string; size?: number; uid?: number; gid?: number };

function paxOf(data: Buffer): Extended {
  const found: Extended = {};
  for (let at = 0; at < data.length; ) {
    const length = Number.parseInt(data.toString("latin1", at, data.indexOf(" ", at)), 10);
    const record = data.toString("latin1", data.indexOf(" ", at) + 1, at + length - 1);
    const value = record.slice(record.indexOf("=") + 1);
    if (record.startsWith("path=")) found.name = value;
    if (record.startsWith("size=")) found.size = Number(value);
    if (record.startsWith("uid=")) found.uid = Number(value);
    if (record.startsWith("gid=")) found.gid = Number(value);
    at += length;
  }
  return found;
}

/** A string as Go's encoder writes it (FORMATS 0.4). */
function goString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029\b\f]|\\[bf]/g, (found) => {
    if (found === "\\b") return "\\u0008";
    if (found === "\\f") return "\\u000c";
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** CRC-64 of the ISO polynomial in two halves of 32 bits, as tar-split writes it: the high byte first. */
function crc64(bytes: Buffer): Buffer {
  let [high, low] = [0xffffffff, 0xffffffff];
  for (const byte of bytes) {
    const row = ((low ^ byte) & 0xff) * 2;
    low = ((low >>> 8) | (high << 24)) ^ TABLE[row + 1]!;
    high = (high >>> 8) ^ TABLE[row]!;
  }
  const sum = Buffer.alloc(8);
  sum.writeUInt32BE(~high >>> 0, 0);
  sum.writeUInt32BE(~low >>> 0, 4);
  return sum;
}

const TABLE = Int32Array.from({ length: 512 }, (_, index) => {
  let [high, low] = [0, index >> 1];
  for (let bit = 0; bit < 8; bit++) {
    const odd = low & 1;
    low = (low >>> 1) | (high << 31);
    high = (high >>> 1) ^ (odd ? 0xd8000000 : 0);
  }
  return index % 2 === 0 ? high : low;
});
