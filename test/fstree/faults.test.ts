import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ApplyOptions, TreeApplier } from "../../src/fstree/apply.ts";
import { changes } from "../../src/fstree/changes.ts";
import { copyTree } from "../../src/fstree/copy-tree.ts";
import { mount, mountPointsBelow, unmount } from "../../src/sys/mount.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { feed, type TarEntry } from "../../src/testing/tar-entries.ts";
import { compareTrees, listTree } from "../../src/testing/tree-listing.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");

let scratch: string;
let root: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "varve-faults-"));
  root = join(scratch, "root");
  mkdirSync(root);
});
afterEach(() => {
  for (const point of mountPointsBelow(scratch).reverse()) unmount(point);
  removeTree(scratch);
});

function apply(entries: readonly TarEntry[], options: Partial<ApplyOptions> = {}): void {
  const applier = new TreeApplier(root, { semantics: "overlay", ...options });
  try {
    feed(applier, entries);
    applier.finish();
  } catch (error) {
    applier.abort();
    throw error;
  }
}

function onFileSystem(type: string, data: string, flags = 0): void {
  mount({ source: type, target: root, type, data, flags });
}

const MS_RDONLY = 1;

describe.skipIf(lack)(`a file system that will not${lack ?? ""}`, () => {
  const failures: [string, string, string, TarEntry[]][] = [
    ["a full disk", "size=1m", "no-space", [{ name: "big", content: Buffer.alloc(2 << 20, "x") }]],
    ["no inode left", "nr_inodes=10", "no-space", Array.from({ length: 20 }, (_, i) => ({ name: `f${i}` }))],
    ["no inode left for a directory on the way", "nr_inodes=5", "no-space", [{ name: "a/b/c/d/e/f/g" }]],
  ];
  for (const [what, data, code, entries] of failures)
    test(`${what} is ${code}, closes everything, and the tree can go`, () => {
      onFileSystem("tmpfs", data);
      const before = readdirSync("/proc/self/fd").length;
      expect(() => apply(entries)).toThrow(expect.objectContaining({ code }));
      expect(readdirSync("/proc/self/fd").length).toBe(before);
      for (const name of readdirSync(root)) removeTree(join(root, name));
      expect(readdirSync(root)).toEqual([]);
    });

  test("a full disk is told with the file and without the tar", () => {
    onFileSystem("tmpfs", "size=1m");
    const entries = [{ name: "./dir/../big", content: Buffer.alloc(2 << 20, "x") }];
    expect(() => apply(entries)).toThrow("write /big: no space left on device");
  });

  test("a full disk stops AUFS's store, and a copy", () => {
    onFileSystem("tmpfs", "size=1m");
    const stored = [{ name: ".wh..wh.plnk/1", content: Buffer.alloc(2 << 20, "x") }];
    expect(() => apply(stored, { semantics: "layer" })).toThrow(expect.objectContaining({ code: "no-space" }));
    expect(readdirSync(root)).toEqual([".wh..wh.plnk"]);
    const source = join(scratch, "source");
    mkdirSync(source);
    const whole = new TreeApplier(source, { semantics: "plain" });
    feed(whole, [{ name: "big", content: Buffer.alloc(2 << 20, "x") }]);
    whole.finish();
    expect(() => copyTree(source, root, { privileged: true })).toThrow(expect.objectContaining({ code: "no-space" }));
  });

  test("a disk that is read-only is a matter of permission", () => {
    onFileSystem("tmpfs", "", MS_RDONLY);
    expect(() => apply([{ name: "a" }])).toThrow(expect.objectContaining({ code: "permission" }));
  });

  test("no room for attributes is a warning", () => {
    onFileSystem("ramfs", "");
    const warnings: string[] = [];
    apply([{ name: "a", content: "x", xattrs: { "user.one": "1" } }], { onWarning: (text) => warnings.push(text) });
    expect(warnings).toEqual(["cannot set user.one of a: ENOTSUP"]);
    expect(readFileSync(join(root, "a"), "utf8")).toBe("x");
  });

  test("what declares more than there is takes no room", () => {
    onFileSystem("tmpfs", "size=1m");
    apply([{ name: "zeros", content: Buffer.alloc(64 << 20) }]);
    expect(statSync(join(root, "zeros")).size).toBe(64 << 20);
  });
});

describe.skipIf(lack)(`as root${lack ?? ""}`, () => {
  test("capabilities are kept through a change of owner, and lost to a hard link that has none", () => {
    const xattrs = {
      "security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    };
    apply([
      { name: "a", uid: 1000, content: "x", xattrs },
      { name: "b", uid: 1000, content: "x", xattrs },
      { name: "c", type: "1", linkname: "b", uid: 1000 },
    ]);
    const kept = listTree(root).filter((record) => record.xattrs["security.capability"] !== undefined);
    expect(kept.map(({ path }) => path)).toEqual(["a"]);
  });

  test("a copy has owners, devices and capabilities too, and differs in nothing", () => {
    const xattrs = {
      "security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    };
    apply([
      { name: "a", uid: 1000, gid: 7, mode: 0o6755, content: "x", xattrs },
      { name: "d/", uid: 3, mode: 0o3777 },
      { name: "d/null", type: "3", deviceMajor: 1, deviceMinor: 3, mode: 0o666 },
      { name: "d/loop", type: "4", deviceMajor: 7, deviceMinor: 300 },
      { name: "d/l", type: "2", linkname: "x", uid: 4 },
    ]);
    const copy = join(scratch, "copy");
    mkdirSync(copy);
    copyTree(root, copy, { privileged: true });
    expect(compareTrees(listTree(root), listTree(copy))).toEqual([]);
    expect(changes(copy, root)).toEqual([]);
  });

  test("a change of capabilities alone is a change", () => {
    apply([{ name: "a", content: "x" }]);
    const copy = join(scratch, "copy");
    mkdirSync(copy);
    copyTree(root, copy, { privileged: true });
    const xattrs = {
      "security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    };
    apply([{ name: "a", content: "x", xattrs }], { semantics: "plain" });
    expect(changes(root, copy)).toEqual([{ kind: "modified", path: "/a" }]);
  });

  test("objects that are born to their owner get him in a directory that passes its group on", () => {
    const umask = process.umask(0o077);
    apply([
      { name: "shared/", gid: 50, mode: 0o2775 },
      { name: "shared/file", gid: 0, mode: 0o644 },
      { name: "shared/dir/", gid: 0, mode: 0o755 },
      { name: "shared/implied/file", gid: 0 },
    ]);
    process.umask(umask);
    const owners = listTree(root).map(({ path, owner, mode }) => `${path} ${owner} ${mode}`);
    expect(owners.slice(1)).toEqual([
      "shared 0:50 2775",
      "shared/dir 0:0 0755",
      "shared/file 0:0 0644",
      "shared/implied 0:0 2755",
      "shared/implied/file 0:0 0644",
    ]);
  });
});
