import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";

const NOBODY = 65_534;
const lack = lacking("root", "setpriv");

describe.skipIf(lack)(`the tests of sys/ and io/${lack ?? ""}`, () => {
  test("pass for a user without any rights, whom directories can shut out", () => {
    const scratch = mkdtempSync(join(tmpdir(), "varve-user-"));
    chownSync(scratch, NOBODY, NOBODY);
    try {
      const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--inh-caps=-all", "--"];
      const vitest = [process.execPath, "node_modules/vitest/vitest.mjs", "run", "--project=unit", "--reporter=json"];
      const run = spawnSync(
        "setpriv",
        [...user, ...vitest, "--configLoader=runner", "--no-cache", "src/sys", "src/io"],
        { encoding: "utf8", env: { PATH: process.env.PATH, HOME: scratch, TMPDIR: scratch } },
      );
      expect(run.status, run.stdout + run.stderr).toBe(0);
      const report = JSON.parse(run.stdout.slice(run.stdout.indexOf("{"))) as { numPassedTests: number };
      expect(report.numPassedTests).toBeGreaterThan(200);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});
