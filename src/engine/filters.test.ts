import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { matchesLabels, matchesPattern, parseGoDuration, parseTimeFilter } from "./filters.ts";

describe("patterns on names", () => {
  // Answers of Go 1.19's path.Match.
  test.each([
    ["abc", "abc", true],
    ["*", "abc", true],
    ["*c", "abc", true],
    ["a*", "a", true],
    ["a*", "ab/c", false],
    ["a*/b", "abc/b", true],
    ["a*/b", "a/c/b", false],
    ["a*b*c*d*e*/f", "axbxcxdxe/f", true],
    ["a*b?c*x", "abxbbxdbxebxczzx", true],
    ["a*b?c*x", "abxbbxdbxebxczzy", false],
    ["ab[c]", "abc", true],
    ["ab[b-d]", "abc", true],
    ["ab[e-g]", "abc", false],
    ["ab[^c]", "abc", false],
    ["ab[^e-g]", "abc", true],
    ["a\\*b", "a*b", true],
    ["a\\*b", "ab", false],
    ["a?b", "a☺b", true],
    ["a[^a]b", "a☺b", true],
    ["a?b", "a/b", false],
    ["[\\]a]", "]", true],
    ["[x\\-]", "-", true],
    ["*x", "xxx", true],
  ])("%s against %s is %s", (pattern, name, matches) => {
    expect(matchesPattern(pattern, name)).toBe(matches);
  });

  test.each(["[]a]", "[-]", "[x-]", "[-x]", "[", "[^", "a[", "\\"])("%s is a bad pattern", (pattern) => {
    expect(() => matchesPattern(pattern, "a")).toThrow("syntax error in pattern");
  });

  test("a name matches itself once its special characters are escaped", () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(matchesPattern(name.replace(/[\\*?[\]]/g, "\\$&"), name)).toBe(true);
      }),
    );
  });

  test("many stars cost no more than their number times the name", () => {
    expect(matchesPattern("a*".repeat(200), `${"a".repeat(5000)}b`)).toBe(true);
    expect(matchesPattern(`${"a*".repeat(200)}c`, `${"a".repeat(5000)}b`)).toBe(false);
  });
});

describe("labels", () => {
  test("all asked for must be there, with the value where one is given", () => {
    const labels = { a: "1", b: "" };
    expect(matchesLabels(labels, ["a", "b"])).toBe(true);
    expect(matchesLabels(labels, ["a=1", "b="])).toBe(true);
    expect(matchesLabels(labels, ["a=2"])).toBe(false);
    expect(matchesLabels(labels, ["toString"])).toBe(false);
    expect(matchesLabels(undefined, ["a"])).toBe(false);
    expect(matchesLabels(undefined, [])).toBe(true);
  });
});

describe("time filters", () => {
  const now = Date.UTC(2026, 10, 20);
  test.each([
    ["0", 0],
    ["1700000000", 1_700_000_000_000],
    ["1700000000.5", 1_700_000_000_500],
    ["24h", now - 86_400_000],
    ["1h30m", now - 5_400_000],
    ["2026-01-02T03:04:05Z", Date.UTC(2026, 0, 2, 3, 4, 5)],
    ["2026-01-02T03:04:05+01:00", Date.UTC(2026, 0, 2, 2, 4, 5)],
  ])("%s", (text, expected) => {
    expect(parseTimeFilter(text, now)).toBe(expected);
  });

  test("anything else is a usage error", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(parseTimeFilter(text)).not.toBeNaN();
        } catch (error) {
          expect(isVarveError(error, "invalid-argument")).toBe(true);
        }
      }),
    );
  });

  test("durations are Go's", () => {
    expect(parseGoDuration("1.5h")).toBe(5_400_000);
    expect(parseGoDuration("-2m")).toBe(-120_000);
    expect(parseGoDuration("5")).toBeUndefined();
    expect(parseGoDuration("h")).toBeUndefined();
  });
});
