import { VarveError } from "../errors.ts";

/** Go gives up on arrays and objects that are nested deeper. */
const MAX_DEPTH = 10_000;

/**
 * Finds the end of the JSON value at `start`, which may have white space before it, and checks all of it. Takes no
 * stack, however deep the value is nested.
 *
 * @returns the index behind the value
 * @throws VarveError `invalid-archive` with Go's text
 */
export function scanValue(bytes: Uint8Array, start: number): number {
  const closers: number[] = [];
  let at = start;
  for (;;) {
    at = skipSpace(bytes, at);
    const first = bytes[at];
    if (first === QUOTE) at = scanString(bytes, at);
    else if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      if (closers.length === MAX_DEPTH) throw syntaxError("exceeded max depth", at);
      const closer = first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      closers.push(closer);
      at = skipSpace(bytes, at + 1);
      if (bytes[at] !== closer) {
        if (closer === CLOSE_OBJECT) at = scanKey(bytes, at);
        continue;
      }
    } else if (first === MINUS || isDigit(first)) at = scanNumber(bytes, at);
    else at = scanWord(bytes, at);

    for (;;) {
      const closer = closers.at(-1);
      if (closer === undefined) return at;
      at = skipSpace(bytes, at);
      if (bytes[at] === closer) {
        closers.pop();
        at++;
      } else if (bytes[at] === COMMA) {
        at++;
        if (closer === CLOSE_OBJECT) at = scanKey(bytes, skipSpace(bytes, at));
        break;
      } else
        throw unexpected(bytes, at, closer === CLOSE_OBJECT ? "after object key:value pair" : "after array element");
    }
  }
}

/** The index of the first byte from `at` on that is no white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let next = at;
  while (isSpace(bytes[next])) next++;
  return next;
}

/** A string from its opening quote on. @returns the index behind its closing quote */
export function scanString(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; ; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === undefined || byte < 0x20) throw unexpected(bytes, at, "in string literal");
    if (byte === BACKSLASH) at = scanEscape(bytes, at + 1);
  }
}

/** For a value with something behind it that is no white space. */
export function refuseRest(bytes: Uint8Array, end: number): void {
  const at = skipSpace(bytes, end);
  if (at < bytes.length) throw unexpected(bytes, at, "after top-level value");
}

/** A key and its colon. */
function scanKey(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== QUOTE) throw unexpected(bytes, start, "looking for beginning of object key string");
  const at = skipSpace(bytes, scanString(bytes, start));
  if (bytes[at] !== COLON) throw unexpected(bytes, at, "after object key");
  return at + 1;
}

/** What follows a backslash. @returns the index of its last byte */
function scanEscape(bytes: Uint8Array, start: number): number {
  const byte = bytes[start];
  if (byte === undefined || !ESCAPES.includes(byte)) throw unexpected(bytes, start, "in string escape code");
  if (byte !== LOWER_U) return start;
  for (let at = start + 1; at <= start + 4; at++)
    if (!isHexDigit(bytes[at])) throw unexpected(bytes, at, "in \\u hexadecimal character escape");
  return start + 4;
}

function scanNumber(bytes: Uint8Array, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  if (bytes[at] === ZERO) at++;
  else at = scanDigits(bytes, at, "in numeric literal");
  if (bytes[at] === POINT) at = scanDigits(bytes, at + 1, "after decimal point in numeric literal");
  if (bytes[at] === LOWER_E || bytes[at] === UPPER_E) {
    at++;
    if (bytes[at] === PLUS || bytes[at] === MINUS) at++;
    at = scanDigits(bytes, at, "in exponent of numeric literal");
  }
  return at;
}

function scanDigits(bytes: Uint8Array, start: number, where: string): number {
  if (!isDigit(bytes[start])) throw unexpected(bytes, start, where);
  let at = start + 1;
  while (isDigit(bytes[at])) at++;
  return at;
}

function scanWord(bytes: Uint8Array, start: number): number {
  const word = WORDS.find((candidate) => candidate.charCodeAt(0) === bytes[start]);
  if (word === undefined) throw unexpected(bytes, start, "looking for beginning of value");
  for (let i = 1; i < word.length; i++)
    if (bytes[start + i] !== word.charCodeAt(i))
      throw unexpected(bytes, start + i, `in literal ${word} (expecting '${word[i]}')`);
  return start + word.length;
}

function unexpected(bytes: Uint8Array, at: number, where: string): VarveError {
  const byte = bytes[at];
  if (byte === undefined) return syntaxError("unexpected end of JSON input", at);
  return syntaxError(`invalid character ${quoteByte(byte)} ${where}`, at);
}

function syntaxError(message: string, offset: number): VarveError {
  return new VarveError("invalid-archive", message, { offset });
}

function quoteByte(byte: number): string {
  if (byte === 0x27) return "'\\''";
  if (byte === BACKSLASH) return "'\\\\'";
  if (byte < 0x20 || byte >= 0x7f) return `'\\x${byte.toString(16).padStart(2, "0")}'`;
  return `'${String.fromCharCode(byte)}'`;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39;
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const UPPER_E = 0x45;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_E = 0x65;
const LOWER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const ESCAPES = Buffer.from('"\\/bfnrtu');
const WORDS = ["true", "false", "null"] as const;
