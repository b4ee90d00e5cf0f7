import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { humanSize, shortSize, significant } from "./human-size.ts";

describe("a size", () => {
  test.each([
    [0, "0B"],
    [999, "999B"],
    [1996800, "1.997MB"],
    [32768, "32.77kB"],
    [1e15, "1PB"],
  ])("%d in four digits is %s", (bytes, text) => expect(humanSize(bytes)).toBe(text));

  test("keeps Go's habits: ties to even, and an exponent for what rounding made too long", () => {
    expect(shortSize(2_125_000)).toBe("2.12MB");
    expect(shortSize(2_375_000)).toBe("2.38MB");
    expect(shortSize(999_500)).toBe("1e+03kB");
  });
});

describe("significant digits", () => {
  test("are those of toPrecision, up to how a tie is broken", () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, min: -1e300, max: 1e300 }),
        fc.integer({ min: 1, max: 15 }),
        (value, digits) => {
          const apart = Math.abs(Number(significant(value, digits)) - Number(value.toPrecision(digits)));
          expect(apart).toBeLessThanOrEqual(Math.abs(value) * 10 ** (1 - digits));
          expect(significant(-value, digits)).toBe(value === 0 ? "0" : negated(significant(value, digits)));
        },
      ),
    );
    expect(significant(0.000012345, 3)).toBe("1.23e-05");
    expect(significant(0.00012345, 3)).toBe("0.000123");
    expect(significant(123456, 3)).toBe("1.23e+05");
    expect(significant(0.5, 1)).toBe("0.5");
    expect(significant(2.5, 1)).toBe("2");
  });
});

function negated(text: string): string {
  return text.startsWith("-") ? text.slice(1) : `-${text}`;
}
