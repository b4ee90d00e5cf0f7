import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { toBytes } from "../sys/byte-string.ts";
import { formatGo, formatSorted, type GoValue, toPlain } from "./go-value.ts";
import { type Json, parseJson } from "./json.ts";

describe("reading", () => {
  test("accepts and understands what JSON.parse does", () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 6, stringUnit: "binary" }),
        fc.constantFrom(undefined, "\t", "\r\n "),
        (text, indent) => {
          const value: unknown = JSON.parse(text);
          const spaced = indent === undefined ? text : JSON.stringify(value, undefined, indent);
          expect(unpack(parseJson(spaced))).toEqual(unpack(parseJson(text)));
          expect(unpack(parseJson(text))).toEqual(JSON.parse(text.replace(/\\ud[89a-f][0-9a-f]{2}/gi, "\\ufffd")));
        },
      ),
    );
  });

  test("refuses what JSON.parse refuses, with Go's words", () => {
    fc.assert(
      fc.property(nearJson, (text) => {
        const refused = caught(() => JSON.parse(text)) !== undefined;
        const error = caught(() => parseJson(text));
        expect(error !== undefined).toBe(refused);
        if (refused) expect(isVarveError(error, "invalid-archive")).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test("no bytes make anything but a value or an invalid-archive error", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.uint8Array().map((bytes) => Buffer.from(`["${bytes}`)),
        ),
        (bytes) => {
          const error = caught(() => unpack(parseJson(bytes)));
          expect(error === undefined || isVarveError(error, "invalid-archive")).toBe(true);
        },
      ),
    );
  });

  test.each([
    ["", "unexpected end of JSON input"],
    [" ", "unexpected end of JSON input"],
    ["{", "unexpected end of JSON input"],
    ['"a', "unexpected end of JSON input"],
    ["-", "unexpected end of JSON input"],
    ["x", "invalid character 'x' looking for beginning of value"],
    ["\ufeff{}", "invalid character '\\xef' looking for beginning of value"],
    ["[1,]", "invalid character ']' looking for beginning of value"],
    ["[1 2]", "invalid character '2' after array element"],
    ["{,}", "invalid character ',' looking for beginning of object key string"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{"a"}', "invalid character '}' after object key"],
    ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
    ['"\n"', "invalid character '\\x0a' in string literal"],
    ['"\x1f"', "invalid character '\\x1f' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"],
    ["-a", "invalid character 'a' in numeric literal"],
    ["1.a", "invalid character 'a' after decimal point in numeric literal"],
    ["1e+a", "invalid character 'a' in exponent of numeric literal"],
    ["01", "invalid character '1' after top-level value"],
    ["{} {}", "invalid character '{' after top-level value"],
    ["trux", "invalid character 'x' in literal true (expecting 'e')"],
  ])("%j: %s", (text, message) => {
    expect(() => parseJson(text)).toThrow(message);
  });

  test("the first value alone can be asked for", () => {
    expect(unpack(parseJson(' {"a":1}\ngarbage', { first: true }))).toEqual({ a: 1 });
    expect(() => parseJson("garbage", { first: true })).toThrow("invalid character 'g'");
  });

  test("nesting is bounded by Go's limit and takes no stack", () => {
    const nested = (depth: number) => `${'{"a":['.repeat(depth / 2)}${"]}".repeat(depth / 2)}`;
    expect(parseJson(nested(10_000)).compact()).toBe(nested(10_000));
    expect(() => parseJson(`[${nested(10_000)}]`)).toThrow("exceeded max depth");
    expect(() => parseJson("[".repeat(10_000_000))).toThrow("exceeded max depth");
  });

  test("each byte that begins no character is one U+FFFD, and so is each half of a pair", () => {
    const text = (bytes: number[]) => parseJson(Buffer.from([0x22, ...bytes, 0x22])).text;
    expect(text([0xe2, 0x82])).toBe("\ufffd\ufffd");
    expect(text([0x61, 0xff, 0xc3, 0xa4, 0xc3, 0x62])).toBe("a\ufffdä\ufffdb");
    expect(text([0xf0, 0x9f, 0x98, 0x80, 0xff, 0xf4, 0x90, 0x80, 0x80])).toBe("😀\ufffd\ufffd\ufffd\ufffd\ufffd");
    expect(text([0xed, 0xa0, 0x80])).toBe("\ufffd\ufffd\ufffd");
    expect(parseJson('"\\ud83d\\ude00 \\ud83d \\ude00\\u0041\\/"').text).toBe("😀 \ufffd \ufffdA/");
  });

  test("a member is found in any case, the last one counts", () => {
    const json = parseJson('{"RootFS":1,"rootf\u017f":2,"x":3,"__proto__":{"k":4}}');
    expect(json.member("rootfs")?.compact()).toBe("2");
    expect(json.member("X")?.compact()).toBe("3");
    expect(json.member("__PROTO__")?.member("\u212a")?.compact()).toBe("4");
    expect(json.member("toString")).toBeUndefined();
    expect(parseJson("[1]").member("x")).toBeUndefined();
  });
});

