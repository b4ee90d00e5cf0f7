import { foldKey } from "./fold.ts";
import { formatTime, type GoTime, parseTime, ZERO_TIME } from "./go-time.ts";
import type { GoStruct, GoValue } from "./go-value.ts";
import { type Json, parseJson, wrongKind } from "./json.ts";

/** One of Go's types: how a value of it is read from JSON and written to it. */
export interface GoType<T> {
  /** What a field of this type holds that no JSON mentions. */
  readonly zero: T;
  /**
   * @param before what the field held: `null` leaves it there, and a second object under one key adds to the first
   * @param field the path so far, for messages
   * @throws VarveError `invalid-archive`
   */
  read(json: Json, before: T, field: string): T;
  write(value: T): GoValue;
  /** Whether `omitempty` drops it. */
  isEmpty(value: T): boolean;
}

/** An `int64`; a `bigint` only where a number would lose digits. */
export type GoInteger = number | bigint;

export const goString: GoType<string> = {
  zero: "",
  read: (json, before, field) => (json.kind === "null" ? before : (json.text ?? fail(json, "string", field))),
  write: (value) => value,
  isEmpty: (value) => value === "",
};

export const goBool: GoType<boolean> = {
  zero: false,
  read(json, before, field) {
    if (json.kind === "null") return before;
    return json.kind === "bool" ? json.raw.length === 4 : fail(json, "bool", field);
  },
  write: (value) => value,
  isEmpty: (value) => !value,
};

export const goInteger: GoType<GoInteger> = {
  zero: 0,
  read(json, before, field) {
    if (json.kind === "null") return before;
    const literal = json.raw.toString("latin1");
    if (json.kind !== "number" || literal.length > 20 || !/^-?\d+$/.test(literal)) return fail(json, "int64", field);
    const value = BigInt(literal);
    if (BigInt.asIntN(64, value) !== value) return fail(json, "int64", field);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  },
  write: (value) => value,
  isEmpty: (value) => value === 0,
};

/** A struct to Go's `omitempty`, hence never dropped. */
export const goTime: GoType<GoTime> = {
  zero: ZERO_TIME,
  read(json, before, field) {
    if (json.kind === "null") return before;
    return json.kind === "string" ? parseTime(json.raw.toString("latin1").slice(1, -1)) : fail(json, "time", field);
  },
  write: (value) => formatTime(value),
  isEmpty: () => false,
};

/** A slice; `null` is Go's nil. */
export function goList<T>(item: GoType<T>): GoType<readonly T[] | null> {
  return {
    zero: null,
    read(json, before, field) {
      if (json.kind === "null") return null;
      if (json.kind !== "array") return fail(json, "slice", field);
      const list: T[] = [];
      for (const value of json.items()) list.push(item.read(value, before?.[list.length] ?? item.zero, field));
      return list;
    },
    write: (value) => value?.map(item.write) ?? null,
    isEmpty: (value) => value === null || value.length === 0,
  };
}

/** Strings of a command; a single string is read as a list of one. */
export const goCommand: GoType<readonly string[] | null> = {
  ...goList(goString),
  read(json, _before, field) {
    return json.kind === "string" ? [json.text!] : goList(goString).read(json, null, field);
  },
};

/** A map; `null` is Go's nil. */
export function goMap<T>(value: GoType<T>): GoType<ReadonlyMap<string, T> | null> {
  return {
    zero: null,
    read(json, before, field) {
      if (json.kind === "null") return null;
      if (json.kind !== "object") return fail(json, "map", field);
      const map = new Map(before);
      for (const [key, member] of json.members()) map.set(key, value.read(member, value.zero, field));
      return map;
    },
    write: (map) => map && new Map([...map].map(([key, member]) => [key, value.write(member)])),
    isEmpty: (map) => map === null || map.size === 0,
  };
}

/** A map whose values are empty structs; `null` is Go's nil. */
export const goSet: GoType<ReadonlySet<string> | null> = {
  zero: null,
  read(json, before, field) {
    if (json.kind === "null") return null;
    if (json.kind !== "object") return fail(json, "map", field);
    const set = new Set(before);
    for (const [key, member] of json.members()) {
      if (member.kind !== "object" && member.kind !== "null") fail(member, "struct {}", field);
      set.add(key);
    }
    return set;
  },
  write: (set) => set && new Map([...set].map((key) => [key, {}])),
  isEmpty: (set) => set === null || set.size === 0,
};

/** A pointer; `null` is Go's nil. */
export function goPointer<T>(target: GoType<T>): GoType<T | null> {
  return {
    zero: null,
    read: (json, before, field) => (json.kind === "null" ? null : target.read(json, before ?? target.zero, field)),
    write: (value) => (value === null ? null : target.write(value)),
    isEmpty: (value) => value === null,
  };
}

export interface GoField<T> {
  readonly name: string;
  readonly type: GoType<T>;
  readonly omitEmpty: boolean;
}

export type GoFields<T> = { readonly [Key in keyof T]-?: GoField<T[Key]> };

/** A field that is always written. */
export function field<T>(name: string, type: GoType<T>): GoField<T> {
  return { name, type, omitEmpty: false };
}

/** A field that is left out when it is empty. */
export function optional<T>(name: string, type: GoType<T>): GoField<T> {
  return { name, type, omitEmpty: true };
}

type ListedField = GoField<unknown> & { readonly key: string };

/** What `goStruct` adds: a struct can be read from and written to a whole text. */
export interface GoStructType<T> extends GoType<T> {
  write(value: T): GoStruct;
  /** Whether a key is one of its fields, in whatever case. */
  hasField(key: string): boolean;
  /** @throws VarveError `invalid-archive` */
  parse(bytes: Uint8Array | string): T;
}

/** A struct with its fields in Go's order. @param name what messages call it */
export function goStruct<T>(name: string, fields: GoFields<T>): GoStructType<T> {
  const list: readonly ListedField[] = Object.entries<GoField<unknown>>(
    fields as GoFields<Record<string, unknown>>,
  ).map(([key, field]) => ({ key, ...field }));
  const exact = new Map(list.map((listed) => [listed.name, listed]));
  const folded = new Map([...list].reverse().map((listed) => [foldKey(listed.name), listed]));
  const zero = Object.freeze(Object.fromEntries(list.map(({ key, type }) => [key, type.zero]))) as T;

  const type: GoStructType<T> = {
    zero,
    read(json, before, path) {
      if (json.kind === "null") return before;
      if (json.kind !== "object") return fail(json, name, path);
      const struct: Record<string, unknown> = { ...(before as object) };
      for (const [key, member] of json.members()) {
        const known = exact.get(key) ?? folded.get(foldKey(key));
        if (known === undefined) continue;
        const inner = path === "" ? `${name}.${known.name}` : `${path}.${known.name}`;
        struct[known.key] = known.type.read(member, struct[known.key], inner);
      }
      return struct as T;
    },
    write(value) {
      const struct: Record<string, GoValue> = {};
      for (const listed of list) {
        const member = value[listed.key as keyof T];
        if (!listed.omitEmpty || !listed.type.isEmpty(member)) struct[listed.name] = listed.type.write(member);
      }
      return struct;
    },
    isEmpty: () => false,
    hasField: (key) => folded.has(foldKey(key)),
    parse: (bytes) => type.read(parseJson(bytes), zero, ""),
  };
  return type;
}

function fail(json: Json, wanted: string, field: string): never {
  throw wrongKind(json, wanted, field);
}
