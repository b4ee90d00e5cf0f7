import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { IdMap } from "./id-map.ts";

const RANGES = [
  { container: 0, host: 200_000, size: 1000 },
  { container: 1000, host: 500_000, size: 10 },
];

describe("an id map", () => {
  const map = new IdMap(RANGES, [{ container: 0, host: 300_000, size: 65_536 }]);

  test("counts container ids through the ranges", () => {
    expect(map.root).toEqual({ uid: 200_000, gid: 300_000 });
    expect(map.toHost(999, 5)).toEqual({ uid: 200_999, gid: 300_005 });
    expect(map.toHost(1009, 65_535)).toEqual({ uid: 500_009, gid: 365_535 });
  });

  test("refuses what lies outside of them, in Docker's words", () => {
    expect(() => map.toHost(1010, 0)).toThrow("Container ID 1010 cannot be mapped to a host ID");
    expect(() => map.toContainer(0, 300_000)).toThrow("Host ID 0 cannot be mapped to a container ID");
  });

  test("leaves an id that is already the mapped root", () => {
    expect(map.toHost(200_000, 300_000)).toEqual({ uid: 200_000, gid: 300_000 });
  });

  test("goes there and back for every id that it knows", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1009 }), fc.integer({ min: 0, max: 65_535 }), (uid, gid) => {
        const host = map.toHost(uid, gid);
        expect(map.toContainer(host.uid, host.gid)).toEqual({ uid, gid });
      }),
    );
  });
});

describe("the map of a user", () => {
  let scratch: string;
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), "varve-ids-"));
  });
  afterEach(() => rmSync(scratch, { recursive: true, force: true }));

  function files(subuid: string, subgid: string): [string, string] {
    writeFileSync(join(scratch, "subuid"), subuid);
    writeFileSync(join(scratch, "subgid"), subgid);
    return [join(scratch, "subuid"), join(scratch, "subgid")];
  }

  test("is read from both files by the user's name, ranges in the order of the file", () => {
    const paths = files("# comment\n\nother:1:5\ndock:500000:10\ndock:200000:1000\n", "dock:300000:65536\nother:1:5");
    const map = IdMap.ofUser("dock", ...paths);
    expect(map.toHost(0, 0)).toEqual({ uid: 500_000, gid: 300_000 });
    expect(map.toHost(10, 1)).toEqual({ uid: 200_000, gid: 300_001 });
  });

  test("names the user that has no range", () => {
    expect(() => IdMap.ofUser("dock", ...files("dock:1:2\n", "x:1:2\n"))).toThrow(
      'no subgid ranges found for user "dock"',
    );
  });

  test("no text of the files makes anything but a map or a coded error", () => {
    const line = fc.oneof(
      fc.string(),
      fc.tuple(fc.constant("dock"), fc.nat(), fc.nat()).map((parts) => parts.join(":")),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const paths = files(lines.join("\n"), "dock:0:1");
        try {
          IdMap.ofUser("dock", ...paths);
        } catch (error) {
          expect(isVarveError(error)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });
});
