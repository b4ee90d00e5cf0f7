import {
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { collect } from "../io/byte-source.ts";
import { readTar } from "../testing/tar-entries.ts";
import { changes, changesSize, exportChanges } from "./changes.ts";
import { copyTree } from "./copy-tree.ts";

let scratch: string;
let before: string;
let after: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "varve-changes-"));
  before = join(scratch, "before");
  after = join(scratch, "after");
  mkdirSync(before);
  mkdirSync(after);
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/** The old tree has these files, the new one is a copy of it. */
function begin(...files: string[]): void {
  for (const path of files) write(before, path, path);
  copyTree(before, after, { privileged: false });
}

function write(root: string, path: string, content = ""): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
  utimesSync(join(root, path), 1000, 1000);
}

const LETTERS = { modified: "C", added: "A", deleted: "D" };

function lines(): string[] {
  return changes(after, before).map(({ kind, path }) => `${LETTERS[kind]} ${path}`);
}

describe("changes between two trees", () => {
  test("are none between copies", () => {
    begin("a/b/c", "d");
    expect(lines()).toEqual([]);
  });

  test("name what is new, different and gone, and the directories around it", () => {
    begin("dir/changed", "dir/same", "dir/gone", "other/gone/deep", "top");
    write(after, "dir/changed", "longer than before");
    write(after, "dir/new/file", "new");
    unlinkSync(join(after, "dir/gone"));
    rmSync(join(after, "other/gone"), { recursive: true });
    rmSync(join(after, "top"));
    expect(lines()).toEqual([
      "C /dir",
      "C /dir/changed",
      "A /dir/new",
      "A /dir/new/file",
      "D /dir/gone",
      "C /other",
      "D /other/gone",
      "D /top",
    ]);
  });

  test("a directory is named once, whether it changed itself or not", () => {
    begin("d/e/f");
    chmodSync(join(after, "d"), 0o711);
    write(after, "d/e/f", "longer");
    expect(lines()).toEqual(["C /d", "C /d/e", "C /d/e/f"]);
  });

  test("do not count size, time and links of a directory", () => {
    begin("d/e");
    utimesSync(join(after, "d"), 7, 7);
    expect(lines()).toEqual([]);
  });

  test("a new name of an unchanged file is all that there is to it", () => {
    begin("data/a");
    linkSync(join(after, "data/a"), join(after, "data/hl"));
    expect(lines()).toEqual(["C /data", "A /data/hl"]);
  });

  test("a file in the place of a directory, and the other way round", () => {
    begin("was-dir/x", "was-file");
    rmSync(join(after, "was-dir"), { recursive: true });
    rmSync(join(after, "was-file"));
    write(after, "was-dir");
    write(after, "was-file/y");
    expect(lines()).toEqual(["C /was-dir", "C /was-file", "A /was-file/y"]);
  });

  test("are all additions without an old tree", () => {
    write(after, "a/b");
    expect(changes(after)).toEqual([
      { kind: "added", path: "/a" },
      { kind: "added", path: "/a/b" },
    ]);
  });

  test("pass over an object that is the same on both sides", () => {
    write(before, "file", "x");
    linkSync(join(before, "file"), join(after, "file"));
    chmodSync(join(after, "file"), 0o600);
    expect(lines()).toEqual([]);
  });

  test("names are bytes", () => {
    const name = Buffer.from([0x62, 0xff]);
    writeFileSync(Buffer.concat([Buffer.from(`${after}/`), name]), "");
    expect(lines()).toEqual(["A /b\xff"]);
  });

  const moments: [string, number, number, boolean][] = [
    ["the same", 1000.25, 1000.25, false],
    ["another second", 1000, 1001, true],
    ["the same second, one time without nanoseconds", 1000.5, 1000, false],
    ["the same second, the other without", 1000, 1000.75, false],
    ["the same second, both with nanoseconds", 1000.25, 1000.5, true],
  ];
  for (const [what, old, now, isChange] of moments)
    test(`a time counts: ${what}`, () => {
      for (const [root, time] of [
        [before, old],
        [after, now],
      ] as const) {
        write(root, "file");
        utimesSync(join(root, "file"), time, time);
        symlinkSync("x", join(root, "link"));
        lutimesSync(join(root, "link"), time, time);
      }
      expect(lines()).toEqual(isChange ? ["C /file", "C /link"] : []);
    });

  test("a file of the same size and time is taken for unchanged", () => {
    begin("file");
    write(after, "file", "fild");
    expect(lines()).toEqual([]);
  });
});

describe("the tar of changes", () => {
  async function exported() {
    const tar = await collect(exportChanges(after, changes(after, before)), 1 << 20);
    return readTar(tar).map(({ header, content }) => ({ ...header, content }));
  }

  test("is sorted by whole paths, with whiteouts of now", async () => {
    begin("data/gone", "data/dir/f");
    unlinkSync(join(after, "data/gone"));
    write(after, "data-x", "x");
    write(after, "data/dir/f", "changed");
    const seconds = Date.now() / 1000;
    const entries = await exported();
    expect(entries.map(({ name }) => name)).toEqual(["data/", "data-x", "data/dir/", "data/dir/f", "data/.wh.gone"]);
    const whiteout = entries.find(({ name }) => name === "data/.wh.gone")!;
    expect(whiteout).toMatchObject({ type: "0", mode: 0, uid: 0, gid: 0, userName: "", size: 0 });
    expect(Math.abs(whiteout.mtime.seconds - seconds)).toBeLessThan(5);
  });

  test("has a full copy of a file whose other name did not change", async () => {
    begin("a");
    linkSync(join(after, "a"), join(after, "b"));
    expect(await exported()).toMatchObject([{ name: "b", type: "0", content: "a" }]);
  });

  test("leaves out what has gone since", async () => {
    write(after, "a");
    const found = changes(after, before);
    renameSync(join(after, "a"), join(after, "b"));
    expect(readTar(await collect(exportChanges(after, found), 1 << 20))).toEqual([]);
  });
});

test("the size of changes has every file once, and no directories", () => {
  begin("gone");
  write(after, "a", "12345");
  linkSync(join(after, "a"), join(after, "b"));
  write(after, "d/c", "67");
  symlinkSync("target", join(after, "l"));
  rmSync(join(after, "gone"));
  expect(changesSize(after, changes(after, before))).toBe(5 + 2 + 6);
  expect(statSync(join(after, "a")).nlink).toBe(2);
});
