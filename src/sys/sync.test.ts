import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inUserNamespace, isRoot } from "./rank.ts";
import { syncDirectory, syncFile, syncFileSystem } from "./sync.ts";

test("files, directories and file systems are synced, and what is none of them is an error", () => {
  const path = mkdtempSync(join(tmpdir(), "varve-sync-"));
  const fd = openSync(join(path, "f"), "w");
  syncFile(fd);
  syncDirectory(path);
  syncFileSystem(path);
  syncFileSystem(fd);
  closeSync(fd);
  const errno = (name: string) => expect.objectContaining({ details: expect.objectContaining({ errno: name }) });
  expect(() => syncFile(fd)).toThrow(errno("EBADF"));
  expect(() => syncFileSystem(fd)).toThrow(errno("EBADF"));
  expect(() => syncDirectory(join(path, "f"))).toThrow(errno("ENOTDIR"));
  expect(() => syncFileSystem(join(path, "no"))).toThrow(errno("ENOENT"));
  rmSync(path, { recursive: true });
});

test("rank is that of the process", () => {
  expect(isRoot()).toBe(process.geteuid?.() === 0);
  expect(typeof inUserNamespace()).toBe("boolean");
});
