import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SplitFile } from "./split-file.ts";

describe("a tar-split on its way to the disk", () => {
  let directory: string;
  let path: string;
  let fd: number;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "layer-split-"));
    path = join(directory, "tar-split.json.gz");
    fd = openSync(path, "w");
  });
  afterEach(() => {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  });

  test("is one gzip member with all lines in order", async () => {
    const split = new SplitFile(fd);
    for (let i = 0; i < 100_000; i++) {
      split.write(`{"position":${i},"name":"ä"}\n`);
      if (split.full) await split.drained();
    }
    await split.end();
    const lines = gunzipSync(readFileSync(path)).toString().split("\n");
    expect(lines).toHaveLength(100_001);
    expect(lines[77_777]).toBe('{"position":77777,"name":"ä"}');
  });

  test("is the empty stream when there are no lines", async () => {
    await new SplitFile(fd).end();
    expect(gunzipSync(readFileSync(path))).toHaveLength(0);
  });

  test("is full after a few megabytes that nobody waited for, and empty after waiting", async () => {
    const split = new SplitFile(fd);
    const line = `${"x".repeat(1 << 20)}\n`;
    let lines = 0;
    while (!split.full) {
      split.write(line);
      expect(++lines).toBeLessThan(8);
    }
    await split.drained();
    expect(split.full).toBe(false);
    await split.end();
    expect(gunzipSync(readFileSync(path))).toHaveLength(lines * line.length);
  });

  test("that cannot be written tells the writer, at the latest at its end", async () => {
    const full = openSync("/dev/full", "w");
    try {
      const split = new SplitFile(full);
      let written = 0;
      const fill = async (): Promise<void> => {
        for (; written < 1000; written++) {
          split.write(`${Math.random()}`.repeat(10_000));
          if (split.full) await split.drained();
        }
        await split.end();
      };
      await expect(fill()).rejects.toMatchObject({ code: "no-space" });
      expect(written).toBeLessThan(500);
      await split.abort();
      const short = new SplitFile(full);
      short.write("line\n");
      await expect(short.end()).rejects.toMatchObject({ code: "no-space" });
    } finally {
      closeSync(full);
    }
  });

  test("that is aborted writes no more", async () => {
    const split = new SplitFile(fd);
    split.write("x".repeat(1 << 20));
    await split.abort();
    const { size } = statSync(path);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(statSync(path).size).toBe(size);
    await split.abort();
  });
});
