import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { parseTime, ZERO_TIME } from "./go-time.ts";
import {
  field,
  goBool,
  goCommand,
  goInteger,
  goList,
  goMap,
  goPointer,
  goSet,
  goString,
  goStruct,
  goTime,
  optional,
} from "./go-type.ts";
import { formatGo } from "./go-value.ts";

interface Inner {
  readonly list: readonly string[] | null;
  readonly map: ReadonlyMap<string, string> | null;
}

const innerType = goStruct<Inner>("Inner", {
  list: field("List", goList(goString)),
  map: optional("Map", goMap(goString)),
});
const outerType = goStruct("Outer", {
  text: optional("os.version", goString),
  flag: optional("EmptyLayer", goBool),
  count: optional("Size", goInteger),
  time: field("created", goTime),
  set: optional("Volumes", goSet),
  command: optional("Cmd", goCommand),
  inner: field("inner", innerType),
  pointer: optional("pointer", goPointer(innerType)),
  inners: optional("inners", goList(innerType)),
});

const read = (json: string) => outerType.parse(json);
const rewrite = (json: string) => formatGo(outerType.write(read(json))).toString();

describe("a struct", () => {
  test("without JSON is zero, and writes what omitempty leaves", () => {
    expect(outerType.zero).toMatchObject({ text: "", count: 0, time: ZERO_TIME, set: null, pointer: null });
    expect(rewrite("{}")).toBe('{"created":"0001-01-01T00:00:00Z","inner":{"List":null}}');
    expect(rewrite("null")).toBe(rewrite("{}"));
  });

  test("matches keys in any case, an exact one too, and ignores others", () => {
    expect(read('{"OS.Version":"a"}').text).toBe("a");
    expect(read('{"\u017fize":5}').count).toBe(5);
    expect(read('{"os.version":"a","OS.VERSION":"b"}').text).toBe("b");
    expect(read('{"OS.VERSION":"b","os.version":"a"}').text).toBe("a");
    const exact = goStruct("Two", { lower: field("a", goString), upper: field("A", goString) });
    expect(exact.parse('{"A":"1"}')).toEqual({ lower: "", upper: "1" });
    expect(read('{"__proto__":{"text":"x"},"constructor":1}')).toEqual(outerType.zero);
    expect(({} as Record<string, unknown>).text).toBeUndefined();
  });

  test("takes null for nothing said", () => {
    expect(read('{"os.version":"a","os.version":null}').text).toBe("a");
    expect(read('{"Size":1,"Size":null,"EmptyLayer":true,"EmptyLayer":null}')).toMatchObject({ count: 1, flag: true });
    expect(read('{"pointer":{},"pointer":null}').pointer).toBeNull();
    expect(read('{"Cmd":["a"],"Cmd":null}').command).toBeNull();
    expect(read('{"Volumes":{"a":{}},"Volumes":null}').set).toBeNull();
    expect(read('{"created":null}').time).toBe(ZERO_TIME);
  });

  test("adds a second object under one key to the first, and replaces a list", () => {
    const twice =
      '{"inner":{"List":["a","b"],"Map":{"k":"1","l":"2"}},"Inner":{"Map":{"l":"3"}},"inner":{"List":["c"]}}';
    expect(rewrite(twice)).toContain('"inner":{"List":["c"],"Map":{"k":"1","l":"3"}}');
    expect(rewrite('{"pointer":{"List":[]},"pointer":{"Map":{"a":"b"}}}')).toContain(
      '"pointer":{"List":[],"Map":{"a":"b"}}',
    );
    expect(rewrite('{"inners":[{"List":["a"]},{}],"inners":[null]}')).toContain('"inners":[{"List":["a"]}]');
  });

  test("tells empty from absent", () => {
    expect(rewrite('{"inner":{"List":[],"Map":{}},"pointer":{},"Cmd":[],"inners":[]}')).toBe(
      '{"created":"0001-01-01T00:00:00Z","inner":{"List":[]},"pointer":{"List":null}}',
    );
  });

  test("reads a lone string as a command of one word, and sorts sets", () => {
    expect(rewrite('{"Cmd":"a b","Volumes":{"/b":{},"/a":null}}')).toBe(
      '{"created":"0001-01-01T00:00:00Z","Volumes":{"/a":{},"/b":{}},"Cmd":["a b"],"inner":{"List":null}}',
    );
  });

  test("keeps all 64 bits of an integer", () => {
    for (const digits of ["9223372036854775807", "-9223372036854775808", "9007199254740993", "0", "-1"])
      expect(formatGo(goInteger.write(read(`{"Size":${digits}}`).count)).toString()).toBe(digits);
    expect(read('{"Size":-0}').count).toBe(0);
    expect(rewrite('{"Size":-0}')).not.toContain("Size");
  });

  test("keeps a time's zone", () => {
    expect(rewrite('{"created":"2026-01-01T00:00:00.10+02:00"}')).toContain('"created":"2026-01-01T00:00:00.1+02:00"');
    expect(read('{"created":"2026-01-01T00:00:00Z"}').time).toEqual(parseTime("2026-01-01T00:00:00Z"));
  });

  test.each([
    ["[]", "json: cannot unmarshal array into Go value of type Outer"],
    ['{"os.version":5}', "json: cannot unmarshal number 5 into Go struct field Outer.os.version of type string"],
    ['{"EmptyLayer":"x"}', "into Go struct field Outer.EmptyLayer of type bool"],
    ['{"Size":1.0}', "json: cannot unmarshal number 1.0 into Go struct field Outer.Size of type int64"],
    ['{"Size":9223372036854775808}', "of type int64"],
    ['{"Size":"1"}', "cannot unmarshal string into"],
    ['{"Volumes":{"a":1}}', "of type struct {}"],
    ['{"Volumes":["a"]}', "of type map"],
    ['{"Cmd":{"a":"b"}}', "of type slice"],
    ['{"Cmd":[1]}', "of type string"],
    ['{"inner":{"List":[{}]}}', "cannot unmarshal object into Go struct field Outer.inner.List of type string"],
    ['{"inner":{"Map":{"a":[]}}}', "cannot unmarshal array into Go struct field Outer.inner.Map of type string"],
    ['{"inner":true}', "cannot unmarshal bool into Go struct field Outer.inner of type Inner"],
    ['{"created":5}', "cannot unmarshal number 5 into Go struct field Outer.created of type time"],
    ['{"created":"2026-01-01T00:00:00\\u005a"}', "parsing time"],
  ])("%s is refused: %s", (json, message) => {
    expect(() => read(json)).toThrow(message);
  });

  test("no JSON makes anything but a struct, which is written the same way for ever, or an invalid-archive error", () => {
    fc.assert(
      fc.property(odd, (json) => {
        try {
          const written = rewrite(json);
          expect(rewrite(written)).toBe(written);
        } catch (error) {
          expect(isVarveError(error, "invalid-archive")).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

const keys = fc.constantFrom(
  "os.version",
  "Size",
  "created",
  "Volumes",
  "Cmd",
  "inner",
  "pointer",
  "inners",
  "List",
  "Map",
  "x",
);
const odd: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom("null", "true", "1", '"s"', '"2026-01-01T00:00:00.5Z"', "[]", "{}"),
    fc.array(tie("value"), { maxLength: 3 }).map((items) => `[${items}]`),
    fc
      .array(fc.tuple(keys, tie("value")), { maxLength: 4 })
      .map((members) => `{${members.map(([k, v]) => `"${k}":${v}`)}}`),
  ),
})).value;
