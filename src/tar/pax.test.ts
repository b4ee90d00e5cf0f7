import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteString } from "../../test/tar/random-tar.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { formatRecord, formatTime, isValidRecord, parseRecords, parseTime } from "./pax.ts";

const parse = (text: string): ReadonlyMap<string, string> | undefined => parseRecords(Buffer.from(text, "latin1"));

describe("PAX records", () => {
  // FORMATS 8.7, as dockerd 20.10 wrote them.
  test.each([
    ["path", "odd/bad-\xff\xfe", "19 path=odd/bad-\xff\xfe\n"],
    ["gid", "3000000", "15 gid=3000000\n"],
    ["mtime", "-315619200", "20 mtime=-315619200\n"],
    ["linkpath", "t".repeat(240), `254 linkpath=${"t".repeat(240)}\n`],
    ["SCHILY.xattr.security.capability", "v".repeat(20), `57 SCHILY.xattr.security.capability=${"v".repeat(20)}\n`],
    ["a", "12345", "11 a=12345\n"],
    ["a", "1234", "9 a=1234\n"],
  ])("%s=%s carries the length of the whole record", (key, value, record) => {
    expect(formatRecord(key, value as ByteString)).toBe(record);
  });

  test("any valid records are read back", () => {
    const pairs = fc
      .array(fc.tuple(byteString, byteString))
      .map((all) => all.filter(([key, value]) => isValidRecord(key, value)));
    fc.assert(
      fc.property(pairs, (records) => {
        const text = records.map(([key, value]) => formatRecord(key, value)).join("");
        expect(parse(text)).toEqual(new Map(records));
      }),
    );
  });

  test.each([
    "6 k=1\n\n",
    "20 k=1\n",
    "6 k=1",
    "k=1\n",
    "6  =1\n".replace(" =", "="),
    "4 =\n",
    "6 k-1\n",
    "-6 k=1\n",
    "99999999999999999999 k=1\n",
    "9 path=\0\n",
    "7 k\0=1\n",
    "6 k=1x",
  ])("%j is refused", (text) => {
    expect(parse(text)).toBeUndefined();
  });

  test("the offsets of sparse format 0.0 become the map of 0.1", () => {
    const pair = (key: string, value: string): string => formatRecord(`GNU.sparse.${key}`, value as ByteString);
    const map = pair("offset", "1") + pair("numbytes", "2") + pair("offset", "5") + pair("numbytes", "6");
    expect(parse(map)?.get("GNU.sparse.map")).toBe("1,2,5,6");
    expect(parse(pair("numbytes", "2"))).toBeUndefined();
    expect(parse(pair("offset", "1") + pair("offset", "1"))).toBeUndefined();
    expect(parse(pair("offset", "1,2"))).toBeUndefined();
  });
});

describe("PAX times", () => {
  test.each([
    ["1350244992.023960108", 1350244992, 23960108],
    ["1350244992", 1350244992, 0],
    ["1350244992.3", 1350244992, 300000000],
    ["1.0123456789", 1, 12345678],
    ["-1.5", -2, 500000000],
    ["-0.5", -1, 500000000],
    ["-0", 0, 0],
    ["+3.", 3, 0],
  ])("%s", (text, seconds, nanoseconds) => {
    expect(parseTime(text)).toEqual({ seconds, nanoseconds });
  });

  test.each(["", ".5", "1.2.3", "1.-5", "1e3", "1. 5"])("%j is refused", (text) => {
    expect(parseTime(text)).toBeUndefined();
  });

  test("any time is read back", () => {
    const time = fc.record({ seconds: fc.maxSafeInteger(), nanoseconds: fc.nat(999_999_999) });
    fc.assert(fc.property(time, (value) => void expect(parseTime(formatTime(value))).toEqual(value)));
  });
});
