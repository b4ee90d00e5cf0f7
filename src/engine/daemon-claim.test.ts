import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { claimForDaemon } from "./daemon-claim.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-claim-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a second daemon is told who has the root, and may have it afterwards", () => {
  const path = join(directory, "daemon");
  const first = claimForDaemon(path, "varve serve (pid 7)");
  expect(() => claimForDaemon(path, "varve serve (pid 8)")).toThrow(
    "varve serve (pid 7) already serves this data-root: use it with -H, or stop it first",
  );
  first[Symbol.dispose]();
  expect(existsSync(path)).toBe(false);
  claimForDaemon(path, "varve serve (pid 8)")[Symbol.dispose]();
});
