import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cloneOrCopyFile } from "./copy.ts";

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "varve-copy-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

function copy(size: number): void {
  const source = openSync(join(path, "source"), "r");
  const target = openSync(join(path, "target"), "wx");
  cloneOrCopyFile(source, target, size);
  closeSync(source);
  closeSync(target);
}

test.each([0, 1, 4096, 256 * 1024, 256 * 1024 + 1, 3_000_001])("%i bytes arrive as they are", (size) => {
  const content = Buffer.alloc(size, "some bytes that do not repeat with a page; ");
  writeFileSync(join(path, "source"), content);
  copy(size);
  expect(readFileSync(join(path, "target")).equals(content)).toBe(true);
});

test("no more than the given size is copied, and a source that is too short reads as zeros", () => {
  writeFileSync(join(path, "source"), "0123456789");
  copy(4);
  expect(readFileSync(join(path, "target"), "latin1")).toBe("0123");
  rmSync(join(path, "target"));
  copy(12);
  expect(readFileSync(join(path, "target"), "latin1")).toBe("0123456789\0\0");
});

test("holes stay holes, at the end too, and the data between them arrives", () => {
  const size = 1 << 30;
  const source = openSync(join(path, "source"), "w");
  ftruncateSync(source, size);
  writeSync(source, "first", 100_000_000);
  writeSync(source, "second", 500_000_000);
  closeSync(source);
  copy(size);
  const stat = statSync(join(path, "target"));
  expect(stat.size).toBe(size);
  expect(stat.blocks * 512).toBeLessThan(1 << 20);
  const target = openSync(join(path, "target"), "r");
  const read = (at: number, length: number) => {
    const buffer = Buffer.alloc(length);
    return buffer.toString("latin1", 0, readSync(target, buffer, 0, length, at));
  };
  expect(read(99_999_999, 7)).toBe("\0first\0");
  expect(read(500_000_000, 7)).toBe("second\0");
  closeSync(target);
});

test("a target that cannot be written is an error with its errno", () => {
  writeFileSync(join(path, "source"), "x");
  const source = openSync(join(path, "source"), "r");
  const full = openSync("/dev/full", "w");
  expect(() => cloneOrCopyFile(source, full, 1)).toThrow(expect.objectContaining({ code: "no-space" }));
  closeSync(source);
  closeSync(full);
});
