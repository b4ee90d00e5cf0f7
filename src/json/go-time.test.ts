import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { compareTimes, formatTime, parseTime, timeOf, toDate, ZERO_TIME } from "./go-time.ts";

describe("a time", () => {
  test.each([
    ["2026-11-20T17:42:39.4401978Z", undefined],
    ["0001-01-01T00:00:00Z", undefined],
    ["0000-01-01T00:00:00Z", undefined],
    ["9999-12-31T23:59:59.999999999Z", undefined],
    ["1970-01-01T01:00:00+01:00", undefined],
    ["1969-12-31T23:59:59.000000001-05:30", undefined],
    ["2026-11-20T17:42:39.100Z", "2026-11-20T17:42:39.1Z"],
    ["2026-11-20T17:42:39.000Z", "2026-11-20T17:42:39Z"],
    ["2026-11-20T17:42:39.1234567899Z", "2026-11-20T17:42:39.123456789Z"],
    ["2026-11-20T17:42:39,5Z", "2026-11-20T17:42:39.5Z"],
    ["2026-11-20T7:42:39Z", "2026-11-20T07:42:39Z"],
    ["2026-11-20T17:42:39+00:00", "2026-11-20T17:42:39Z"],
    ["2026-11-20T17:42:39-00:00", "2026-11-20T17:42:39Z"],
    ["2000-02-29T00:00:00Z", undefined],
  ])("%s is written as Go writes it", (text, written) => {
    expect(formatTime(parseTime(text))).toBe(written ?? text);
  });

  test.each([
    "",
    "2026-11-20",
    "2026-11-20 17:42:39Z",
    "2026-11-20t17:42:39Z",
    "2026-11-20T17:42:39z",
    "2026-11-20T17:42:39",
    "2026-11-20T17:42:39.Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T00:00:00+0100",
    "12026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z\n",
  ])("%j is none", (text) => {
    expect(() => parseTime(text)).toThrow("parsing time");
  });

  test("in any zone survives writing and reading", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: ZERO_TIME.seconds + 86_400, max: 253_402_214_399 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        fc.integer({ min: -24 * 60 + 1, max: 24 * 60 - 1 }),
        (seconds, nanoseconds, minutes) => {
          const time = { seconds, nanoseconds, offset: minutes * 60 };
          expect(parseTime(formatTime(time))).toEqual(time);
          expect(compareTimes(time, parseTime(formatTime({ ...time, offset: 0 })))).toBe(0);
          expect(timeOf(toDate(time))).toEqual({ seconds, nanoseconds: nanoseconds - (nanoseconds % 1e6), offset: 0 });
        },
      ),
    );
  });

  test("no text makes anything but a time or an invalid-archive error", () => {
    const near = fc.stringMatching(/^\d{4}-[01]\d-[0-3]\dT[0-2]?\d:[0-6]\d:[0-6]\d([.,]\d{0,3})?(Z|[+-]\d\d:\d\d)$/);
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        try {
          const time = parseTime(text);
          expect(parseTime(formatTime(time))).toEqual(time);
        } catch (error) {
          expect(isVarveError(error, "invalid-archive")).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("comes from a date in either zone, and orders by the moment", () => {
    const date = new Date(-1);
    expect(timeOf(date)).toEqual({ seconds: -1, nanoseconds: 999_000_000, offset: 0 });
    const zone = process.env.TZ;
    process.env.TZ = "Asia/Kolkata";
    const local = timeOf(date, "local");
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
    expect(compareTimes(local, timeOf(date))).toBe(0);
    expect(formatTime(local)).toBe("1970-01-01T05:29:59.999+05:30");
    expect(compareTimes(parseTime("2026-01-01T01:00:00+01:00"), parseTime("2026-01-01T00:00:00.1Z"))).toBeLessThan(0);
  });

  test("beyond year 9999 cannot be written", () => {
    expect(() => formatTime({ seconds: 253_402_300_800, nanoseconds: 0 })).toThrow("year outside of range");
    expect(() => formatTime({ seconds: 1e300, nanoseconds: 0 })).toThrow("year outside of range");
  });
});
