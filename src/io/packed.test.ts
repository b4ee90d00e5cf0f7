import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Packer, Unpacker } from "./packed.ts";

type Item =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "count"; readonly value: number }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "latin"; readonly value: string };

const latin = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("latin1"));
const items: fc.Arbitrary<Item[]> = fc.array(
  fc.oneof(
    fc.double().map((value): Item => ({ kind: "number", value })),
    fc.nat(0xffffffff).map((value): Item => ({ kind: "count", value })),
    fc.string({ unit: "binary" }).map((value): Item => ({ kind: "text", value })),
    latin.map((value): Item => ({ kind: "latin", value })),
  ),
);

function pack(all: readonly Item[]): Buffer {
  const packer = new Packer();
  for (const { kind, value } of all) packer[kind](value as never);
  return packer.finish();
}

describe("packed values", () => {
  test("come out as they went in", () => {
    fc.assert(
      fc.property(items, (all) => {
        const from = new Unpacker(pack(all));
        expect(all.map(({ kind }) => ({ kind, value: from[kind]() }))).toEqual(all);
        expect(from.ended).toBe(true);
      }),
    );
  });

  test("come out of many bytes too", () => {
    const all = Array.from({ length: 50_000 }, (_, i): Item => ({ kind: "text", value: `${"ä".repeat(i % 7)}${i}` }));
    const from = new Unpacker(pack(all));
    for (const { value } of all) expect(from.text()).toBe(value);
  });

  test("that were cut off are a RangeError", () => {
    fc.assert(
      fc.property(items, fc.nat(), (all, cut) => {
        const bytes = pack(all);
        fc.pre(bytes.length > 0);
        const from = new Unpacker(bytes.subarray(0, cut % bytes.length));
        expect(() => all.map(({ kind }) => from[kind]())).toThrow(RangeError);
      }),
    );
  });

  test("asked of any bytes are values or a RangeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), items, (bytes, all) => {
        const from = new Unpacker(Buffer.from(bytes));
        try {
          for (const { kind } of all) from[kind]();
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});
