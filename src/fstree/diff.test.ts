import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { collect } from "../io/byte-source.ts";
import { closeFile, makeWhiteoutAt, openDirectory } from "../sys/at.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { CURRENT_DIRECTORY } from "../sys/libc.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { setXattrAt } from "../sys/xattr.ts";
import type { Header } from "../tar/header.ts";
import { feed, readTar, type TarEntry } from "../testing/tar-entries.ts";
import { compareTrees, listTree } from "../testing/tree-listing.ts";
import { TreeApplier } from "./apply.ts";
import { type TreeDiffOptions, treeDiff } from "./diff.ts";
import { IdMap } from "./id-map.ts";

const self = { uid: process.geteuid!(), gid: process.getegid!() };
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "varve-diff-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function pack(options: Partial<TreeDiffOptions> = {}): Promise<Buffer> {
  return collect(treeDiff(root, { overlay: false, ...options }), 64 << 20);
}

async function packed(options: Partial<TreeDiffOptions> = {}) {
  return readTar(await pack(options)).map(({ header, content }) => ({ ...header, content }));
}

function write(path: string, content = ""): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), content);
}

function makeWhiteout(path: string): void {
  const fd = openDirectory(join(root, path, ".."));
  makeWhiteoutAt(fd, path.split("/").at(-1) as ByteString);
  closeFile(fd);
}

function makeOpaque(path: string, attribute = "user.overlay.opaque"): void {
  mkdirSync(join(root, path), { recursive: true });
  setXattrAt(CURRENT_DIRECTORY, join(root, path) as ByteString, attribute, Buffer.from("y"));
}

