import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { feed, headerOf, type TarEntry } from "../testing/tar-entries.ts";
import { listTree } from "../testing/tree-listing.ts";
import { type ApplyOptions, TreeApplier } from "./apply.ts";
import { IdMap } from "./id-map.ts";
import { treeSize } from "./size.ts";

let scratch: string;
let root: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "varve-apply-"));
  root = join(scratch, "root");
  mkdirSync(root);
});
afterEach(() => {
  execFileSync("chmod", ["-R", "u+rwx", scratch]);
  rmSync(scratch, { recursive: true, force: true });
});

/** So that directories nobody describes belong to whoever runs the test. */
const idMap = new IdMap(
  [{ container: 0, host: process.geteuid!(), size: 1 }],
  [{ container: 0, host: process.getegid!(), size: 1 }],
);

function apply(entries: readonly TarEntry[], options: Partial<ApplyOptions> = {}) {
  const applier = new TreeApplier(root, { semantics: "overlay", idMap, ...options });
  try {
    const split = feed(applier, entries);
    return { split, ...applier.finish() };
  } catch (error) {
    applier.abort();
    throw error;
  }
}

function paths(): string[] {
  return listTree(root)
    .map(({ path }) => path)
    .filter((path) => path !== ".");
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function withUmask<T>(mask: number, work: () => T): T {
  const before = process.umask(mask);
  try {
    return work();
  } finally {
    process.umask(before);
  }
}

describe("an entry becomes an object", () => {
  const entries: TarEntry[] = [
    { name: "d/", mode: 0o3751, mtime: { seconds: 1_500_000_000, nanoseconds: 123_456_789 } },
    { name: "d/file", mode: 0o4755, content: "content", mtime: { seconds: 1_500_000_001, nanoseconds: 999_999_999 } },
    { name: "d/empty", mode: 0o406 },
    { name: "d/hard", type: "1", linkname: "d/file", mode: 0o4755, mtime: { seconds: 1_500_000_001, nanoseconds: 5 } },
    { name: "d/link", type: "2", linkname: "../nowhere", mtime: { seconds: -5, nanoseconds: 7 } },
    { name: "d/pipe", type: "6", mode: 0o622 },
    { name: "d/link too", type: "1", linkname: "d/link" },
  ];

  for (const umask of [0, 0o022, 0o777])
    test(`with the mode, time and links of its header under umask ${umask.toString(8)}`, () => {
      withUmask(umask, () => apply(entries));
      const records = Object.fromEntries(listTree(root).map((record) => [record.path, record]));
      expect(records.d).toMatchObject({ mode: "3751", mtime: "1500000000.123456789" });
      expect(records["d/file"]).toMatchObject({ mode: "4755", mtime: "1500000001.000000005", size: 7, links: 2 });
      expect(records["d/empty"]).toMatchObject({ kind: "file", mode: "0406", size: 0 });
      expect(records["d/hard"]).toMatchObject({ sameAs: "d/file" });
      expect(records["d/link"]).toMatchObject({ target: "../nowhere", mtime: "-5.000000007", links: 2 });
      expect(records["d/link too"]).toMatchObject({ kind: "symlink", sameAs: "d/link" });
      expect(records["d/pipe"]).toMatchObject({ kind: "fifo", mode: "0622" });
    });

  test("with directories on the way that nobody described", () => {
    withUmask(0o077, () => apply([{ name: "p/q/r", content: "r" }]));
    const modes = ["p", "p/q"].map((path) => statSync(join(root, path)).mode & 0o7777);
    expect(modes).toEqual([0o755, 0o755]);
  });

  test("times that a file cannot have become the epoch, access is no earlier than modification", () => {
    apply([
      { name: "old", mtime: { seconds: -1, nanoseconds: 0 } },
      { name: "far", mtime: { seconds: 9_223_372_037, nanoseconds: 0 } },
      { name: "read", mtime: { seconds: 50, nanoseconds: 1 }, atime: { seconds: 40, nanoseconds: 0 } },
      { name: "later", mtime: { seconds: 50, nanoseconds: 1 }, atime: { seconds: 60, nanoseconds: 2 } },
      { name: "d/", mtime: { seconds: 50, nanoseconds: 1 } },
    ]);
    const times = (name: string) => {
      const { atimeNs, mtimeNs } = lstatSync(join(root, name), { bigint: true });
      return [atimeNs, mtimeNs];
    };
    expect(times("old")).toEqual([0n, 0n]);
    expect(times("far")).toEqual([0n, 0n]);
    expect(times("read")).toEqual([50_000_000_001n, 50_000_000_001n]);
    expect(times("later")).toEqual([60_000_000_002n, 50_000_000_001n]);
    expect(times("d")).toEqual([0n, 50_000_000_001n]);
  });

  test("with its attributes; one that the file system will not have is a warning", () => {
    const warnings: string[] = [];
    apply(
      [
        { name: "f", content: "x", xattrs: { "user.colour": "r\xe9d" } },
        { name: "l", type: "2", linkname: "f", xattrs: { "user.on.link": "1" } },
      ],
      { onWarning: (text) => warnings.push(text) },
    );
    const [, file, link] = listTree(root);
    expect(file?.xattrs).toEqual({ "user.colour": "72e964" });
    expect(link?.xattrs).toEqual({});
    expect(warnings).toEqual(["cannot set user.on.link of l: EPERM"]);
  });

  for (const type of ["7", "S", "V", "M"])
    test(`but type ${type} is refused as Docker refuses it`, () => {
      const number = type.charCodeAt(0);
      expect(() => apply([{ name: "x", type }])).toThrow(`unhandled tar header type ${number}`);
    });

  test("and headers about all others become nothing", () => {
    apply([{ name: "deep/pax_global_header", type: "g" }]);
    expect(paths()).toEqual([]);
  });
});

describe("names and links that point out of the tree stay inside", () => {
  beforeEach(() => {
    mkdirSync(join(scratch, "outside"));
    writeFileSync(join(scratch, "outside/secret"), "secret");
  });
  afterEach(() => {
    expect(readdirSync(join(scratch, "outside"))).toEqual(["secret"]);
    expect(readFileSync(join(scratch, "outside/secret"), "utf8")).toBe("secret");
  });

  test("dots and slashes are clamped at the root", () => {
    apply([{ name: "../../evil" }, { name: "/abs/f" }, { name: "sub/../../up" }, { name: "a//./b" }]);
    expect(paths()).toEqual(["a", "a/b", "abs", "abs/f", "evil", "up"]);
  });

  test("a link in the same layer is followed inside the tree, however it is written", () => {
    apply([
      { name: "real/" },
      { name: "one", type: "2", linkname: "real" },
      { name: "two", type: "2", linkname: "/real" },
      { name: "three", type: "2", linkname: "../../../real" },
      { name: "one/1", content: "1" },
      { name: "two/2", content: "2" },
      { name: "three/3", content: "3" },
    ]);
    expect(readdirSync(join(root, "real"))).toEqual(["1", "2", "3"]);
    expect(readlinkSync(join(root, "two"))).toBe("/real");
  });

  test("a link to a directory outside leads nowhere", () => {
    const entries = [
      { name: "out", type: "2", linkname: join(scratch, "outside") },
      { name: "out/secret", content: "changed" },
    ];
    expect(() => apply(entries)).toThrow(/open \/out\/secret: no such file or directory/);
  });

  test("a hard link is clamped, to what is there or to an error", () => {
    apply([
      { name: "etc/passwd", content: "ours" },
      { name: "h", type: "1", linkname: "../../../../etc/passwd" },
    ]);
    expect(readFileSync(join(root, "h"), "utf8")).toBe("ours");
    expect(() => apply([{ name: "x", type: "1", linkname: "../outside/secret" }])).toThrow(
      "link /outside/secret /x: no such file or directory",
    );
  });

  test("a link in the place of a file is replaced, not written through", () => {
    symlinkSync(join(scratch, "outside/secret"), join(root, "f"));
    apply([{ name: "f", content: "new" }], { semantics: "plain" });
    expect(lstatSync(join(root, "f")).isFile()).toBe(true);
  });

  test("the root is not replaced", () => {
    for (const name of ["/", "..", "a/../.."])
      expect(() => apply([{ name, type: "2", linkname: "/etc" }])).toThrow("would replace the root directory");
    expect(existsSync(root)).toBe(true);
  });
});

describe("whiteouts of a layer in a directory of its own", () => {
  const unprivileged = true;

  test("become devices and attributes of the overlay file system", () => {
    const { split } = apply([{ name: "d/.wh.gone", content: "junk" }, { name: "e/.wh..wh..opq" }], { unprivileged });
    const records = listTree(root);
    expect(records.find(({ path }) => path === "d/gone")).toMatchObject({ kind: "char", device: "0:0", mode: "0000" });
    expect(records.find(({ path }) => path === "e")?.xattrs).toEqual({ "user.overlay.opaque": "79" });
    expect(split).toEqual(["d/.wh.gone"]);
  });

  test("give way to an object that follows, and cannot follow one", () => {
    apply([{ name: ".wh.x" }, { name: "x", content: "x" }], { unprivileged });
    expect(paths()).toEqual(["x"]);
    expect(() => apply([{ name: "y" }, { name: ".wh.y" }], { unprivileged })).toThrow("mknod /.wh.y: file exists");
  });

  for (const name of [".wh.", "d/.wh.", ".wh..", "d/.wh..."])
    test(`${name} is an error`, () => {
      expect(() => apply([{ name }], { unprivileged })).toThrow("file exists");
    });

  test("AUFS's own files are content", () => {
    apply([{ name: ".wh..wh.plnk/1", content: "1" }, { name: ".wh..wh.aufs" }], { unprivileged });
    expect(paths()).toEqual([".wh..wh.plnk", ".wh..wh.plnk/1", ".wh.aufs"]);
  });

  test("stay files where that is asked for", () => {
    const entries = [{ name: "d/.wh.gone", content: "junk" }, { name: "d/.wh..wh..opq" }];
    expect(apply(entries, { semantics: "keep-whiteouts" }).split).toEqual([]);
    expect(paths()).toEqual(["d", "d/.wh..wh..opq", "d/.wh.gone"]);
  });
});

describe("the root entry", () => {
  test("./ is passed over, payload and all; / changes the root", () => {
    apply([{ name: "./", mode: 0o700 }]);
    expect(statSync(root).mode & 0o777).toBe(0o755);
    expect(apply([{ name: ".", content: "x" }]).split).toEqual(["."]);
    apply([{ name: "/", type: "5", mode: 0o711, mtime: { seconds: 7, nanoseconds: 0 } }]);
    expect(statSync(root).mode & 0o777).toBe(0o711);
    expect(statSync(root).mtimeMs).toBe(7000);
  });
});

describe("a layer on the full tree of its parent", () => {
  const layer = (entries: readonly TarEntry[]) => apply(entries, { semantics: "layer" });
  beforeEach(() => {
    mkdirSync(join(root, "d/sub"), { recursive: true });
    writeFileSync(join(root, "d/old"), "old");
    writeFileSync(join(root, "d/sub/deep"), "deep");
    writeFileSync(join(root, "top"), "top");
  });

  test("deletes what its whiteouts name, and what is not there", () => {
    const { split } = layer([{ name: "d/.wh.sub", content: "junk" }, { name: ".wh.top" }, { name: ".wh.nothing" }]);
    expect(paths()).toEqual(["d", "d/old"]);
    expect(split).toEqual(["d/.wh.sub"]);
  });

  test("empties an opaque directory of everything but its own, wherever the mark stands", () => {
    layer([{ name: "d/new", content: "n" }, { name: "d/sub/" }, { name: "d/.wh..wh..opq" }, { name: "d/last" }]);
    expect(paths()).toEqual(["d", "d/last", "d/new", "d/sub", "top"]);
  });

  test("leaves what a link to an opaque directory has", () => {
    layer([{ name: "l", type: "2", linkname: "d" }, { name: "l/.wh..wh..opq" }]);
    expect(paths()).toContain("d/old");
  });

  test("does not mind an opaque mark in what is no directory", () => {
    layer([{ name: "top/.wh..wh..opq" }]);
    expect(readFileSync(join(root, "top"), "utf8")).toBe("top");
  });

  test("gives the times of a directory to what has replaced it through a link", () => {
    const times = { mtime: { seconds: 7, nanoseconds: 0 }, atime: { seconds: 8, nanoseconds: 0 } };
    layer([
      { name: "a", type: "2", linkname: "d" },
      { name: "d/x/", ...times },
      { name: "d/y/", ...times },
      { name: "a/x", content: "file now" },
      { name: "a/y", type: "2", linkname: "sub" },
    ]);
    const mtimes = ["d/x", "d/sub", "d/y"].map((path) => lstatSync(join(root, path)).mtimeMs);
    expect(mtimes).toEqual([7000, 7000, 1_600_000_000_000]);
  });

  test("applies ./ to the root", () => {
    layer([{ name: "./", mode: 0o700, mtime: { seconds: 9, nanoseconds: 1 } }]);
    expect(statSync(root).mode & 0o777).toBe(0o700);
    expect(lstatSync(root, { bigint: true }).mtimeNs).toBe(9_000_000_001n);
  });

  test("may link to a file of the layers below", () => {
    layer([{ name: "hard", type: "1", linkname: "top" }]);
    expect(statSync(join(root, "hard")).ino).toBe(statSync(join(root, "top")).ino);
  });

  test("copies the files of AUFS's store to the links that name them", () => {
    const { split } = layer([
      { name: ".wh..wh.plnk/", mode: 0o700 },
      { name: ".wh..wh.plnk/12.3", content: "stored", mode: 0o640 },
      { name: ".wh..wh.plnk/45.6", content: Buffer.alloc(300_000, "y"), mode: 0o600 },
      { name: "one", type: "1", linkname: ".wh..wh.plnk/12.3", mode: 0o777 },
      { name: "d/two", type: "1", linkname: "./.wh..wh.plnk/12.3" },
      { name: "three", type: "1", linkname: ".wh..wh.plnk/45.6" },
      { name: ".wh..wh.orph/", mode: 0o700 },
    ]);
    expect(split).toEqual([".wh..wh.plnk/12.3", ".wh..wh.plnk/45.6"]);
    expect(paths()).toEqual([".wh..wh.plnk", "d", "d/old", "d/sub", "d/sub/deep", "d/two", "one", "three", "top"]);
    expect(readFileSync(join(root, "one"), "utf8")).toBe("stored");
    expect(readFileSync(join(root, "three")).equals(Buffer.alloc(300_000, "y"))).toBe(true);
    expect(statSync(join(root, "d/two"))).toMatchObject({ nlink: 1, mode: 0o100640 });
    expect(() => layer([{ name: "four", type: "1", linkname: ".wh..wh.plnk/0" }])).toThrow("Invalid aufs hardlink");
  });

  test("cannot delete the root", () => {
    for (const name of [".wh.", ".wh..", ".wh...", "d/.wh..."])
      expect(() => layer([{ name }])).toThrow("would delete the root directory");
    layer([{ name: "d/.wh." }]);
    expect(paths()).toEqual(["top"]);
  });

  test("is as large as its headers say", () => {
    const entries = [
      { name: "a", content: "12345" },
      { name: "l", type: "1", linkname: "a", size: 7 },
    ];
    expect(layer(entries).headerSize).toBe(12);
  });
});

describe("content that could not be saved again is refused", () => {
  /** Else what root makes on the way in a full tree lets nobody else in. */
  const unprivileged = true;
  const cases: Record<string, TarEntry[]> = {
    "a file below what becomes a file": [{ name: "d/f", content: "x" }, { name: "d" }],
    "a file deep below what becomes a link": [
      { name: "d/e/f", content: "x" },
      { name: "d", type: "2", linkname: "/" },
    ],
    "a file that is written over through a link": [
      { name: "real/f", content: "1" },
      { name: "l", type: "2", linkname: "real" },
      { name: "l/f", content: "2" },
    ],
    "a file behind a link that leads nowhere in the end": [
      { name: "real/f", content: "1" },
      { name: "l", type: "2", linkname: "real" },
      { name: "l/g", content: "2" },
      { name: "m", type: "2", linkname: "." },
      { name: "m/l", type: "2", linkname: "nowhere/at/all" },
    ],
    "a file behind a link that is replaced": [
      { name: "real/" },
      { name: "a/l", type: "2", linkname: "/real" },
      { name: "a/l/f", content: "x" },
      { name: "b", type: "2", linkname: "a" },
      { name: "b/l", type: "5" },
    ],
  };
  for (const [what, entries] of Object.entries(cases))
    for (const semantics of ["overlay", "layer", "keep-whiteouts"] as const)
      test(`${what} (${semantics})`, () => {
        expect(() => apply(entries, { semantics, unprivileged })).toThrow(
          "whose content could then not be saved again",
        );
      });

  test("a file that its own layer deletes", () => {
    expect(() => apply([{ name: "x", content: "1" }, { name: ".wh.x" }], { semantics: "layer", unprivileged })).toThrow(
      'a later entry removes or replaces "x"',
    );
    const opaque = [{ name: "d/implied/f", content: "x" }, { name: "d/.wh..wh..opq" }];
    expect(() => apply(opaque, { semantics: "layer", unprivileged })).toThrow(
      'a later entry removes or replaces "d/implied/f"',
    );
  });

  test("but what has no content may go, and so may the names of linked files and all in a plain tree", () => {
    apply([{ name: "d/empty" }, { name: "d/l", type: "2", linkname: "x" }, { name: "d", content: "now a file" }]);
    apply([
      { name: "kept", content: "x" },
      { name: "e/second name", type: "1", linkname: "kept" },
      { name: "e", content: "y" },
    ]);
    apply([{ name: "p/f", content: "x" }, { name: "p" }], { semantics: "plain" });
    expect(paths()).toEqual(["d", "e", "kept", "p"]);
  });

  test("and a file of the layer below may be deleted and made anew", () => {
    mkdirSync(join(root, "d"));
    writeFileSync(join(root, "d/f"), "below");
    apply([{ name: ".wh.d" }, { name: "d/f", content: "above" }], { semantics: "layer", unprivileged });
    expect(readFileSync(join(root, "d/f"), "utf8")).toBe("above");
  });

  test("a link that is replaced by one to the same place takes nothing away", () => {
    apply([
      { name: "real/" },
      { name: "a/l", type: "2", linkname: "/real" },
      { name: "a/l/f", content: "x" },
      { name: "b", type: "2", linkname: "a" },
      { name: "b/l", type: "2", linkname: "../real" },
    ]);
    expect(readFileSync(join(root, "real/f"), "utf8")).toBe("x");
  });
});

describe("sizes that are only declared", () => {
  const huge = { name: "huge", size: 2 ** 40, payloadSize: 4, sparse: [{ offset: 0, length: 4 }] };

  test("become holes", () => {
    const applier = new TreeApplier(root, { semantics: "overlay", idMap, limits: { bytes: 10 } });
    applier.entry(headerOf(huge));
    applier.data(Buffer.from("head"));
    applier.hole(2 ** 40 - 4);
    applier.entryEnd();
    applier.finish();
    expect(statSync(join(root, "huge"))).toMatchObject({ size: 2 ** 40, blocks: 8 });
  });

  test("beyond what the file system can are too large", () => {
    const applier = new TreeApplier(root, { semantics: "overlay", idMap });
    applier.entry(headerOf(huge));
    applier.hole(Number.MAX_SAFE_INTEGER);
    expect(() => applier.entryEnd()).toThrow(/huge: file too large/);
    applier.abort();
  });

  test("long zeros take no room, and come back", () => {
    const content = Buffer.concat([Buffer.from("a"), Buffer.alloc(1 << 20), Buffer.from("b"), Buffer.alloc(1 << 20)]);
    const applier = new TreeApplier(root, { semantics: "overlay", idMap });
    applier.entry(headerOf({ name: "z", content }));
    for (let at = 0; at < content.length; at += 100_000) applier.data(content.subarray(at, at + 100_000));
    applier.entryEnd();
    applier.finish();
    expect(readFileSync(join(root, "z")).equals(content)).toBe(true);
    expect(statSync(join(root, "z")).blocks * 512).toBeLessThan(500_000);
  });

  test("limits stop the rest", () => {
    const many = [{ name: "a", content: "12" }, { name: "b", content: "34" }, { name: "c" }];
    expect(() => apply(many, { limits: { bytes: 3 } })).toThrow("the archive has more than 3 bytes of content");
    const discarded = [{ name: "d/.wh.x", content: "1234" }];
    expect(() => apply(discarded, { semantics: "layer", limits: { bytes: 3 } })).toThrow("more than 3 bytes");
    const copied = [
      { name: ".wh..wh.plnk/1", content: "12" },
      { name: "one", type: "1", linkname: ".wh..wh.plnk/1" },
      { name: "two", type: "1", linkname: ".wh..wh.plnk/1" },
    ];
    expect(() => apply(copied, { semantics: "layer", limits: { bytes: 5 } })).toThrow("more than 5 bytes");
    expect(() => apply(many, { limits: { entries: 2 } })).toThrow("the archive has more than 2 entries");
    apply(many, { semantics: "plain", limits: { bytes: 4, entries: 3 } });
  });
});

describe("without root", () => {
  test("the tree stays its owner's to read and to remove", () => {
    apply(
      [
        { name: "closed/", mode: 0, uid: 12, gid: 34 },
        { name: "closed/f", mode: 0, content: "x", uid: 0, gid: 0 },
        { name: "suid", mode: 0o6711, uid: 0 },
        { name: "sticky/", mode: 0o3777, uid: 0 },
      ],
      { unprivileged: true, idMap: undefined },
    );
    const modes = listTree(root).map(({ path, mode }) => [path, mode]);
    expect(modes.slice(1)).toEqual([
      ["closed", "0700"],
      ["closed/f", "0600"],
      ["sticky", "1777"],
      ["suid", "0711"],
    ]);
    expect(statSync(join(root, "closed/f")).uid).toBe(process.geteuid!());
  });

  test("devices are left out, and links to them", () => {
    const options = { unprivileged: true, semantics: "keep-whiteouts" } as const;
    const entries = [
      { name: "dev/null", type: "3", deviceMajor: 1, deviceMinor: 3 },
      { name: "dev/sda", type: "4", deviceMajor: 8, deviceMinor: 0 },
      { name: "dev/zero", type: "1", linkname: "./dev/null" },
      { name: "dev/again", type: "1", linkname: "dev/zero" },
      { name: "dev/fd", type: "2", linkname: "/proc/self/fd" },
    ];
    apply(entries, options);
    expect(paths()).toEqual(["dev", "dev/fd"]);
  });

  test("attributes that only root may set are left out", () => {
    const xattrs = { "user.a": "1", "trusted.b": "2", "security.capability": "3" };
    apply([{ name: "f", xattrs }], { unprivileged: true });
    expect(listTree(root)[1]?.xattrs).toEqual({ "user.a": "31" });
  });
});

describe("plain files", () => {
  test("replace each other, but not a directory where that is forbidden", () => {
    const options = { semantics: "plain", noOverwriteDirNonDir: true } as const;
    apply([{ name: "d/f", content: "1" }, { name: "d/f", content: "2" }, { name: "d/" }], options);
    expect(readFileSync(join(root, "d/f"), "utf8")).toBe("2");
    expect(() => apply([{ name: "d" }], options)).toThrow('cannot overwrite directory "/d" with non-directory "/"');
    expect(() => apply([{ name: "d/f/" }], options)).toThrow(
      'cannot overwrite non-directory "/d/f" with directory "/"',
    );
  });
});

describe("the applier", () => {
  test("tells the size of what it made, or that it cannot", () => {
    const entries: TarEntry[] = [
      { name: "a", content: "12345" },
      { name: "l", type: "2", linkname: "target" },
      { name: "h", type: "1", linkname: "a" },
      { name: "d/e", content: Buffer.alloc(100_000) },
    ];
    expect(apply(entries).madeSize).toBe(100_011);
    expect(treeSize(root)).toBe(100_011);
    expect(apply([{ name: "h" }], { semantics: "plain" }).madeSize).toBeUndefined();
  });

  test("fails with a code, and leaves nothing open, whatever fails", () => {
    const before = openDescriptors();
    const failing: TarEntry[][] = [
      [{ name: "f" }, { name: "f/g" }],
      [{ name: "x\0y" }],
      [{ name: "n".repeat(300) }],
      [{ name: "a/".repeat(3000) }],
      [{ name: "l", type: "2", linkname: "l" }, { name: "l/x" }],
      [{ name: "l", type: "2", linkname: "" }],
      [{ name: "h", type: "1", linkname: "" }],
      [{ name: "f", content: "x", xattrs: { [`user.${"n".repeat(300)}`]: "1" } }],
    ];
    for (const entries of failing) {
      let caught: unknown;
      try {
        apply(entries, { semantics: "plain" });
      } catch (error) {
        caught = error;
      }
      expect(isVarveError(caught), String(caught)).toBe(true);
    }
    expect(openDescriptors()).toBe(before);
  });

  test("can be aborted in the middle of a file, and twice", () => {
    const before = openDescriptors();
    const applier = new TreeApplier(root, { semantics: "layer", idMap });
    feed(applier, [{ name: ".wh..wh.plnk/1", content: "1" }]);
    applier.entry(headerOf({ name: "f", content: "whole file" }));
    applier.data(Buffer.from("half"));
    applier.abort();
    applier.abort();
    expect(openDescriptors()).toBe(before);
  });
});
