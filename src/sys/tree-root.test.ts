import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  readSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errnoOf, VarveError } from "../errors.ts";
import { closeFile, makeNodeAt, openDirectory } from "./at.ts";
import { type ByteString, fromText } from "./byte-string.ts";
import { removeTree } from "./remove-tree.ts";
import { statAt, statFile } from "./stat.ts";
import { cleanName, TreeRoot } from "./tree-root.ts";

const n = fromText;
let outside: string;
let path: string;

/** Beside the tree lies `evil`, which nothing in a test may reach. */
beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), "varve-root-"));
  path = join(outside, "tree");
  mkdirSync(path);
  mkdirSync(join(outside, "evil"));
  writeFileSync(join(outside, "evil/file"), "evil");
  writeFileSync(join(outside, "file"), "evil");
});
afterEach(() => removeTree(outside));

function outcome<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    expect(error).toBeInstanceOf(VarveError);
    return errnoOf(error) ?? "no errno";
  }
}

function readWhole(fd: number): string {
  const buffer = Buffer.alloc(100);
  const text = buffer.toString("utf8", 0, readSync(fd, buffer));
  closeFile(fd);
  return text;
}

describe.each(["openat2", "walk"] as const)("TreeRoot by %s", (resolver) => {
  function withRoot<T>(work: (root: TreeRoot) => T): T {
    const root = new TreeRoot(path, { resolver });
    try {
      return work(root);
    } finally {
      root.close();
    }
  }

  const parent = (name: string) =>
    withRoot((root) =>
      outcome(() => {
        const { dir, base } = root.parentOf(n(name));
        const where = readlinkSync(`/proc/self/fd/${dir}`);
        if (where !== path && !where.startsWith(`${path}/`)) return `OUTSIDE|${base}`;
        return `${where.slice(path.length + 1)}|${base}`;
      }),
    );
  const read = (name: string) => withRoot((root) => outcome(() => readWhole(root.openFile(n(name)))));

  beforeEach(() => {
    mkdirSync(join(path, "a/b/c"), { recursive: true });
    mkdirSync(join(path, "evil"));
    writeFileSync(join(path, "file"), "inside");
    writeFileSync(join(path, "evil/file"), "inside evil");
    writeFileSync(join(path, "a/b/file"), "deep");
  });

  test.each([
    ["", "|."],
    ["/", "|."],
    [".", "|."],
    ["..", "|."],
    ["../..", "|."],
    ["a/..", "|."],
    ["x", "|x"],
    ["/x", "|x"],
    ["./x/", "|x"],
    ["../../x", "|x"],
    ["a/../../x", "|x"],
    ["a/b/x", "a/b|x"],
    ["a//b/./x", "a/b|x"],
    ["a/b/c/..", "a|b"],
    ["../evil/x", "evil|x"],
    ["a/b/c", "a/b|c"],
    ["no/x", "ENOENT"],
    ["file/x", "ENOTDIR"],
    ["file/../x", "|x"],
    [`${"d/".repeat(3000)}x`, "ENAMETOOLONG"],
    [`${"d".repeat(300)}/x`, "ENAMETOOLONG"],
    ["a\0b/x", "EINVAL"],
  ])("%j lies at %s", (name, where) => {
    expect(parent(name)).toBe(where);
  });

  test.each([
    ["b", "a/b|x"],
    ["/a/b", "a/b|x"],
    ["..", "|x"],
    ["../../../..", "|x"],
    ["../evil", "evil|x"],
    ["../../evil", "evil|x"],
    ["/../../evil", "evil|x"],
    ["/", "|x"],
    [".", "a|x"],
    ["b/c/../../..", "|x"],
    ["b/", "a/b|x"],
    ["/proc/self/root", "ENOENT"],
    ["/etc", "ENOENT"],
    ["../file", "ENOTDIR"],
    ["../file/..", "ENOTDIR"],
    ["link", "ELOOP"],
  ])("a link in a/ to %j leads to %s", (target, where) => {
    symlinkSync(target, join(path, "a/link"));
    expect(parent("a/link/x")).toBe(where);
  });

  test("a link to the place outside by its full path stays inside", () => {
    symlinkSync(join(outside, "evil"), join(path, "link"));
    expect(parent("link/x")).toBe("ENOENT");
    mkdirSync(join(path, outside, "evil"), { recursive: true });
    expect(parent("link/x")).toBe(`${join(outside, "evil").slice(1)}|x`);
  });

  test("links through links are followed, as many as the kernel follows", () => {
    symlinkSync("a", join(path, "l0"));
    for (let i = 1; i < 60; i++) symlinkSync(`l${i - 1}`, join(path, `l${i}`));
    expect(parent("l39/x")).toBe("a|x");
    expect(parent("l40/x")).toBe("ELOOP");
  });

  test("links in a circle end", () => {
    symlinkSync("two/deeper", join(path, "one"));
    symlinkSync("one/deeper", join(path, "two"));
    expect(parent("one/x")).toBe("ELOOP");
    expect(read("one")).toBe("ELOOP");
  });

  test("a chain of links that doubles with every step ends", () => {
    mkdirSync(join(path, "z"));
    symlinkSync("z", join(path, "d0"));
    for (let i = 1; i < 30; i++) symlinkSync(`d${i - 1}/../d${i - 1}`, join(path, `d${i}`));
    expect(parent("d29/x")).toBe("ELOOP");
  });

  test("the last component is not followed", () => {
    symlinkSync("a/b", join(path, "link"));
    expect(parent("link")).toBe("|link");
  });

  test("the links of procfs that lead to descriptors and other roots are refused", () => {
    const proc = new TreeRoot("/proc", { resolver });
    const self = `${process.pid}`;
    expect(outcome(() => proc.parentOf(n(`${self}/root/x`)))).toBe("ELOOP");
    expect(outcome(() => proc.parentOf(n(`${self}/cwd/x`)))).toBe("ELOOP");
    expect(outcome(() => proc.openFile(n(`${self}/exe`)))).toBe("ELOOP");
    proc.close();
  });

  describe("openFile", () => {
    test("reads files, also through links that stay or are kept inside", () => {
      symlinkSync("b/file", join(path, "a/near"));
      symlinkSync("../../../../file", join(path, "a/b/up"));
      symlinkSync("/evil/file", join(path, "absolute"));
      symlinkSync("a", join(path, "way"));
      expect(read("file")).toBe("inside");
      expect(read("../../file")).toBe("inside");
      expect(read("a/near")).toBe("deep");
      expect(read("a/b/up")).toBe("inside");
      expect(read("absolute")).toBe("inside evil");
      expect(read("way/b/file")).toBe("deep");
    });

    test("refuses what is no file, and never waits", () => {
      const dir = openDirectory(path);
      makeNodeAt(dir, n("pipe"), 0o010644, 0, 0);
      makeNodeAt(dir, n("device"), 0o020644, 0, 0);
      closeFile(dir);
      symlinkSync("pipe", join(path, "to-pipe"));
      symlinkSync("device", join(path, "to-device"));
      symlinkSync("a", join(path, "to-directory"));
      symlinkSync("file/", join(path, "to-slash"));
      symlinkSync("nothing", join(path, "to-nothing"));
      expect(["", "a", "to-directory"].map(read)).toEqual(["EISDIR", "EISDIR", "EISDIR"]);
      expect(["pipe", "to-pipe", "device", "to-device"].map(read)).toEqual(["EINVAL", "EINVAL", "EINVAL", "EINVAL"]);
      expect(["nothing", "to-nothing", "to-slash"].map(read)).toEqual(["ENOENT", "ENOENT", "ENOTDIR"]);
    });
  });

  test("a name that ends oddly is cleaned, also right after its neighbours", () => {
    withRoot((root) => {
      const odd = ["a/b/..", "a/b/.", "a/b/", "a/b//", "a/b/../b", "../a/b"];
      expect(odd.map((name) => [root.parentOf(n("a/b/x")).base, root.parentOf(n(name)).base])).toEqual([
        ["x", "a"],
        ["x", "b"],
        ["x", "b"],
        ["x", "b"],
        ["x", "b"],
        ["x", "b"],
      ]);
      root.parentOf(n("x"));
      expect(["..", ".", "", "/"].map((name) => root.parentOf(n(name)).base)).toEqual([".", ".", ".", "."]);
    });
  });

  test("places stay right when names come in any order, and no descriptor is left behind", () => {
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 200; i++) mkdirSync(join(path, `many/${i}`), { recursive: true });
    withRoot((root) => {
      fc.assert(
        fc.property(fc.array(fc.nat(199), { minLength: 200, maxLength: 300, size: "max" }), (order) => {
          for (const i of order) {
            const { dir, base } = root.parentOf(n(`many/${i}/x`));
            expect(base).toBe("x");
            expect(statFile(dir).inode).toBe(statAt(root.fd, n(`many/${i}`))?.inode);
          }
        }),
        { numRuns: 5 },
      );
      expect(readdirSync("/proc/self/fd").length).toBeLessThan(before + 100);
    });
    expect(readdirSync("/proc/self/fd")).toHaveLength(before);
  });

  test("a directory that was replaced is found anew after forget", () => {
    mkdirSync(join(path, "other"));
    symlinkSync("a", join(path, "way"));
    withRoot((root) => {
      const inode = (name: string) => statFile(root.parentOf(n(name)).dir).inode;
      const first = inode("way/x");
      unlinkSync(join(path, "way"));
      symlinkSync("other", join(path, "way"));
      expect(inode("way/y")).toBe(first);
      root.forget();
      expect(inode("way/x")).toBe(statAt(root.fd, n("other"))?.inode);
    });
  });

  test("whatever the names and links, nothing outside is reached", () => {
    const component = fc.constantFrom("a", "b", "l", "m", "..", ".", "", "file", "evil");
    const route = fc.array(component, { minLength: 1, maxLength: 8 }).map((parts) => parts.join("/"));
    const target = fc.oneof(
      route.filter((text) => text !== ""),
      route.map((text) => `/${text}`),
    );
    fc.assert(
      fc.property(target, target, route, (l, m, name) => {
        for (const at of ["l", "m", "a/l", "a/b/m"]) removeTree(join(path, at));
        symlinkSync(l, join(path, "l"));
        symlinkSync(m, join(path, "m"));
        symlinkSync(l, join(path, "a/b/m"));
        symlinkSync(m, join(path, "a/l"));
        expect(parent(name)).not.toContain("OUTSIDE");
        expect(read(name)).not.toBe("evil");
      }),
      { numRuns: 300 },
    );
  });
});