describe("a raw value", () => {
  test("keeps digits and escapes, loses white space, gets the escapes that Go adds", () => {
    const raw = '{ "n" : [ 12345678901234567890 , 1.50e+3 ,\n-0 ] , "s\\u0041\\/" : "<a b>&\u2028\u2029é\\"<" }';
    expect(toBytes(parseJson(raw).compact()).toString()).toBe(
      '{"n":[12345678901234567890,1.50e+3,-0],"s\\u0041\\/":"\\u003ca b\\u003e\\u0026\\u2028\\u2029é\\"\\u003c"}',
    );
  });

  test("keeps bytes that are no text", () => {
    const raw = Buffer.from([0x5b, 0x22, 0xff, 0xe2, 0x80, 0x22, 0x5d]);
    expect(toBytes(parseJson(raw).compact())).toEqual(raw);
  });

  test("of what Go wrote stays as it is", () => {
    fc.assert(
      fc.property(goValues, (value) => {
        const text = formatGo(value);
        expect(toBytes(parseJson(text).compact())).toEqual(text);
      }),
    );
  });
});

describe("writing", () => {
  test("what is written reads back as what it was", () => {
    fc.assert(
      fc.property(goValues, (value) => {
        expect(unpack(parseJson(formatGo(value)))).toEqual(toPlain(value));
        expect(toPlain(parseJson(formatGo(value)))).toEqual(toPlain(value));
      }),
    );
  });

  test("strings get Go's escapes", () => {
    expect(formatGo('<>&\u2028\u2029"\\\n\r\t\b\f\x00\x1f\x7fé😀\ud800').toString()).toBe(
      '"\\u003c\\u003e\\u0026\\u2028\\u2029\\"\\\\\\n\\r\\t\\u0008\\u000c\\u0000\\u001f\x7fé😀\\ufffd"',
    );
  });

  test("structs keep their order, maps are sorted by bytes, bytes are base64", () => {
    const map = new Map<string, GoValue>([
      ["\u{1f600}", 1],
      ["\uffff", 2],
      ["b", new Uint8Array([1, 2])],
      ["__proto__", null],
    ]);
    expect(formatGo({ z: map, a: [], gone: undefined, n: 9007199254740993n }).toString()).toBe(
      '{"z":{"__proto__":null,"b":"AQI=","\uffff":2,"\u{1f600}":1},"a":[],"n":9007199254740993}',
    );
    expect(formatSorted({ z: { y: 1, x: -0 }, a: true }).toString()).toBe('{"a":true,"z":{"y":1,"x":0}}');
    expect(Object.keys(toPlain(map) as object)).toContain("__proto__");
    expect(() => formatGo(1.5)).toThrow(TypeError);
  });
});

const goValues: fc.Arbitrary<GoValue> = fc.letrec<{ value: GoValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: "grapheme" }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string(), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4 }),
  ),
})).value;

const nearJson = fc
  .array(
    fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      '"',
      "\\",
      "u0041",
      "1",
      "0",
      "-",
      ".",
      "e",
      "true",
      "null",
      " ",
      "\n",
      '"a":',
      "x",
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(""));

/** By way of members and items, the way that readers of a `Json` go. */
function unpack(json: Json): unknown {
  if (json.kind === "object")
    return Object.fromEntries([...json.members()].map(([key, value]) => [key, unpack(value)]));
  if (json.kind === "array") return [...json.items()].map(unpack);
  return json.kind === "string" ? json.text : JSON.parse(json.raw.toString());
}

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
