import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { replaceFile } from "./atomic-file.ts";

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "varve-atomic-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

test("a file gets its content and its mode, whatever the umask, and nothing is left beside it", () => {
  const umask = process.umask(0o077);
  replaceFile(join(path, "a"), "first");
  replaceFile(join(path, "b"), Buffer.from("second"), { mode: 0o644, sync: false });
  process.umask(umask);
  expect(readFileSync(join(path, "a"), "utf8")).toBe("first");
  expect(readFileSync(join(path, "b"), "utf8")).toBe("second");
  expect(statSync(join(path, "a")).mode & 0o7777).toBe(0o600);
  expect(statSync(join(path, "b")).mode & 0o7777).toBe(0o644);
  expect(readdirSync(path).sort()).toEqual(["a", "b"]);
});

test("who has the old file open goes on reading the old content", () => {
  writeFileSync(join(path, "a"), "old");
  symlinkSync("a", join(path, "link"));
  const before = statSync(join(path, "a")).ino;
  replaceFile(join(path, "a"), "new");
  expect(statSync(join(path, "a")).ino).not.toBe(before);
  expect(readFileSync(join(path, "link"), "utf8")).toBe("new");
});

test("an error leaves the old state and no draft", () => {
  mkdirSync(join(path, "taken/inside"), { recursive: true });
  const errno = (name: string) => expect.objectContaining({ details: expect.objectContaining({ errno: name }) });
  expect(() => replaceFile(join(path, "taken"), "x")).toThrow(errno("EISDIR"));
  expect(() => replaceFile(join(path, "no/a"), "x")).toThrow(errno("ENOENT"));
  expect(readdirSync(path)).toEqual(["taken"]);
});
