import {
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { closeFile, makeDirectoryAt, openAt, openDirectory } from "./at.ts";
import { type ByteString, fromText } from "./byte-string.ts";
import { removeTree, removeTreeAt } from "./remove-tree.ts";

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "varve-remove-"));
});
afterEach(() => removeTree(path));

test("a tree goes whole, and what is beside it stays", () => {
  mkdirSync(join(path, "tree/a/b"), { recursive: true });
  mkdirSync(join(path, "tree/a/c"), { recursive: true });
  for (let i = 0; i < 700; i++) symlinkSync("x", join(path, `tree/a/b/${"long".repeat(50)}-${i}`));
  writeFileSync(join(path, "tree/file"), "x");
  writeFileSync(join(path, "tree2"), "x");
  removeTree(join(path, "tree"));
  expect(readdirSync(path)).toEqual(["tree2"]);
});

test("files, links, and nothing at all are removed as well as directories", () => {
  writeFileSync(join(path, "file"), "x");
  removeTree(join(path, "file"));
  removeTree(join(path, "file"));
  removeTree(join(path, "no/such/place"));
  removeTree(Buffer.from(join(path, "no-such")));
  expect(readdirSync(path)).toEqual([]);
});

test("links are removed and never followed, a final slash or not", () => {
  mkdirSync(join(path, "outside"));
  writeFileSync(join(path, "outside/kept"), "kept");
  mkdirSync(join(path, "tree"));
  symlinkSync("../outside", join(path, "tree/link"));
  symlinkSync("../outside/kept", join(path, "tree/file-link"));
  symlinkSync("outside", join(path, "top"));
  removeTree(join(path, "tree"));
  removeTree(join(path, "top//"));
  expect(readFileSync(join(path, "outside/kept"), "utf8")).toBe("kept");
  expect(readdirSync(path)).toEqual(["outside"]);
});

test("a tree deeper than any path is removed", () => {
  const name = fromText("some-directory");
  let dir = openDirectory(path);
  for (let depth = 0; depth < 1000; depth++) {
    makeDirectoryAt(dir, name, 0o755);
    if (depth % 100 === 0) closeFile(openAt(dir, fromText("f"), constants.O_WRONLY | constants.O_CREAT, 0o600));
    const below = openAt(dir, name, constants.O_RDONLY | constants.O_DIRECTORY);
    closeFile(dir);
    dir = below;
  }
  closeFile(dir);
  const before = readdirSync("/proc/self/fd").length;
  removeTree(join(path, "some-directory"));
  expect(readdirSync(path)).toEqual(["f"]);
  expect(readdirSync("/proc/self/fd")).toHaveLength(before);
});

test("own directories that forbid everything are removed", () => {
  mkdirSync(join(path, "tree/shut/inner"), { recursive: true });
  writeFileSync(join(path, "tree/shut/inner/file"), "x");
  mkdirSync(join(path, "tree/read-only"));
  writeFileSync(join(path, "tree/read-only/file"), "x");
  chmodSync(join(path, "tree/read-only"), 0o555);
  chmodSync(join(path, "tree/shut/inner"), 0);
  chmodSync(join(path, "tree/shut"), 0);
  chmodSync(join(path, "tree"), 0o400);
  removeTree(join(path, "tree"));
  expect(readdirSync(path)).toEqual([]);
});

test("names of any bytes are removed", () => {
  const dir = openDirectory(path);
  makeDirectoryAt(dir, "\xff\n" as ByteString, 0o755);
  removeTreeAt(dir, "\xff\n" as ByteString);
  expect(existsSync(path)).toBe(true);
  expect(readdirSync(path)).toEqual([]);
  closeFile(dir);
});
