import { type GoInteger, type GoType, goInteger } from "./go-type.ts";
import { type Json, wrongKind } from "./json.ts";

/** An unsigned integer of so many bits. */
export function goUnsigned(bits: 16 | 32 | 64): GoType<GoInteger> {
  const type = `uint${bits}`;
  return {
    ...goInteger,
    read(json, before, field) {
      if (json.kind === "null") return before;
      const literal = json.raw.toString("latin1");
      if (json.kind !== "number" || literal.length > 20 || !/^\d+$/.test(literal)) throw wrongKind(json, type, field);
      const value = BigInt(literal);
      if (BigInt.asUintN(bits, value) !== value) throw wrongKind(json, type, field);
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    },
  };
}

/** An array of a fixed length: what is missing is zero, what is too much is passed over. */
export function goArray<T>(length: number, item: GoType<T>): GoType<readonly T[]> {
  return {
    zero: Array.from({ length }, () => item.zero),
    read(json: Json, before, field) {
      if (json.kind === "null") return before;
      if (json.kind !== "array") throw wrongKind(json, "array", field);
      const values = [...json.items()].slice(0, length);
      return before.map((old, at) => (values[at] === undefined ? item.zero : item.read(values[at], old, field)));
    },
    write: (value) => value.map(item.write),
    isEmpty: (value) => value.length === 0,
  };
}
