import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLog } from "./log.ts";

test("a log has its lines as soon as they are said, each with its fields, and leaves out what is less important", async () => {
  const directory = mkdtempSync(join(tmpdir(), "varve-log-"));
  const fd = openSync(join(directory, "log"), "a");
  try {
    const log = await openLog("info", fd);
    const before = Date.now();
    log("debug", "unsaid");
    log("info", "100%s of\n\u2028 it", { addresses: ["unix:///a"], why: undefined });
    log("error", "second");
    const lines = readFileSync(join(directory, "log"), "utf8").trimEnd().split("\n");
    const [first, second] = lines.map((line) => JSON.parse(line));
    expect(first).toEqual({
      ...{ level: 30, time: expect.any(Number), pid: process.pid },
      ...{ addresses: ["unix:///a"], msg: "100%s of\n\u2028 it" },
    });
    expect(first.time).toBeGreaterThanOrEqual(before);
    expect(second).toMatchObject({ level: 50, msg: "second" });
    expect(lines).toHaveLength(2);
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a log that cannot be written ends nothing", async () => {
  const fd = openSync("/dev/full", "w");
  const log = await openLog("info", fd);
  for (let i = 0; i < 100; i++) log("info", "x".repeat(100_000));
  closeSync(fd);
});
