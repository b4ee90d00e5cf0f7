import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FingerprintSet, fingerprintOf } from "./fingerprints.ts";

describe("a set of fingerprints", () => {
  test("knows what was added, and nothing else", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (added, others) => {
        const set = new FingerprintSet();
        for (const name of added) set.add(fingerprintOf(name));
        for (const name of [...added, ...others]) expect(set.has(fingerprintOf(name))).toBe(added.includes(name));
        expect(set.size).toBe(new Set(added).size);
      }),
    );
  });

  test("tells a hundred thousand names that are alike apart, also by the directory they lie in", () => {
    const set = new FingerprintSet();
    for (let i = 0; i < 100_000; i++) set.add(fingerprintOf(`file${i % 1000}`, 2 ** 40 + Math.floor(i / 1000)));
    expect(set.size).toBe(100_000);
    expect(set.has(fingerprintOf("file7", 2 ** 40 + 99))).toBe(true);
    expect(set.has(fingerprintOf("file7", 2 ** 40 + 100))).toBe(false);
    expect(set.has(fingerprintOf("file7", 2 ** 41 + 99))).toBe(false);
  });

  test("a fingerprint is a positive safe integer", () => {
    fc.assert(
      fc.property(fc.string(), fc.maxSafeNat(), (name, place) => {
        const fingerprint = fingerprintOf(name, place);
        expect(Number.isSafeInteger(fingerprint) && fingerprint > 0).toBe(true);
      }),
    );
  });
});
