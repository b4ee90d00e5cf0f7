import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readWholeFile } from "./whole-file.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-whole-file-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

test("a file is read whole, up to the limit", () => {
  const path = join(directory, "file");
  writeFileSync(path, "12345");
  expect(readWholeFile(path, 5)).toEqual(Buffer.from("12345"));
  expect(() => readWholeFile(path, 4)).toThrow(expect.objectContaining({ code: "too-large" }));
});

test("no file is nothing", () => {
  expect(readWholeFile(join(directory, "none"), 5)).toBeUndefined();
});

test("neither a pipe nor a directory is waited for or read", () => {
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const path of [pipe, directory])
    expect(() => readWholeFile(path, 5)).toThrow(expect.objectContaining({ code: "corrupt" }));
});
