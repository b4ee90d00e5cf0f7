import { isUtf8 } from "node:buffer";
import { VarveError } from "../errors.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { foldKey } from "./fold.ts";
import { refuseRest, scanString, scanValue, skipSpace } from "./scanner.ts";

/**
 * JSON as Go reads and writes it (FORMATS 0.4), because image IDs are hashes of what Go wrote.
 *
 * `scanner.ts` checks a text. A `Json` is a value in a checked text: it is looked into piece by piece, and whatever
 * nobody looks into keeps its bytes. `go-type.ts` turns such values into typed ones and back, field by field like Go's
 * structs, and `go-value.ts` writes them. `go-time.ts` does the same for moments.
 */
export class Json {
  readonly kind: JsonKind;
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;

  /** @param bytes hold a value that was checked from `start` (its first byte) up to `end` */
  constructor(bytes: Buffer, start: number, end: number) {
    this.kind = KINDS[bytes[start]!] ?? "number";
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  /** An object's members in their order, duplicates and all; of anything else none. */
  *members(): Generator<readonly [key: string, value: Json]> {
    if (this.kind !== "object") return;
    let at = skipSpace(this.#bytes, this.#start + 1);
    while (at < this.#end - 1) {
      const keyEnd = scanString(this.#bytes, at);
      const value = this.#valueAt(skipSpace(this.#bytes, keyEnd) + 1);
      yield [decodeString(this.#bytes.subarray(at + 1, keyEnd - 1)), value];
      at = this.#behind(value);
    }
  }

  /** An array's elements; of anything else none. */
  *items(): Generator<Json> {
    if (this.kind !== "array") return;
    let at = skipSpace(this.#bytes, this.#start + 1);
    while (at < this.#end - 1) {
      const value = this.#valueAt(at);
      yield value;
      at = this.#behind(value);
    }
  }

  /** The value that Go would give to a struct's field of this name: keys match in any case, the last one counts. */
  member(name: string): Json | undefined {
    const wanted = foldKey(name);
    let found: Json | undefined;
    for (const [key, value] of this.members()) if (foldKey(key) === wanted) found = value;
    return found;
  }

  /** What a string says, with U+FFFD for every byte and escape that is no text; `undefined` for other kinds. */
  get text(): string | undefined {
    return this.kind === "string" ? decodeString(this.#bytes.subarray(this.#start + 1, this.#end - 1)) : undefined;
  }

  /** The bytes as they stand in the text, white space inside included. */
  get raw(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /**
   * The bytes as Go writes a raw value: without white space, with `<`, `>`, `&`, U+2028 and U+2029 as escapes, and else
   * unchanged: numbers keep their digits, strings their escapes.
   */
  compact(): ByteString {
    const bytes = this.#bytes;
    let out = "";
    let copied = this.#start;
    let inString = false;
    const replace = (at: number, length: number, text: string): void => {
      out += bytes.toString("latin1", copied, at) + text;
      copied = at + length;
    };
    for (let at = this.#start; at < this.#end; at++) {
      const byte = bytes[at]!;
      if (inString && byte === 0x5c) at++;
      else if (byte === 0x22) inString = !inString;
      else if (!inString && byte <= 0x20) replace(at, 1, "");
      else if (byte === 0x3c || byte === 0x3e || byte === 0x26) replace(at, 1, `\\u00${byte.toString(16)}`);
      else if (byte === 0xe2 && bytes[at + 1] === 0x80 && (bytes[at + 2]! & 0xfe) === 0xa8)
        replace(at, 3, `\\u202${bytes[at + 2] === 0xa8 ? 8 : 9}`);
    }
    return (out + bytes.toString("latin1", copied, this.#end)) as ByteString;
  }

  #valueAt(at: number): Json {
    const start = skipSpace(this.#bytes, at);
    return new Json(this.#bytes, start, scanValue(this.#bytes, start));
  }

  /** Where the next member or element begins, or the closing bracket stands. */
  #behind(value: Json): number {
    const at = skipSpace(this.#bytes, value.#end);
    return at < this.#end - 1 ? skipSpace(this.#bytes, at + 1) : at;
  }
}

export type JsonKind = "object" | "array" | "string" | "number" | "bool" | "null";

/**
 * Checks a text that holds one JSON value.
 *
 * @param options.first accept anything behind the first value, as Go's stream decoder does
 * @throws VarveError `invalid-archive` with Go's text
 * @example parseJson(bytes).member("rootfs")?.member("diff_ids")?.items()
 */
export function parseJson(bytes: Uint8Array | string, options: { readonly first?: boolean } = {}): Json {
  const text =
    typeof bytes === "string" ? Buffer.from(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const start = skipSpace(text, 0);
  const end = scanValue(text, start);
  if (options.first !== true) refuseRest(text, end);
  return new Json(text, start, end);
}

/** For a value of a kind that is not wanted. */
export function wrongKind(value: Json, wanted: string, field: string): VarveError {
  const where = field === "" ? "Go value" : `Go struct field ${field}`;
  const found = value.kind === "number" ? `number ${value.raw.toString("latin1").slice(0, 40)}` : value.kind;
  return new VarveError("invalid-archive", `json: cannot unmarshal ${found} into ${where} of type ${wanted}`, {
    field,
  });
}

const KINDS: Readonly<Record<number, JsonKind>> = {
  123: "object",
  91: "array",
  34: "string",
  116: "bool",
  102: "bool",
  110: "null",
};

function decodeString(bytes: Buffer): string {
  const first = bytes.indexOf(0x5c);
  if (first < 0) return decodeUtf8(bytes);
  let out = "";
  let copied = 0;
  for (let at = first; at >= 0; at = bytes.indexOf(0x5c, copied)) {
    out += decodeUtf8(bytes.subarray(copied, at));
    const letter = String.fromCharCode(bytes[at + 1]!);
    if (letter === "u") out += String.fromCharCode(Number.parseInt(bytes.toString("latin1", at + 2, at + 6), 16));
    else out += ESCAPED[letter] ?? letter;
    copied = at + (letter === "u" ? 6 : 2);
  }
  out += decodeUtf8(bytes.subarray(copied));
  return out.replace(/\p{Surrogate}/gu, "\ufffd");
}

const ESCAPED: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** Go gives one U+FFFD for each byte that begins no character; `toString` gives fewer. */
function decodeUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  let out = "";
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at]!;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const character = bytes.subarray(at, at + length);
    const valid = isUtf8(character);
    out += valid ? character.toString() : "\ufffd";
    at += valid ? length : 1;
  }
  return out;
}
