import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FileLock } from "../sys/lock.ts";
import { temporaryDirectory } from "./temporary.ts";
import { WriteSet } from "./write-set.ts";

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "varve-set-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const descriptors = () => readdirSync("/proc/self/fd").length;
const errno = (name: string) => expect.objectContaining({ details: expect.objectContaining({ errno: name }) });

test.each([true, false])("a set appears whole under its final name (sync: %s)", (sync) => {
  const before = descriptors();
  const files = WriteSet.open(path, { sync });
  expect(readdirSync(path)).toEqual([expect.stringMatching(/^write-set-[0-9]+$/)]);
  expect(statSync(files.path).mode & 0o7777).toBe(0o700);
  files.write("a", "text");
  writeSync(files.file("b"), "streamed");
  files.sync();
  files.write("c", Buffer.from("late"));
  files.commit(join(path, "final"));
  files.cancel();
  expect(readdirSync(path)).toEqual(["final"]);
  expect(readFileSync(join(path, "final/a"), "utf8")).toBe("text");
  expect(readFileSync(join(path, "final/b"), "utf8")).toBe("streamed");
  expect(readFileSync(join(path, "final/c"), "utf8")).toBe("late");
  expect(descriptors()).toBe(before);
});

test("a cancelled set is gone, and so is one whose scope ends uncommitted", () => {
  const before = descriptors();
  {
    using files = WriteSet.open(path, { sync: true });
    files.write("a", "text");
  }
  WriteSet.open(path, { sync: true }).cancel();
  expect(readdirSync(path)).toEqual([]);
  expect(descriptors()).toBe(before);
});

test("a taken target is an error that leaves the set to be cancelled", () => {
  mkdirSync(join(path, "final/inside"), { recursive: true });
  const files = WriteSet.open(path, { sync: true });
  files.write("a", "text");
  expect(() => files.write("a", "again")).toThrow(errno("EEXIST"));
  expect(() => files.commit(join(path, "final"))).toThrow(errno("ENOTEMPTY"));
  expect(readFileSync(join(files.path, "a"), "utf8")).toBe("text");
  files.cancel();
  expect(readdirSync(path)).toEqual(["final"]);
});

test("a set at work is locked, one that is given up is not", () => {
  const files = WriteSet.open(path, { sync: true });
  expect(FileLock.tryAcquire(files.path, "shared")).toBeUndefined();
  files.close();
  const lock = FileLock.tryAcquire(files.path, "exclusive");
  expect(lock).toBeDefined();
  lock?.release();
  expect(() => files.file("a")).toThrow("closed");
});

test("a set cannot be opened where there is no directory", () => {
  expect(() => WriteSet.open(join(path, "no"), { sync: true })).toThrow(errno("ENOENT"));
});

test("a temporary directory goes with its scope, whatever is in it", () => {
  let where: string;
  {
    using scratch = temporaryDirectory(join(path, "made/too"), "work-");
    where = scratch.path;
    expect(where).toMatch(/made\/too\/work-.{6}$/);
    mkdirSync(join(where, "a/b"), { recursive: true });
  }
  expect(readdirSync(join(path, "made/too"))).toEqual([]);
});
