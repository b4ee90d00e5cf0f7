import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeSampleArchive } from "../tools/sample-archive.ts";
import { varvePath } from "../tools/varve.ts";

/** A large layer, a layer of many files, and one in between: a gigabyte in all. */
const LAYERS = [
  [["big", 600 << 20] as const],
  Array.from({ length: 20_000 }, (_, i) => [`many/${i % 100}/${i}`, 4096] as const),
  Array.from({ length: 40 }, (_, i) => [`some/${i}`, 8 << 20] as const),
];
const LIMIT_KIB = 250 << 10;

describe("an image of a gigabyte", () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-memory-"));
  const archive = join(scratch, "image.tar");
  const root = join(scratch, "root");

  beforeAll(() => {
    writeSampleArchive(archive, "large:1", LAYERS);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  function peakOf(...args: string[]): number {
    const report = join(scratch, "peak");
    execFileSync(
      process.execPath,
      ["--require", join(import.meta.dirname, "../tools/report-memory.cjs"), varvePath(), "--root", root, ...args],
      { env: { ...process.env, VARVE_TEST_MEMORY: report }, stdio: ["ignore", "ignore", "inherit"] },
    );
    return Number(readFileSync(report, "utf8"));
  }

  test("is loaded and saved in less than 250 MB of memory", () => {
    const peaks = {
      load: peakOf("--durability", "none", "load", "-q", "-i", archive),
      save: peakOf("save", "-o", join(scratch, "saved.tar"), "large:1"),
    };
    console.log(`peak memory in MiB: load ${peaks.load >> 10}, save ${peaks.save >> 10}`);
    expect(peaks.load).toBeLessThan(LIMIT_KIB);
    expect(peaks.save).toBeLessThan(LIMIT_KIB);
  });
});