describe("the tar of a tree", () => {
  test("has everything but the root, names sorted directory by directory", async () => {
    write("a/b");
    write("a-x");
    write("a.d/z");
    symlinkSync("a", join(root, "link"));
    const names = (await packed()).map(({ name, type }) => [name, type]);
    expect(names).toEqual([
      ["a/", "5"],
      ["a/b", "0"],
      ["a-x", "0"],
      ["a.d/", "5"],
      ["a.d/z", "0"],
      ["link", "2"],
    ]);
  });

  test("says of an object what Docker says", async () => {
    write("file", "content");
    utimesSync(join(root, "file"), 5, 1234.9);
    const [file] = await packed();
    expect(file).toMatchObject({
      mode: 0o100644,
      size: 7,
      content: "content",
      mtime: { seconds: 1234, nanoseconds: 0 },
    });
    expect(file).toMatchObject({ ...self, format: "ustar", linkname: "", deviceMajor: 0 });
    if (self.uid === 0) expect(file).toMatchObject({ userName: "root", groupName: "root" });
  });

  test("ends with two blocks of zeros and nothing else", async () => {
    expect(await pack()).toEqual(Buffer.alloc(1024));
  });

  test("has the second name of a file, or of a link, as a hard link without content", async () => {
    write("b", "once");
    linkSync(join(root, "b"), join(root, "a"));
    symlinkSync("x", join(root, "l"));
    linkSync(join(root, "l"), join(root, "m"));
    const entries = (await packed()).map(({ name, type, linkname, content }) => [name, type, linkname, content]);
    expect(entries).toEqual([
      ["a", "0", "", "once"],
      ["b", "1", "a", ""],
      ["l", "2", "x", ""],
      ["m", "1", "l", ""],
    ]);
  });

  test("has no sockets", async () => {
    const server = createServer().listen(join(root, "socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    expect(readdirSync(root)).toEqual(["socket"]);
    expect(await packed()).toEqual([]);
    server.close();
  });

  test("carries files of any length through its window", async () => {
    const sizes = [0, 1, 511, 512, 513, 262_144 - 512, 262_144, 262_145, 1_000_000];
    for (const size of sizes) write(String(size).padStart(8, "0"), "x".repeat(size));
    const entries = await packed();
    expect(entries.map(({ content }) => content.length)).toEqual(sizes);
  });

  test("lets go of everything when nobody wants the rest", async () => {
    write("a", "x".repeat(1_000_000));
    const before = readdirSync("/proc/self/fd").length;
    for await (const chunk of treeDiff(root, { overlay: false })) {
      expect(chunk.length).toBe(262_144);
      break;
    }
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });

  test("fails when a file gets shorter under way", async () => {
    write("a", "x".repeat(1_000_000));
    const cut = async () => {
      for await (const _ of treeDiff(root, { overlay: false })) {
        const fd = openSync(join(root, "a"), "r+");
        ftruncateSync(fd, 300_000);
        closeSync(fd);
      }
    };
    await expect(cut()).rejects.toMatchObject({ code: "conflict", message: "a got shorter while it was read" });
  });

  test("has container ids, and names the file that has none", async () => {
    write("f");
    const map = (uid: number) =>
      new IdMap(
        [{ container: 0, host: uid, size: 10 }],
        [
          { container: 7, host: self.gid, size: 1 },
          { container: 0, host: 1, size: 7 },
        ],
      );
    const [file] = await packed({ idMap: map(self.uid) });
    expect(file).toMatchObject({ uid: 0, gid: 7 });

    await expect(pack({ idMap: map(self.uid + 1) })).rejects.toMatchObject({ code: "unsupported" });
    const skipped: string[] = [];
    const rest = await packed({ idMap: map(self.uid + 1), onSkip: (path, { message }) => skipped.push(path, message) });
    expect(rest).toEqual([]);
    expect(skipped).toEqual(["f", `Host ID ${self.uid} cannot be mapped to a container ID`]);
  });

  test("takes the owners' names from the tree itself where that is asked for", async () => {
    write("etc/passwd", `nobody special:x:${self.uid + 1}:\nfirst:x:${self.uid}:::\nsecond:x:${self.uid}:::\nbroken\n`);
    write("etc/group", `wheel:x:${self.gid}:\n`);
    const [, file] = await packed({ accounts: "tree" });
    expect(file).toMatchObject({ name: "etc/group", groupName: "wheel" });
    if (self.uid === 0) expect(file?.userName).toBe("root");
    rmSync(join(root, "etc/group"));
    symlinkSync("/etc/group", join(root, "etc/group"));
    expect((await packed({ accounts: "tree" }))[0]?.groupName).toBe("");
    rmSync(join(root, "etc/group"));
    write("etc/group");
    truncateSync(join(root, "etc/group"), 2 ** 40);
    let first: Header | undefined;
    for await (const chunk of treeDiff(root, { overlay: false, accounts: "tree" })) {
      first = readTar(Buffer.concat([chunk.subarray(0, 512), Buffer.alloc(1024)]))[0]?.header;
      break;
    }
    expect(first).toMatchObject({ name: "etc/", groupName: "" });
  });
});

describe("the tar of an overlay's upper directory", () => {
  test("has whiteouts for devices 0:0; the kernel's are links of one", async () => {
    write("d/z");
    makeWhiteout("d/a");
    linkSync(join(root, "d/a"), join(root, "d/b"));
    const entries = (await packed({ overlay: true })).map(({ name, type, mode, linkname }) => [
      name,
      type,
      mode,
      linkname,
    ]);
    expect(entries).toEqual([
      ["d/", "5", 0o40755, ""],
      ["d/.wh.a", "0", 0o600, ""],
      ["d/.wh.b", "0", 0o600, "d/a"],
      ["d/z", "0", 0o100644, ""],
    ]);
    expect((await packed()).map(({ name, type }) => [name, type])).toContainEqual(["d/a", "3"]);
  });

  for (const attribute of ["user.overlay.opaque", "user.fuseoverlayfs.opaque"])
    test(`has the mark of an opaque directory (${attribute}) once, behind it`, async () => {
      makeOpaque("d", attribute);
      write("d/-/x");
      write("d/.wh..wh..opq");
      makeWhiteout("d/.wh..opq");
      const entries = (await packed({ overlay: true })).map(({ name, mode, mtime }) => [name, mode, mtime.seconds > 0]);
      expect(entries).toEqual([
        ["d/", 0o40755, true],
        ["d/.wh..wh..opq", 0o755, false],
        ["d/-/", 0o40755, true],
        ["d/-/x", 0o100644, true],
      ]);
    });

  test("does not map the owners of whiteouts", async () => {
    makeWhiteout("gone");
    const idMap = new IdMap(
      [{ container: 0, host: self.uid + 1, size: 1 }],
      [{ container: 0, host: self.gid, size: 1 }],
    );
    expect(await packed({ overlay: true, idMap })).toMatchObject([{ name: ".wh.gone", uid: self.uid }]);
  });
});

test("a tree comes out of its tar again", async () => {
  const component = fc.constantFrom("a", "b", "long-".repeat(30), "\xff\xfe", "x y");
  const entry: fc.Arbitrary<TarEntry> = fc.record({
    name: fc.array(component, { minLength: 1, maxLength: 5 }).map((components) => components.join("/")),
    type: fc.constantFrom("0", "0", "5", "2", "6"),
    linkname: fc.constantFrom("a", "../\xe9", "t".repeat(150)),
    mode: fc.nat({ max: 0o7777 }).map((mode) => mode | 0o700),
    content: fc.string({ maxLength: 1000 }),
    mtime: fc.record({ seconds: fc.nat(), nanoseconds: fc.constant(0) }),
  });
  const [first, second] = [join(root, "1"), join(root, "2")];
  const ids = new IdMap([{ container: 0, host: self.uid, size: 1 }], [{ container: 0, host: self.gid, size: 1 }]);
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 10 }), async (entries) => {
      removeTree(first);
      removeTree(second);
      mkdirSync(first);
      mkdirSync(second);
      const apply = (directory: string, each: readonly TarEntry[]) => {
        const applier = new TreeApplier(directory, { semantics: "plain", idMap: ids });
        feed(applier, each);
        applier.finish();
      };
      apply(first, withoutConflicts(entries));
      const tar = await collect(treeDiff(first, { overlay: false }), 64 << 20);
      apply(
        second,
        readTar(tar).map(({ header, content }) => ({ ...header, content: Buffer.from(content, "latin1") })),
      );
      const isUndated = ({ mtime }: { mtime: string }) => mtime.endsWith(".000000000");
      const dated = listTree(first).map((record) => (isUndated(record) ? record : { ...record, mtime: "" }));
      const again = listTree(second).map((record, index) =>
        dated[index]?.mtime === "" ? { ...record, mtime: "" } : record,
      );
      expect(compareTrees(dated, again)).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

/** No name twice, nothing below what is no directory, content in files only. */
function withoutConflicts(entries: readonly TarEntry[]): TarEntry[] {
  const kept: TarEntry[] = [];
  for (const entry of entries) {
    const conflicts = kept.some(
      ({ name, type }) =>
        name === entry.name ||
        (type !== "5" && entry.name.startsWith(`${name}/`)) ||
        (entry.type !== "5" && name.startsWith(`${entry.name}/`)),
    );
    if (!conflicts) kept.push(entry.type === "0" ? entry : { ...entry, content: "" });
  }
  return kept;
}
