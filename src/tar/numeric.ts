/**
 * Numbers as tar headers write them, read as generously as Go reads them. What is no number, or does not fit 64 bits,
 * is `NaN`. Values beyond 2^53 come out rounded: whoever counts bytes by them checks for that.
 */

const ZERO = 0x30;
const SPACE = 0x20;
const INT64_MAX = 2n ** 63n - 1n;

/** A header field: octal digits, or with the highest bit set a big-endian two's complement number (base-256). */
export function parseNumeric(block: Uint8Array, from: number, to: number): number {
  return block[from]! >= 0x80 ? parseBase256(block, from, to) : parseOctal(block, from, to);
}

/** Octal digits with any spaces and NULs around them; nothing at all is 0. */
export function parseOctal(block: Uint8Array, from: number, to: number): number {
  let start = from;
  let end = to;
  while (start < end && isPadding(block[start]!)) start++;
  while (end > start && isPadding(block[end - 1]!)) end--;
  let value = 0;
  for (let i = start; i < end && block[i] !== 0; i++) {
    const digit = block[i]! - ZERO;
    if (digit < 0 || digit > 7) return Number.NaN;
    value = value * 8 + digit;
  }
  return value;
}

/** Decimal with an optional sign, as Go reads PAX numbers and sparse maps. */
export function parseDecimal(text: string): number {
  if (!/^[+-]?[0-9]+$/.test(text)) return Number.NaN;
  if (text.length <= 15) return Number(text) + 0;
  const digits = text.replace(/^[+-]?0*/, "");
  if (digits.length > 19) return Number.NaN;
  const value = BigInt(digits);
  if (text.startsWith("-")) return value > INT64_MAX + 1n ? Number.NaN : -Number(value) + 0;
  return value > INT64_MAX ? Number.NaN : Number(value);
}

/** Whether a number fits a field of so many bytes in octal, with the NUL behind it. */
export function fitsOctal(width: number, value: number): boolean {
  return value >= 0 && value < 8 ** (width - 1);
}

/** Whether a number fits a field of so many bytes in base-256. */
export function fitsBase256(width: number, value: number): boolean {
  return value >= -(256 ** (width - 1)) && value < 256 ** (width - 1);
}

/** Writes octal digits, zeros before and a NUL behind them; 0 in place of what does not fit. */
export function putOctal(block: Uint8Array, from: number, width: number, value: number): void {
  let rest = fitsOctal(width, value) ? value : 0;
  block[from + width - 1] = 0;
  for (let i = from + width - 2; i >= from; i--) {
    block[i] = ZERO + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}

/** Writes octal if that is possible, else base-256. */
export function putNumeric(block: Uint8Array, from: number, width: number, value: number): void {
  if (fitsOctal(width, value) || !fitsBase256(width, value)) {
    putOctal(block, from, width, value);
    return;
  }
  let rest = BigInt(value);
  for (let i = from + width - 1; i >= from; i--) {
    block[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[from]! |= 0x80;
}

function parseBase256(block: Uint8Array, from: number, to: number): number {
  const inversion = (block[from]! & 0x40) === 0 ? 0 : 0xff;
  let value = BigInt((block[from]! ^ inversion) & 0x7f);
  for (let i = from + 1; i < to; i++) value = (value << 8n) | BigInt(block[i]! ^ inversion);
  if (value > INT64_MAX) return Number.NaN;
  return Number(inversion === 0 ? value : ~value);
}

function isPadding(byte: number): boolean {
  return byte === 0 || byte === SPACE;
}
