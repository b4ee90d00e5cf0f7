import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");
const NOBODY = 65_534;

describe.skipIf(lack)(`rootless for an ordinary user${lack ?? ""}`, () => {
  test("keeps all the promises that it keeps for root", () => {
    const scratch = mkdtempSync(join(tmpdir(), "driver-user-"));
    chownSync(scratch, NOBODY, NOBODY);
    try {
      const run = spawnSync(
        "setpriv",
        [
          ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--inh-caps=-all", "--"],
          ...[process.execPath, "node_modules/vitest/vitest.mjs", "run", "--project", "unit", "--reporter=json"],
          ...["--no-cache", "src/driver/rootless", "src/driver/select.test.ts"],
        ],
        { encoding: "utf8", env: { PATH: process.env.PATH, HOME: scratch, TMPDIR: scratch } },
      );
      expect(run.status, run.stdout + run.stderr).toBe(0);
      const report = JSON.parse(run.stdout.slice(run.stdout.indexOf("{"))) as { numPassedTests: number };
      expect(report.numPassedTests).toBeGreaterThan(15);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});