test("both resolvers agree about every name", () => {
  for (const at of ["a/b", "a/c", "d"]) mkdirSync(join(path, at), { recursive: true });
  writeFileSync(join(path, "a/file"), "1");
  const links: Record<string, string> = {
    "a/b/up": "..",
    "a/abs": "/a/b/",
    "d/far": "../a/abs/up/c",
    loop: "loop/x",
    "a/c/root": "/../..",
    "d/file": "../a/file",
    "d/bad": "../a/file/",
    "d/dot": "../a/file/.",
  };
  for (const [at, target] of Object.entries(links)) symlinkSync(target, join(path, at));
  const kernel = new TreeRoot(path, { resolver: "openat2" });
  const walk = new TreeRoot(path, { resolver: "walk" });
  const component = fc.constantFrom("a", "b", "c", "d", "up", "abs", "far", "loop", "root", "file", "bad", "dot", "..");
  const names = fc.array(component, { maxLength: 9 }).map((parts) => parts.join("/") as ByteString);
  const answer = (root: TreeRoot, name: ByteString) => [
    outcome(() => statFile(root.parentOf(name).dir).inode),
    outcome(() => readWhole(root.openFile(name))),
  ];
  fc.assert(
    fc.property(names, (name) => {
      expect(answer(walk, name)).toEqual(answer(kernel, name));
    }),
    { numRuns: 2000 },
  );
  kernel.close();
  walk.close();
});

