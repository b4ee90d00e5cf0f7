import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { enlargePipe } from "./pipe.ts";

test("a pipe takes a megabyte from a writer whose reader does nothing", async () => {
  const path = join(tmpdir(), `varve-pipe-${process.pid}`);
  execFileSync("mkfifo", [path]);
  const pipe = openSync(path, "r+");
  try {
    enlargePipe(pipe);
    const child = spawn("head", ["-c", `${1 << 20}`, "/dev/zero"], { stdio: ["ignore", pipe, "ignore"] });
    expect(await once(child, "close")).toEqual([0, null]);
  } finally {
    closeSync(pipe);
    rmSync(path);
  }
});

test("what is no pipe stays as it is", () => {
  const file = openSync("/dev/null", "w");
  enlargePipe(file);
  closeSync(file);
  enlargePipe(file);
});
