import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fitsBase256, fitsOctal, parseDecimal, parseNumeric, putNumeric, putOctal } from "./numeric.ts";

const read = (field: string): number => parseNumeric(Buffer.from(field, "latin1"), 0, field.length);

describe("a number field", () => {
  test.each([
    ["0000644\0", 0o644],
    ["    644 ", 0o644],
    ["\0\0\0\0", 0],
    ["  \0 \0", 0],
    ["644\x0099\0", 0o644],
    ["77777777777\0", 8 ** 11 - 1],
    ["777777777777", 8 ** 12 - 1],
    ["\x80\0\0\0\0\0\x01\x00", 256],
    ["\xff\xff\xff\xff\xff\xff\xff\xfe", -2],
    ["\x80\0\0\0\0\x20\0\0\0\0\0\0", 2 ** 53],
  ])("%j is %d", (field, value) => {
    expect(read(field)).toBe(value);
  });

  test.each([
    "8",
    "12 3",
    "-1",
    "0x1",
    "1\x002 ".replace("\0", "+"),
    "\x80\0\0\0\x80\0\0\0\0\0\0\0",
    "\xff\0\0\0\0\0\0\0\0\0\0\0",
  ])("%j is none", (field) => {
    expect(read(field)).toBeNaN();
  });

  test("what fits is read back, in octal and in base-256", () => {
    fc.assert(
      fc.property(fc.constantFrom(8, 12), fc.maxSafeInteger(), (width, value) => {
        const block = Buffer.alloc(width, 0x55);
        putNumeric(block, 0, width, value);
        const fits = fitsOctal(width, value) || fitsBase256(width, value);
        expect(parseNumeric(block, 0, width)).toBe(fits ? value : 0);
      }),
    );
  });

  test("octal is padded with zeros and ends in NUL; what does not fit becomes 0", () => {
    const block = Buffer.alloc(12);
    putOctal(block, 0, 8, 0o644);
    expect(block.toString("latin1", 0, 8)).toBe("0000644\0");
    putOctal(block, 0, 8, 8 ** 7);
    expect(block.toString("latin1", 0, 8)).toBe("0000000\0");
    putOctal(block, 0, 12, -1);
    expect(block.toString("latin1", 0, 12)).toBe("00000000000\0");
  });
});

describe("a decimal number", () => {
  test.each([
    ["0", 0],
    ["+7", 7],
    ["-0", 0],
    ["-12", -12],
    ["000000000000000000000000000000000001", 1],
    ["9223372036854775807", 2 ** 63],
    ["-9223372036854775808", -(2 ** 63)],
  ])("%s is %d", (text, value) => {
    expect(Object.is(parseDecimal(text), value)).toBe(true);
  });

  test.each([
    "",
    "+",
    " 1",
    "1 ",
    "1_0",
    "0x1",
    "1e3",
    "1.0",
    "9223372036854775808",
    "-9223372036854775809",
    "9".repeat(1e6),
  ])("%.30s is none", (text) => {
    expect(parseDecimal(text)).toBeNaN();
  });
});
