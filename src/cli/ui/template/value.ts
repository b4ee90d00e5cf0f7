/**
 * What flows through a template: JSON values, and the few Go values that JSON does not tell apart but a template shows
 * differently (a struct from a map, a nil map from a nil list, a time from a text).
 */
import { goTimeNano } from "../clock.ts";

export type Value = null | undefined | boolean | number | string | readonly Value[] | Struct | Nil | Stamp | ValueMap;
export interface ValueMap {
  readonly [key: string]: Value;
}

/** A record with known fields: asking for another one is an error, and it prints as `{a b}`. */
export class Struct {
  readonly name: string;
  readonly fields: ReadonlyMap<string, Value>;
  readonly #document: unknown;

  constructor(name: string, fields: Iterable<readonly [string, Value]>, document?: unknown) {
    this.name = name;
    this.fields = new Map(fields);
    this.#document = document;
  }

  /** What `json` gives; a record of its fields in the order of their names where none was given. */
  get document(): unknown {
    return this.#document ?? Object.fromEntries([...this.fields].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** A line of a table; its JSON escapes what HTML would read. */
export class Row extends Struct {}

/** An absent map, list or pointer: `null` as JSON, empty to `len`, `range` and `if`. */
export class Nil {
  readonly kind: "map" | "list" | "pointer";

  constructor(kind: "map" | "list" | "pointer") {
    this.kind = kind;
  }
}

/** A time, RFC 3339 as JSON, Go's default layout as text. */
export class Stamp {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is ValueMap {
  return (
    typeof value === "object" &&
    value !== null &&
    !isList(value) &&
    !(value instanceof Struct || value instanceof Nil || value instanceof Stamp)
  );
}

/** What `if`, `and` and `not` go by: empty is false, a struct never is. */
export function isTrue(value: Value): boolean {
  if (value instanceof Nil) return false;
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Go's name for the type, for error messages. */
export function typeName(value: Value): string {
  if (value === null || value === undefined) return "interface {}";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  if (isList(value)) return "[]string";
  if (value instanceof Struct) return value.name;
  if (value instanceof Stamp) return "time.Time";
  if (value instanceof Nil) return value.kind === "list" ? "[]string" : "map[string]string";
  return "map[string]interface {}";
}

/** Go's `%v`. A missing value is `<no value>` where it stands alone and `<nil>` inside another. */
export function show(value: Value, missing = "<nil>"): string {
  if (value === null || value === undefined) return missing;
  if (typeof value === "number") return floatText(value);
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map((item) => show(item)).join(" ")}]`;
  if (value instanceof Struct) return `{${[...value.fields.values()].map((item) => show(item)).join(" ")}}`;
  if (value instanceof Stamp) return goTimeNano(value.text);
  if (value instanceof Nil) return { map: "map[]", list: "[]", pointer: "<nil>" }[value.kind];
  const keys = Object.keys(value).sort();
  return `map[${keys.map((key) => `${key}:${show(value[key])}`).join(" ")}]`;
}

/** Go's shortest form: an exponent of two digits below 0.0001 and from 1e21. */
function floatText(value: number): string {
  const small = value !== 0 && Math.abs(value) < 1e-4;
  return (small ? value.toExponential() : String(value)).replace(/e([+-])(\d)$/, "e$10$2");
}

/** The value as a JSON document would hold it. */
export function plain(value: Value): unknown {
  if (value === undefined || value instanceof Nil) return null;
  if (value instanceof Struct) return plain(value.document as Value);
  if (value instanceof Stamp) return value.text;
  if (isList(value)) return value.map(plain);
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value;
}
