import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { lackingUserNamespace } from "./kernel-support.ts";

const NOBODY = 65_534;
const lack = lacking("root", "setpriv");
const namespaceLack = lack ?? lackingUserNamespace();

describe.skipIf(lack)(`an ordinary user${lack ?? ""}`, () => {
  let scratch: string;
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), "driver-user-"));
    chownSync(scratch, NOBODY, NOBODY);
  });
  afterEach(() => rmSync(scratch, { recursive: true }));

  /** Runs tests as a user without any rights and gives the number of those that passed; none may fail. */
  function runTests(wrapper: string[], ...args: string[]): number {
    const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--inh-caps=-all", "--"];
    const vitest = [process.execPath, "node_modules/vitest/vitest.mjs", "run", "--reporter=json"];
    // Whatever vitest would write besides, this user may not.
    const run = spawnSync("setpriv", [...user, ...wrapper, ...vitest, "--configLoader=runner", "--no-cache", ...args], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, HOME: scratch, TMPDIR: scratch },
    });
    expect(run.status, run.stdout + run.stderr).toBe(0);
    return (JSON.parse(run.stdout.slice(run.stdout.indexOf("{"))) as { numPassedTests: number }).numPassedTests;
  }

  test("has everything that the rootless driver promises", () => {
    expect(runTests([], "--project=unit", "src/driver/rootless", "src/driver/select.test.ts")).toBeGreaterThan(20);
  });

  test.skipIf(namespaceLack)(`has overlay2 in a user namespace, by way of mounts${namespaceLack ?? ""}`, () => {
    const namespace = ["unshare", "--user", "--map-root-user", "--mount"];
    const stacks = ["--project=system", "test/driver/overlay2.test.ts", "-t", "driver overlay2 stacks"];
    expect(runTests(namespace, ...stacks)).toBe(10);
  });
});
