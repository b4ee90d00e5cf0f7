/** What a template may call: text/template's own functions and those that Docker's client adds. */
import { goJson } from "./json.ts";
import { printf, sprint, sprintln } from "./printf.ts";
import { isList, isMap, isTrue, Nil, plain, Row, Stamp, Struct, show, typeName, type Value } from "./value.ts";

export interface TemplateFunction {
  readonly least: number;
  readonly most: number;
  /** Arguments after one for which this holds are not looked at. */
  readonly stopsAt?: (value: Value) => boolean;
  /** @throws CallError */
  call(args: readonly Value[]): Value;
}
export type FunctionTable = Readonly<Record<string, TemplateFunction>>;

/** Why a call failed; whoever evaluates adds the place. */
export class CallError extends Error {}

/** A function with a fixed number of arguments. */
export function fixed<Args extends readonly Value[]>(count: number, call: (...args: Args) => Value): TemplateFunction {
  return { least: count, most: count, call: (args) => call(...(args as unknown as Args)) };
}

function open(least: number, call: (args: readonly Value[]) => Value): TemplateFunction {
  return { least, most: Number.POSITIVE_INFINITY, call };
}

export const FUNCTIONS: FunctionTable = {
  json: fixed(1, (value: Value) => goJson(plain(value), value instanceof Row)),
  split: fixed(2, (text: Value, separator: Value) => splitText(asText(text), asText(separator))),
  join: fixed(2, (list: Value, separator: Value) => asTexts(list).join(asText(separator))),
  title: fixed(1, (text: Value) =>
    asText(text).replace(/(?<![\p{L}\p{Nd}_])\p{L}/gu, (letter) => letter.toUpperCase()),
  ),
  lower: fixed(1, (text: Value) => asText(text).toLowerCase()),
  upper: fixed(1, (text: Value) => asText(text).toUpperCase()),
  pad: fixed(3, (text: Value, before: Value, after: Value) =>
    padded(asText(text), asInteger(before), asInteger(after)),
  ),
  truncate: fixed(2, (text: Value, length: Value) => asText(text).slice(0, Math.max(0, asInteger(length)))),
  and: { ...open(1, (args) => args.at(-1)), stopsAt: (value) => !isTrue(value) },
  or: { ...open(1, (args) => args.at(-1)), stopsAt: isTrue },
  not: fixed(1, (value: Value) => !isTrue(value)),
  len: fixed(1, lengthOf),
  index: open(1, ([item, ...keys]) => keys.reduce(indexed, item)),
  slice: { least: 1, most: 4, call: ([item, ...bounds]) => sliced(item, bounds) },
  print: open(0, sprint),
  printf: open(1, ([format, ...args]) => printf(asText(format), args)),
  println: open(0, sprintln),
  html: open(0, (args) => sprint(args).replace(/[<>&"'\0]/g, (found) => HTML[found]!)),
  js: open(0, (args) => sprint(args).replace(/[\\'"<>&=\x00-\x1f\x7f]/g, escapeScript)),
  urlquery: open(0, (args) => queryEscape(sprint(args))),
  eq: open(1, ([first, ...others]) => {
    if (others.length === 0) throw new CallError("error calling eq: missing argument for comparison");
    return others.some((other) => same("eq", first, other));
  }),
  ne: fixed(2, (a: Value, b: Value) => !same("ne", a, b)),
  lt: fixed(2, (a: Value, b: Value) => less("lt", a, b)),
  le: fixed(2, (a: Value, b: Value) => less("le", a, b) || same("le", a, b)),
  gt: fixed(2, (a: Value, b: Value) => less("gt", b, a)),
  ge: fixed(2, (a: Value, b: Value) => less("ge", b, a) || same("ge", a, b)),
  call: open(1, ([value]) => {
    throw new CallError(`error calling call: non-function of type ${typeName(value)}`);
  }),
};

/** A field of a record or a key of a map; `undefined` where there is none. */
export function member(value: Value, name: string): Value {
  if (value instanceof Struct) return value.fields.get(name) ?? documentMember(value, name);
  if (isMap(value) && Object.hasOwn(value, name)) return value[name];
  return undefined;
}

/** Fields also answer to their name in JSON (`.Id` and `.ID`), as Docker falls back to the document. */
function documentMember({ document }: Struct, name: string): Value {
  return isMap(document as Value) && Object.hasOwn(document as object, name)
    ? (document as Record<string, Value>)[name]
    : undefined;
}

function asText(value: Value): string {
  if (typeof value !== "string") throw wrongType("string", value);
  return value;
}

function asInteger(value: Value): number {
  if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType("int", value);
  return value;
}

function asTexts(value: Value): string[] {
  if (value instanceof Nil || value === null || value === undefined) return [];
  if (!isList(value)) throw wrongType("[]string", value);
  return value.map(asText);
}

function wrongType(wanted: string, value: Value): CallError {
  return new CallError(`wrong type for value; expected ${wanted}; got ${typeName(value)}`);
}

function splitText(text: string, separator: string): string[] {
  return separator === "" ? [...text] : text.split(separator);
}

/** More white space than this is a mistake or an attack. */
const PAD_LIMIT = 1e6;

function padded(text: string, before: number, after: number): string {
  if (Math.max(before, after) > PAD_LIMIT) throw new CallError(`error calling pad: more than ${PAD_LIMIT} spaces`);
  return text === "" ? "" : " ".repeat(Math.max(0, before)) + text + " ".repeat(Math.max(0, after));
}

function lengthOf(value: Value): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  if (isMap(value)) return Object.keys(value).length;
  if (value instanceof Struct) return value.fields.size;
  if (value instanceof Nil && value.kind !== "pointer") return 0;
  if (value === null || value === undefined) throw new CallError("error calling len: len of nil pointer");
  throw new CallError(`error calling len: len of type ${typeName(value)}`);
}

function indexed(item: Value, key: Value): Value {
  if (item instanceof Nil && item.kind === "map") return "";
  if (isList(item) || typeof item === "string") {
    if (typeof key !== "number")
      throw new CallError(`error calling index: cannot index slice/array with type ${typeName(key)}`);
    const length = lengthOf(item);
    if (!Number.isInteger(key) || key < 0 || key >= length)
      throw new CallError(`error calling index: index out of range: ${show(key)}`);
    return isList(item) ? item[key] : Buffer.from(item)[key];
  }
  if (isMap(item) || item instanceof Struct) {
    if (typeof key !== "string")
      throw new CallError(`error calling index: value has type ${typeName(key)}; should be string`);
    return member(item, key) ?? (isMap(item) && holdsTexts(item) ? "" : undefined);
  }
  if (item === null || item === undefined || item instanceof Nil)
    throw new CallError("error calling index: index of untyped nil");
  throw new CallError(`error calling index: can't index item of type ${typeName(item)}`);
}

/** A map of strings answers a key that it does not have with the empty one. */
function holdsTexts(map: Readonly<Record<string, Value>>): boolean {
  return Object.values(map).every((value) => typeof value === "string");
}

function sliced(item: Value, bounds: readonly Value[]): Value {
  if (typeof item !== "string" && !isList(item))
    throw new CallError(`error calling slice: can't slice item of type ${typeName(item)}`);
  const length = lengthOf(item);
  const [from, to] = [asInteger(bounds[0] ?? 0), asInteger(bounds[1] ?? length)];
  for (const bound of [from, to])
    if (bound < 0 || bound > length) throw new CallError(`error calling slice: index out of range: ${bound}`);
  if (from > to) throw new CallError(`error calling slice: invalid slice index: ${from} > ${to}`);
  return typeof item === "string" ? Buffer.from(item).subarray(from, to).toString() : item.slice(from, to);
}

function same(name: string, a: Value, b: Value): boolean {
  const [left, right] = [comparable(name, a), comparable(name, b)];
  if (left !== null && right !== null && typeof left !== typeof right)
    throw new CallError(`error calling ${name}: incompatible types for comparison`);
  return left === right;
}

function less(name: string, a: Value, b: Value): boolean {
  const [left, right] = [comparable(name, a), comparable(name, b)];
  if (typeof left !== typeof right) throw new CallError(`error calling ${name}: incompatible types for comparison`);
  if (left === null || right === null || typeof left === "boolean" || typeof right === "boolean")
    throw new CallError(`error calling ${name}: invalid type for comparison`);
  if (typeof left === "string") return Buffer.compare(Buffer.from(left), Buffer.from(right as string)) < 0;
  return left < (right as number);
}

function comparable(name: string, value: Value): string | number | boolean | null {
  if (value === null || value === undefined || value instanceof Nil) return null;
  if (value instanceof Stamp) return value.text;
  if (typeof value === "object") throw new CallError(`error calling ${name}: invalid type for comparison`);
  return value;
}

const HTML: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&#34;",
  "'": "&#39;",
  "\0": "\ufffd",
};

function escapeScript(character: string): string {
  if (/[\\'"]/.test(character)) return `\\${character}`;
  return `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}
