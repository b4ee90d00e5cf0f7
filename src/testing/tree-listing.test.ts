import { execFileSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareTrees, listTree } from "./tree-listing.ts";

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "varve-listing-"));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

function makeTree(name: string): string {
  const root = join(scratch, name);
  mkdirSync(join(root, "sub"), { recursive: true });
  writeFileSync(join(root, "sub/file"), "content");
  linkSync(join(root, "sub/file"), join(root, "twin"));
  symlinkSync("sub/file", join(root, "link"));
  execFileSync("mkfifo", [join(root, "pipe")]);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x62, 0xff])]), "bytes");
  for (const path of ["sub/file", "pipe", "sub", "."]) utimesSync(join(root, path), 1000, 1000);
  return root;
}

describe("the listing of a tree", () => {
  test("tells kind, mode, size, links, content and target, in order", () => {
    const records = listTree(makeTree("a"));
    expect(records.map((record) => record.path)).toEqual([".", "b\xff", "link", "pipe", "sub", "sub/file", "twin"]);
    expect(records[2]).toMatchObject({ kind: "symlink", target: "sub/file", links: 1 });
    expect(records[3]).toMatchObject({ kind: "fifo", size: 0 });
    expect(records[5]).toMatchObject({
      kind: "file",
      size: 7,
      links: 2,
      mtime: "1000.000000000",
      content: "040f06fd774092478d450774f5ba30c5da78acc8",
    });
    expect(records[6]).toMatchObject({ sameAs: "sub/file" });
  });

  test("two trees made alike differ in nothing but what is ignored", () => {
    const lists = [listTree(makeTree("a")), listTree(makeTree("b"))] as const;
    expect(compareTrees(...lists, ["link:mtime", "b\xff:mtime"])).toEqual([]);
  });

  test("names every difference", () => {
    const before = listTree(makeTree("a"));
    const other = makeTree("b");
    chmodSync(join(other, "sub"), 0o700);
    rmSync(join(other, "pipe"));
    writeFileSync(join(other, "new"), "");
    expect(compareTrees(before, listTree(other), ["mtime"])).toEqual([
      "pipe: missing",
      'sub: mode "0700", expected "0755"',
      "new: unexpected",
    ]);
  });
});
