import { type ByteString, fromText, toBytes } from "../sys/byte-string.ts";
import { Json } from "./json.ts";

/**
 * What can be written: a plain object is a struct, whose fields keep their order and are left out when `undefined`; a
 * `Map` is a map, whose keys come out sorted; bytes become base64; a `Json` keeps its text (`Json.compact`); numbers are
 * integers.
 */
export type GoValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Json
  | readonly GoValue[]
  | ReadonlyMap<string, GoValue>
  | GoStruct;

export interface GoStruct {
  readonly [name: string]: GoValue | undefined;
}

/**
 * Writes a value as Go 1.19's `json.Marshal` does: compact, nothing behind it (FORMATS 0.4).
 *
 * @example formatGo({ b: 1, a: new Map([["z", []]]) }) // {"b":1,"a":{"z":[]}}
 */
export function formatGo(value: GoValue): Buffer {
  return toBytes(write(value));
}

/** A struct as Docker's `MarshalJSON` of images writes it: its fields sorted, those of inner structs not. */
export function formatSorted(struct: GoStruct): Buffer {
  return formatGo(new Map(definedFields(struct)));
}

/** Ordinary objects, arrays, strings and numbers for `JSON.stringify` and for callers; maps become objects, sorted. */
export function toPlain(value: GoValue): unknown {
  if (value instanceof Json) return JSON.parse(value.raw.toString());
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (isList(value)) return value.map(toPlain);
  if (isMap(value)) return Object.fromEntries(sorted(value).map(([key, inner]) => [key, toPlain(inner)]));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(definedFields(value).map(([name, inner]) => [name, toPlain(inner)]));
  return typeof value === "bigint" ? Number(value) : value;
}

/** A string between quotes with Go's escapes. */
export function quote(text: string): ByteString {
  return fromText(`"${text.replace(UNSAFE, escapeOf)}"`);
}

function write(value: GoValue): ByteString {
  if (value === null) return "null" as ByteString;
  if (typeof value === "string") return quote(value);
  if (typeof value === "boolean" || typeof value === "bigint") return `${value}` as ByteString;
  if (typeof value === "number") return writeInteger(value);
  if (value instanceof Json) return value.compact();
  if (value instanceof Uint8Array) return quote(Buffer.from(value).toString("base64"));
  if (isList(value)) return `[${value.map(write).join(",")}]` as ByteString;
  return writeObject(isMap(value) ? sorted(value) : definedFields(value));
}

function writeObject(entries: readonly (readonly [string, GoValue])[]): ByteString {
  return `{${entries.map(([key, value]) => `${quote(key)}:${write(value)}`).join(",")}}` as ByteString;
}

function writeInteger(value: number): ByteString {
  if (!Number.isSafeInteger(value)) throw new TypeError(`no integer: ${value}`);
  return `${value === 0 ? 0 : value}` as ByteString;
}

/** By the bytes of the keys. */
function sorted(map: ReadonlyMap<string, GoValue>): [string, GoValue][] {
  const keyed = [...map].map((entry) => ({ entry, key: fromText(entry[0]) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ entry }) => entry);
}

function definedFields(struct: GoStruct): [string, GoValue][] {
  return Object.entries(struct).filter((entry): entry is [string, GoValue] => entry[1] !== undefined);
}

function isList(value: GoValue): value is readonly GoValue[] {
  return Array.isArray(value);
}

function isMap(value: GoValue): value is ReadonlyMap<string, GoValue> {
  return value instanceof Map;
}

const UNSAFE = /[\x00-\x1f"\\<>&\u2028\u2029]|\p{Surrogate}/gu;
const SHORT: Readonly<Record<string, string>> = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeOf(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.charCodeAt(0);
  return code >= 0xd800 && code <= 0xdfff ? "\\ufffd" : `\\u${code.toString(16).padStart(4, "0")}`;
}
