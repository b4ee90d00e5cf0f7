import { describe, expect, test } from "vitest";
import type { FileEntry } from "../../engine/file-view.ts";
import { type ByteString, fromText } from "../../sys/byte-string.ts";
import type { FileKind } from "../../sys/stat.ts";
import { longListing, modeText, shortListing } from "./file-list.ts";

function entry(name: string, fields: Partial<FileEntry> = {}): FileEntry {
  return {
    name: fromText(name),
    kind: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
    inode: "",
    ...fields,
  };
}

describe("a mode", () => {
  test.each<[FileKind, number, string]>([
    ["file", 0o4755, "-rwsr-xr-x"],
    ["file", 0o4644, "-rwSr--r--"],
    ["directory", 0o1777, "drwxrwxrwt"],
    ["directory", 0o1770, "drwxrwx--T"],
    ["char", 0o2010, "c-----s---"],
    ["fifo", 0, "p---------"],
    ["symlink", 0o777, "lrwxrwxrwx"],
  ])("of a %s, %o, is written %s", (kind, mode, text) => {
    expect(modeText({ kind, mode })).toBe(text);
  });
});

describe("a listing", () => {
  test("has a name a line, byte for byte", () => {
    expect(shortListing([entry("é"), { ...entry("x"), name: "\xff" as ByteString }])).toBe(`${fromText("é")}\n\xff\n`);
  });

  test("in long form lines up owners and sizes, and shows devices and links", () => {
    const lines = longListing([
      entry("a", { size: 12345, uid: 1000 }),
      entry("null", { kind: "char", deviceMajor: 1, deviceMinor: 3, mode: 0o666 }),
      entry("link", { kind: "symlink", mode: 0o777, linkTarget: fromText("a") }),
    ]).split("\n");
    const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d`;
    expect(lines[0]).toMatch(new RegExp(`^-rw-r--r-- 1000 0 12345 ${time} a$`));
    expect(lines[1]).toMatch(new RegExp(`^crw-rw-rw-    0 0  1, 3 ${time} null$`));
    expect(lines[2]).toMatch(new RegExp(`^lrwxrwxrwx    0 0     0 ${time} link -> a$`));
  });
});