describe("cleanName", () => {
  test.each([
    ["", ""],
    ["/", ""],
    [".", ""],
    ["..", ""],
    ["./", ""],
    ["a", "a"],
    ["/a", "a"],
    ["a/", "a"],
    ["./a/./b/", "a/b"],
    ["a//b", "a/b"],
    ["a/../b", "b"],
    ["../../a", "a"],
    ["a/../../../b", "b"],
    ["...", "..."],
    [".a", ".a"],
    ["a..", "a.."],
    ["..a/b", "..a/b"],
    ["a/.b", "a/.b"],
    ["\xff/\x80", "\xff/\x80"],
  ])("%j becomes %j", (name, clean) => {
    expect(cleanName(name as ByteString)).toBe(clean);
  });

  test("gives a name without empty, `.` and `..` components, and leaves such a name alone", () => {
    const component = fc.oneof(fc.constantFrom("", ".", "..", "...", "a", ".b"), fc.string({ maxLength: 3 }));
    fc.assert(
      fc.property(fc.array(component, { maxLength: 8 }), (parts) => {
        const clean = cleanName(parts.join("/") as ByteString);
        if (clean !== "") for (const part of clean.split("/")) expect(["", ".", ".."]).not.toContain(part);
        expect(cleanName(clean)).toBe(clean);
      }),
    );
  });
});

test("a directory that is not there, or is none, is an error at once", () => {
  writeFileSync(join(path, "file"), "");
  expect(() => new TreeRoot(join(path, "no"))).toThrow(expect.objectContaining({ code: "not-found" }));
  expect(outcome(() => new TreeRoot(join(path, "file")))).toBe("ENOTDIR");
});
