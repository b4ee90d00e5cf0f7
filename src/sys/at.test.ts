import {
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errnoOf, VarveError } from "../errors.ts";
import {
  changeModeAt,
  changeModeThroughDescriptor,
  closeFile,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  makeWhiteoutAt,
  openAt,
  openDirectory,
  readDirectory,
  readLinkAt,
  removeDirectoryAt,
  renameAt,
  scanDirectory,
  setTimes,
  setTimesAt,
  symlinkAt,
  unlinkAt,
} from "./at.ts";
import { type ByteString, fromBytes, fromText, toBytes } from "./byte-string.ts";
import { statAt, statFile } from "./stat.ts";

let path: string;
let dir: number;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "varve-at-"));
  dir = openDirectory(path);
});
afterEach(() => {
  closeFile(dir);
  rmSync(path, { recursive: true, force: true });
});

const name = fromText;

function errnoFrom(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(VarveError);
    return errnoOf(error);
  }
  return undefined;
}

describe("names", () => {
  test("any bytes that a file system allows name the file that is made, listed, and removed", () => {
    const component = fc
      .uint8Array({ minLength: 1, maxLength: 255 })
      .map((bytes) => fromBytes(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x5f : byte))))
      .filter((text) => text !== "." && text !== "..");
    fc.assert(
      fc.property(component, (text) => {
        closeFile(openAt(dir, text, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600));
        expect(readDirectory(dir)).toEqual([text]);
        expect(lstatSync(Buffer.concat([Buffer.from(`${path}/`), toBytes(text)])).isFile()).toBe(true);
        unlinkAt(dir, text);
        expect(readDirectory(dir)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  test("a NUL never cuts a name short", () => {
    writeFileSync(join(path, "a"), "");
    expect(errnoFrom(() => unlinkAt(dir, "a\0b" as ByteString))).toBe("EINVAL");
    expect(errnoFrom(() => statAt(dir, "é\0" as ByteString))).toBe("EINVAL");
    expect(readDirectory(dir)).toEqual(["a"]);
  });

  test("a path that the kernel would not take is refused as the kernel refuses it", () => {
    expect(errnoFrom(() => statAt(dir, "x/".repeat(2048) as ByteString))).toBe("ENAMETOOLONG");
    expect(errnoFrom(() => statAt(dir, "x".repeat(256) as ByteString))).toBe("ENAMETOOLONG");
  });

  test("a directory larger than what the kernel tells at once is listed whole, again and again", () => {
    for (let i = 0; i < 700; i++) symlinkAt(name("x"), dir, name(`${"long".repeat(50)}-${i}`));
    expect(new Set(readDirectory(dir)).size).toBe(700);
    expect(readDirectory(dir)).toHaveLength(700);
  });

  test("a listing tells directories from the rest", () => {
    makeDirectoryAt(dir, name("d"), 0o755);
    symlinkAt(name("d"), dir, name("l"));
    const kinds = Object.fromEntries([...scanDirectory(dir)].map((entry) => [entry.name, entry.kind]));
    expect(kinds).toEqual({ d: "directory", l: "other" });
  });
});

describe("errors", () => {
  test("carry Go's words, the errno, the call and the path", () => {
    try {
      linkAt(dir, name("nowhere"), dir, name("ä"));
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        code: "not-found",
        message: "link ä: no such file or directory",
        details: { errno: "ENOENT", syscall: "link", path: "ä" },
      });
    }
  });

  test.each([
    ["EEXIST", () => makeDirectoryAt(dir, name("d"), 0o755), "already-exists"],
    ["ENOTEMPTY", () => removeDirectoryAt(dir, name("d")), "system"],
    ["EISDIR", () => unlinkAt(dir, name("d")), "system"],
    ["ENOTDIR", () => removeDirectoryAt(dir, name("d/f")), "system"],
    ["EINVAL", () => readLinkAt(dir, name("d/f")), "system"],
    ["ELOOP", () => openAt(dir, name("l"), constants.O_RDONLY), "system"],
    ["EBADF", () => closeFile(1_000_000), "system"],
  ] as const)("%s", (errno, work, code) => {
    mkdirSync(join(path, "d"));
    writeFileSync(join(path, "d/f"), "");
    symlinkSync("d/f", join(path, "l"));
    expect(errnoFrom(work)).toBe(errno);
    expect(work).toThrow(expect.objectContaining({ code }));
  });
});

describe("links", () => {
  test("a target is kept byte for byte, however odd", () => {
    const target = fromBytes(Buffer.from([0x2e, 0x2e, 0x2f, 0xff, 0x0a, 0x80]));
    symlinkAt(target, dir, name("l"));
    expect(readLinkAt(dir, name("l"))).toBe(target);
    expect(readlinkSync(join(path, "l"), "latin1")).toBe(target);
  });

  test("a hard link to a symbolic link is a second name of the link", () => {
    symlinkAt(name("gone"), dir, name("l"));
    linkAt(dir, name("l"), dir, name("m"));
    expect(statAt(dir, name("m"))).toMatchObject({ kind: "symlink", links: 2 });
  });

  test.each([
    ["changeModeAt", changeModeAt],
    ["changeModeThroughDescriptor", changeModeThroughDescriptor],
  ])("%s changes files and directories and refuses a link instead of changing its target", (_, change) => {
    writeFileSync(join(path, "f"), "", { mode: 0o600 });
    symlinkSync("f", join(path, "l"));
    change(dir, name("f"), 0o4751);
    expect(statAt(dir, name("f"))?.mode).toBe(0o4751);
    change(dir, name("."), 0o711);
    expect(statSync(path).mode & 0o7777).toBe(0o711);
    expect(errnoFrom(() => change(dir, name("l"), 0o777))).toBe("ENOTSUP");
    expect(statAt(dir, name("f"))?.mode).toBe(0o4751);
  });
});

describe("times", () => {
  const times = [
    { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
    { seconds: -1, nanoseconds: 999_999_999 },
    { seconds: 0, nanoseconds: 0 },
    { seconds: 2 ** 32 + 5, nanoseconds: 1 },
  ];

  test.each(times)(
    "$seconds s $nanoseconds ns is kept to the nanosecond, for a file, a link and a descriptor",
    (mtime) => {
      const atime = { seconds: 1, nanoseconds: 2 };
      writeFileSync(join(path, "f"), "");
      symlinkSync("f", join(path, "l"));
      setTimesAt(dir, name("l"), atime, mtime);
      expect(statAt(dir, name("l"))).toMatchObject({ kind: "symlink", atime, mtime });
      expect(statAt(dir, name("f"))?.mtime).not.toEqual(mtime);

      const fd = openAt(dir, name("f"), constants.O_RDONLY);
      setTimes(fd, atime, mtime);
      expect(statFile(fd)).toMatchObject({ kind: "file", atime, mtime });
      setTimesAt(dir, name("f"), mtime, atime);
      expect(statFile(fd)).toMatchObject({ atime: mtime, mtime: atime });
      closeFile(fd);
    },
  );
});

describe("stat", () => {
  test("nothing there is undefined, a missing way there too", () => {
    expect(statAt(dir, name("x"))).toBeUndefined();
    expect(statAt(dir, name("x/y"))).toBeUndefined();
  });

  test("agrees with node's about a file of every kind that a user may make", () => {
    writeFileSync(join(path, "file"), "12345");
    linkAt(dir, name("file"), dir, name("second"));
    mkdirSync(join(path, "directory"));
    symlinkSync("12", join(path, "symlink"));
    makeNodeAt(dir, name("fifo"), 0o010640, 0, 0);
    makeNodeAt(dir, name("socket"), 0o140600, 0, 0);
    makeWhiteoutAt(dir, name("char"));
    for (const kind of ["file", "directory", "symlink", "fifo", "socket", "char"] as const) {
      const node = lstatSync(join(path, kind), { bigint: true });
      expect(statAt(dir, name(kind)), kind).toMatchObject({
        kind,
        mode: Number(node.mode) & 0o7777,
        uid: Number(node.uid),
        gid: Number(node.gid),
        size: Number(node.size),
        links: Number(node.nlink),
        inode: node.ino,
        mtime: { seconds: Number(node.mtimeNs / 1_000_000_000n), nanoseconds: Number(node.mtimeNs % 1_000_000_000n) },
        ctime: { seconds: Number(node.ctimeNs / 1_000_000_000n), nanoseconds: Number(node.ctimeNs % 1_000_000_000n) },
        deviceMajor: 0,
        deviceMinor: 0,
        mountRoot: false,
      });
    }
    const file = statAt(dir, name("file"));
    expect(file).toMatchObject({ links: 2, size: 5 });
    expect(statAt(dir, name("second"))?.inode).toBe(file?.inode);
    expect(statAt(dir, name("directory"))?.device).toBe(file?.device);
  });

  test("knows where a mount begins", () => {
    const proc = openDirectory("/proc");
    expect(statFile(proc)).toMatchObject({ kind: "directory", mountRoot: true });
    closeFile(proc);
    const node = statAt(dir, name("/dev/null"));
    expect(node).toMatchObject({ kind: "char", deviceMajor: 1, deviceMinor: 3 });
  });
});

test("a rename replaces what had the name", () => {
  writeFileSync(join(path, "a"), "new");
  writeFileSync(join(path, "b"), "old");
  renameAt(dir, name("a"), dir, name("b"));
  expect(readFileSync(join(path, "b"), "utf8")).toBe("new");
  expect(readDirectory(dir)).toEqual(["b"]);
});
