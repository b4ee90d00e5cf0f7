import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { PayloadFile } from "./payload-file.ts";

const directory = mkdtempSync(join(tmpdir(), "varve-payload-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** What comes of these pieces, numbers being holes, behind `start` bytes that belong to somebody else. */
function write(pieces: readonly (Uint8Array | number)[], start = 0): { content: Buffer; disk: number } {
  const path = join(directory, "file");
  const fd = openSync(path, "w+");
  try {
    const file = new PayloadFile(fd, start);
    for (const piece of pieces)
      if (typeof piece === "number") file.skip(piece);
      else file.write(piece);
    file.end();
    return { content: readFileSync(path).subarray(start), disk: statSync(path).blocks * 512 };
  } finally {
    closeSync(fd);
  }
}

describe("a payload", () => {
  test("is the same bytes, whatever zeros and holes are in it and wherever it is cut", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 50 }),
      fc.nat(70_000),
      fc.nat(70_000).map((length) => new Uint8Array(length)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(100), (pieces, start) => {
        const expected = Buffer.concat(pieces.map((each) => (typeof each === "number" ? Buffer.alloc(each) : each)));
        expect(write(pieces, start).content.equals(expected)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test("keeps the hole that nothing follows", () => {
    expect(write([100_000, Buffer.alloc(0)]).content.equals(Buffer.alloc(100_000))).toBe(true);
  });

  test("of zeros takes no room, in pieces of any size", () => {
    for (const size of [1000, 8192, 1 << 20]) {
      const zeros = Array<Uint8Array>(Math.ceil((4 << 20) / size)).fill(new Uint8Array(size));
      expect(write([Buffer.from("a"), ...zeros, Buffer.from("b")]).disk, `${size}`).toBeLessThan(64 << 10);
    }
  });

  test("with few zeros in it has no holes", () => {
    const pieces = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? new Uint8Array(5000) : Buffer.from("a")));
    expect(write(pieces).disk).toBeGreaterThanOrEqual(250_000);
  });
});
