import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isVarveError, VarveError } from "../errors.ts";
import { readValue, writeValue } from "./value.ts";

const key = fc.oneof(fc.string(), fc.constantFrom("$map", "$object", "$error", "__proto__", "constructor"));
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.string({ unit: "binary" }),
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    fc.constantFrom(null, undefined, Infinity, -Infinity, Number.NaN, -0),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.array(tie("value")),
    fc.dictionary(key, tie("value"), { noNullPrototype: true }),
    fc.array(fc.tuple(tie("value"), tie("value"))).map((pairs) => new Map(pairs)),
    fc
      .tuple(fc.string(), fc.dictionary(key, tie("value"), { noNullPrototype: true }))
      .map(([message, details]) => new VarveError("conflict", message, details)),
  ),
}));

describe("a value", () => {
  test("comes back as it was", () => {
    fc.assert(
      fc.property(value, (given) => {
        const back = readValue(writeValue(given));
        expect(isDeepStrictEqual(back, given), writeValue(given)).toBe(true);
        expect(writeValue(back)).toBe(writeValue(given));
      }),
    );
  });

  test("that JSON knows is plain JSON", () => {
    expect(writeValue({ a: [1, "x", null, true], b: { $c: 1, d: 2 } })).toBe(
      '{"a":[1,"x",null,true],"b":{"$c":1,"d":2}}',
    );
  });

  test("that is more than data is refused", () => {
    for (const given of [() => 1, Symbol("x"), new Date(), new Set(), { a: [new (class A {})()] }])
      expect(() => writeValue(given)).toThrow(expect.objectContaining({ code: "unsupported" }));
  });

  test("that is nested too deep is refused, written or read", () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(() => writeValue(deep)).toThrow("levels deep");
    expect(() => readValue("[".repeat(100_000) + "]".repeat(100_000))).toThrow("levels deep");
  });
});

describe("an error", () => {
  test("keeps its code, its message and what of its details is data", () => {
    const error = new VarveError("in-use", "busy", { path: "/x", call: () => 1, at: 3n }, new Error("cause"));
    const back = readValue(writeValue(error)) as VarveError;
    expect(isVarveError(back, "in-use")).toBe(true);
    expect([back.message, back.details]).toEqual(["busy", { path: "/x", at: 3n }]);
  });

  test("of a code that is not known here is one of the system", () => {
    expect(readValue('{"$error":{"code":"brand-new","message":"m","details":{}}}')).toMatchObject({
      ...{ code: "system", message: "m" },
    });
  });
});

describe("a text", () => {
  test("that is no value is an error with a code", () => {
    const json = fc.oneof(fc.json(), value.map(writeValue));
    const damaged = fc
      .tuple(json, fc.nat(), fc.string())
      .map(
        ([text, at, other]) => text.slice(0, at % (text.length + 1)) + other + text.slice((at % (text.length + 1)) + 1),
      );
    fc.assert(
      fc.property(fc.oneof(fc.string(), json, damaged), (text) => {
        try {
          readValue(text);
        } catch (error) {
          expect(isVarveError(error, "invalid-argument"), String(error)).toBe(true);
        }
      }),
    );
  });

  test.each([
    '{"$bigint":"1e3"}',
    `{"$bigint":"${"1".repeat(2000)}"}`,
    '{"$bigint":3}',
    '{"$number":"7"}',
    '{"$bytes":[1]}',
    '{"$map":[[1]]}',
    '{"$map":{}}',
    '{"$object":[]}',
    '{"$error":{"code":"conflict","message":"m"}}',
    '{"$error":{"code":"conflict","message":"m","details":{"$map":[]}}}',
    '{"$constructor":1}',
    "{",
    "",
  ])("such as %.60s is refused", (text) => {
    expect(() => readValue(text)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });
});
