import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ByteString } from "../sys/byte-string.ts";
import { CURRENT_DIRECTORY } from "../sys/libc.ts";
import { setXattrAt } from "../sys/xattr.ts";
import { feed } from "../testing/tar-entries.ts";
import { compareTrees, listTree } from "../testing/tree-listing.ts";
import { TreeApplier } from "./apply.ts";
import { copyTree } from "./copy-tree.ts";
import { IdMap } from "./id-map.ts";

const idMap = new IdMap(
  [{ container: 0, host: process.geteuid!(), size: 1 }],
  [{ container: 0, host: process.getegid!(), size: 1 }],
);

let source: string;
let target: string;
beforeEach(() => {
  source = mkdtempSync(join(tmpdir(), "varve-copy-"));
  target = mkdtempSync(join(tmpdir(), "varve-copy-"));
});
afterEach(() => {
  rmSync(source, { recursive: true, force: true });
  rmSync(target, { recursive: true, force: true });
});

describe("the copy of a tree", () => {
  test("equals it in type, mode, times, links and content", () => {
    const applier = new TreeApplier(source, { semantics: "plain", idMap });
    feed(applier, [
      { name: "/", type: "5", mode: 0o2751, mtime: { seconds: 3, nanoseconds: 4 } },
      { name: "d/", mode: 0o1777, mtime: { seconds: -5, nanoseconds: 7 } },
      {
        name: "d/f",
        mode: 0o4755,
        content: Buffer.alloc(200_000, "f"),
        mtime: { seconds: 9, nanoseconds: 123_456_789 },
      },
      { name: "d/e/h", type: "1", linkname: "d/f", mode: 0o4755, mtime: { seconds: 9, nanoseconds: 123_456_789 } },
      { name: "d/empty", mode: 0o400 },
      { name: "d/l", type: "2", linkname: "/no/where", mtime: { seconds: -9, nanoseconds: 1 } },
      { name: "d/p", type: "6", mode: 0o622 },
      { name: "d/b\xff" },
    ]);
    applier.finish();
    copyTree(source, target, { privileged: false });
    const list = listTree(source);
    expect(list.find(({ path }) => path === "d")?.mtime).toBe("0.000000000");
    expect(compareTrees(list, listTree(target))).toEqual([]);
    expect(list).toHaveLength(9);
  });

  test("makes pipes of sockets, and leaves attributes behind", async () => {
    writeFileSync(join(source, "f"), "");
    setXattrAt(CURRENT_DIRECTORY, join(source, "f") as ByteString, "user.a", Buffer.from("1"));
    const server = createServer().listen(join(source, "s"));
    await new Promise((resolve) => server.once("listening", resolve));
    copyTree(source, target, { privileged: false });
    server.close();
    expect(listTree(target).map(({ path, kind, xattrs }) => [path, kind, xattrs])).toEqual([
      [".", "directory", {}],
      ["f", "file", {}],
      ["s", "fifo", {}],
    ]);
  });

  test("keeps links as they are, and follows none", () => {
    mkdirSync(join(source, "d"));
    writeFileSync(join(source, "d/f"), "x");
    symlinkSync("d", join(source, "l"));
    linkSync(join(source, "d/f"), join(source, "z"));
    copyTree(source, target, { privileged: false });
    expect(readdirSync(target).sort()).toEqual(["d", "l", "z"]);
    expect(compareTrees(listTree(source), listTree(target))).toEqual([]);
  });

  test("stops with a code where something is in the way, and leaves nothing open", () => {
    writeFileSync(join(source, "f"), "x");
    mkdirSync(join(target, "f"));
    const before = readdirSync("/proc/self/fd").length;
    expect(() => copyTree(source, target, { privileged: false })).toThrow(
      expect.objectContaining({ code: "already-exists" }),
    );
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });

  test("of nothing is nothing", () => {
    execFileSync("rmdir", [source]);
    expect(() => copyTree(source, target, { privileged: false })).toThrow(
      expect.objectContaining({ code: "not-found" }),
    );
  });
});
