import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imageFilters, parseFilters, pruneFilters } from "./filters.ts";

function filters(text: string): ReturnType<typeof parseFilters> {
  return parseFilters(new URLSearchParams({ filters: text }));
}

const refused = (message: string) => expect.objectContaining({ code: "invalid-argument", message });

describe("filters", () => {
  test.each([
    ["", {}],
    ["null", {}],
    ["{}", {}],
    ['{"label":["a","b=c","a"]}', { label: ["a", "b=c"] }],
    ['{"label":{"a":true,"b=c":false}}', { label: ["a", "b=c"] }],
    ['{"__proto__":["a"]}', { ["__proto__"]: ["a"] }],
    ['{"label":null}', { label: [] }],
  ])("%s are read as old and new clients write them", (text, expected) => {
    expect([...filters(text)]).toEqual(Object.entries(expected));
  });

  test("of any kind are read, or refused as a client's mistake", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        for (const read of [imageFilters, pruneFilters]) {
          try {
            read(filters(text));
          } catch (error) {
            expect(error).toMatchObject({ code: "invalid-argument" });
          }
        }
      }),
    );
  });

  test("may be missing", () => {
    expect(parseFilters(new URLSearchParams())).toEqual(new Map());
  });

  test.each(["{", "[]", "1", '"a"', '{"label":"a"}', '{"label":[1]}', '{"label":{"a":1}}'])(
    "%s are refused",
    (text) => {
      expect(() => filters(text)).toThrow(refused(`invalid filters: not an object of lists of strings: ${text}`));
    },
  );
});

describe("filters of images", () => {
  test("are the store's", () => {
    const text = '{"dangling":["true"],"label":["a"],"before":["x"],"since":["y"],"reference":["z"],"until":["1h"]}';
    expect(imageFilters(filters(text))).toEqual({
      ...{ dangling: true, label: ["a"], before: "x", since: "y", reference: ["z"], until: "1h" },
    });
    expect(imageFilters(filters('{"dangling":["false"]}')).dangling).toBe(false);
    expect(imageFilters(filters("{}")).dangling).toBeUndefined();
  });

  test.each([
    ['{"dangling":["maybe"]}', "Invalid filter 'dangling=[maybe]'"],
    ['{"dangling":{"1":true}}', "Invalid filter 'dangling=[1]'"],
    ['{"label!":["a"]}', "Invalid filter 'label!'"],
    ['{"until":["1h","2h"]}', "more than one until filter specified"],
  ])("%s are refused with Docker's words", (text, message) => {
    expect(() => imageFilters(filters(text))).toThrow(refused(message));
  });
});

describe("filters of a prune", () => {
  test.each([
    ["{}", false],
    ['{"dangling":["true"]}', false],
    ['{"dangling":["1"]}', false],
    ['{"dangling":["false"]}', true],
    ['{"dangling":["0"]}', true],
    ['{"dangling":["true","false"]}', true],
  ])("%s take all images: %s", (text, all) => {
    expect(pruneFilters(filters(text)).all).toBe(all);
  });

  test("know labels that keep an image", () => {
    expect(pruneFilters(filters('{"label!":["keep"]}'))).toEqual({ all: false, "label!": ["keep"] });
    expect(() => pruneFilters(filters('{"reference":["a"]}'))).toThrow(refused("Invalid filter 'reference'"));
  });
});
