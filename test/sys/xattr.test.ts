import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { changeOwnerAt, closeFile, makeNodeAt, openDirectory } from "../../src/sys/at.ts";
import { type ByteString, fromText } from "../../src/sys/byte-string.ts";
import { CURRENT_DIRECTORY } from "../../src/sys/libc.ts";
import { statAt } from "../../src/sys/stat.ts";
import { getXattrAt, listXattrsAt, removeXattrAt, setXattrAt } from "../../src/sys/xattr.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");
const n = fromText;

describe.skipIf(lack)(`what only root may set${lack ?? ""}`, () => {
  let path: string;
  let dir: number;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "varve-xattr-"));
    dir = openDirectory(path);
    writeFileSync(join(path, "f"), "");
    mkdirSync(join(path, "d"));
    symlinkSync("f", join(path, "l"));
  });
  afterEach(() => {
    closeFile(dir);
    rmSync(path, { recursive: true });
  });

  test("attributes of files, directories and links are their own, with values of any bytes", () => {
    const value = Buffer.from([0, 255, 10, 0]);
    for (const name of ["f", "d", "l", "."]) {
      setXattrAt(dir, n(name), "trusted.overlay.opaque", Buffer.from("y"));
      setXattrAt(dir, n(name), "trusted.a", value);
      setXattrAt(dir, n(name), "trusted.empty", Buffer.alloc(0));
      expect(listXattrsAt(dir, n(name))).toEqual(["trusted.a", "trusted.empty", "trusted.overlay.opaque"]);
      expect(getXattrAt(dir, n(name), "trusted.a")).toEqual(value);
      expect(getXattrAt(dir, n(name), "trusted.empty")).toEqual(Buffer.alloc(0));
      removeXattrAt(dir, n(name), "trusted.a");
      removeXattrAt(dir, n(name), "trusted.a");
      expect(getXattrAt(dir, n(name), "trusted.a")).toBeUndefined();
    }
    setXattrAt(dir, n("l"), "trusted.link", value);
    expect(getXattrAt(dir, n("f"), "trusted.link")).toBeUndefined();
    expect(getXattrAt(CURRENT_DIRECTORY, n(join(path, "l")), "trusted.link")).toEqual(value);
  });

  test("attribute names are bytes, and a NUL cuts none short", () => {
    const name = "user.\xff\xc3" as ByteString;
    setXattrAt(dir, n("f"), name, Buffer.from("1"));
    expect(listXattrsAt(dir, n("f"))).toEqual([name]);
    expect(getXattrAt(dir, n("f"), name)).toEqual(Buffer.from("1"));
    expect(() => setXattrAt(dir, n("f"), "user.a\0b", Buffer.from("1"))).toThrow("invalid argument");
  });

  test("a user attribute on a link, a missing file and a file system without attributes are told apart", () => {
    const set = () => setXattrAt(dir, n("l"), "user.a", Buffer.from("1"));
    expect(set).toThrow(expect.objectContaining({ code: "permission" }));
    expect(() => getXattrAt(dir, n("no"), "user.a")).toThrow(expect.objectContaining({ code: "not-found" }));
    expect(() => listXattrsAt(dir, n("no"))).toThrow(expect.objectContaining({ code: "not-found" }));
    expect(listXattrsAt(CURRENT_DIRECTORY, n("/proc/self/status"))).toEqual([]);
    expect(getXattrAt(CURRENT_DIRECTORY, n("/proc/self/status"), "user.a")).toBeUndefined();
  });

  test("a value of 64 KiB is at most refused by the file system, never cut", () => {
    const value = Buffer.alloc(3000, "x");
    setXattrAt(dir, n("f"), "user.long", value);
    expect(getXattrAt(dir, n("f"), "user.long")).toEqual(value);
    expect(() => setXattrAt(dir, n("f"), "user.long", Buffer.alloc(65537))).toThrow(/argument list too long/);
  });

  test("an owner is that of the link, not of its target", () => {
    changeOwnerAt(dir, n("l"), 1001, 4_000_000_000);
    expect(statAt(dir, n("l"))).toMatchObject({ uid: 1001, gid: 4_000_000_000 });
    expect(statAt(dir, n("f"))).toMatchObject({ uid: 0, gid: 0 });
  });

  test.each([
    ["char", 0o020600, 1, 3],
    ["block", 0o060640, 259, 1_000_000],
    ["char", 0o020777, 4095, 255],
  ] as const)("a %s device keeps its numbers", (kind, mode, major, minor) => {
    makeNodeAt(dir, n("node"), mode, major, minor);
    expect(statAt(dir, n("node"))).toMatchObject({ kind, deviceMajor: major, deviceMinor: minor });
    const { rdev } = lstatSync(join(path, "node"));
    expect(rdev).toBe(major * 256 + (minor % 256) + Math.floor(minor / 256) * 2 ** 20);
  });

  test("a device number that the kernel has no room for is refused, not truncated", () => {
    expect(() => makeNodeAt(dir, n("node"), 0o020600, 4096, 0)).toThrow("invalid argument");
    expect(() => makeNodeAt(dir, n("node"), 0o020600, 0, 1 << 20)).toThrow("invalid argument");
    expect(statAt(dir, n("node"))).toBeUndefined();
  });
});
