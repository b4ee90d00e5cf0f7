import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BuiltProgram } from "../driver/built-program.ts";

describe("several processes, or a fresh one", () => {
  let scratch: string;
  let program: BuiltProgram;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), "varve-processes-"));
    program = new BuiltProgram(PROGRAM);
  });
  afterAll(() => {
    program[Symbol.dispose]();
    rmSync(scratch, { recursive: true });
  });

  test("never hold an exclusive lock together, also when its holder removes the file", async () => {
    const run = () => spawn(process.execPath, [program.path, "lock", scratch], { stdio: "inherit" });
    expect(await Promise.all(Array.from({ length: 4 }, run).map(exitCode))).toEqual([0, 0, 0, 0]);
  });

  test("load no native code for what only parses", () => {
    expect(execFileSync(process.execPath, [program.path, "load"], { encoding: "utf8" })).toBe("false true\n");
  });
});

const PROGRAM = `
  import { closeSync, openSync, readFileSync, rmSync, unlinkSync } from "node:fs";
  const [what, scratch] = process.argv.slice(2);
  if (what === "lock") {
    const { FileLock } = await import("./dist/sys/lock.js");
    for (let i = 0; i < 400; i++) {
      const held = await FileLock.acquire(scratch + "/lock", "exclusive");
      closeSync(openSync(scratch + "/inside", "wx"));
      unlinkSync(scratch + "/inside");
      if (i % 2) rmSync(scratch + "/lock"); // from here on it guards nothing
      held.release();
    }
  } else {
    await import("./dist/tar/index.js");
    const isLoaded = () => readFileSync("/proc/self/maps", "latin1").includes("koffi");
    const before = isLoaded();
    (await import("./dist/sys/libc.js")).libc();
    console.log(before, isLoaded());
  }
`;

async function exitCode(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, "exit");
  return code;
}
