import { mkdtempSync, openSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { fromText } from "../sys/byte-string.ts";
import { type TarEntry, tarOf } from "../testing/tar-entries.ts";
import { type ArchiveFiles, findFile, readFile } from "./archive-files.ts";
import { indexFile } from "./archive-index.ts";

describe("an archive index", () => {
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), "varve-index-"));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function index(tar: Uint8Array, members = 1000): Promise<ArchiveFiles> {
    const path = join(scratch, "archive.tar");
    writeFileSync(path, tar);
    return await indexFile(openSync(path, "r"), statSync(path).size, { members });
  }

  async function contentOf(entries: readonly TarEntry[], path: string): Promise<string | undefined> {
    using files = await index(tarOf(entries));
    const file = findFile(files, path);
    return file && (await readFile(file, 1 << 20)).toString();
  }

  test("gives every file's bytes back by its name", async () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,150}$/), { minLength: 1, maxLength: 20 });
    const contents = fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 20, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(names, contents, async (paths, bytes) => {
        using files = await index(tarOf(paths.map((name, i) => ({ name, content: bytes[i]! }))));
        for (const [i, path] of paths.entries())
          expect(await readFile(findFile(files, path)!, 4000)).toEqual(Buffer.from(bytes[i]!));
      }),
      { numRuns: 30 },
    );
  });

  test.each<[string, string, TarEntry[], string | undefined]>([
    ["a plain name", "a", [{ name: "./a", content: "1" }], "1"],
    ["a spelling with dots", "x/../a", [{ name: "a", content: "1" }], "1"],
    ["an absolute spelling", "/a", [{ name: "/a", content: "1" }], "1"],
    ["nothing of that name", "b", [{ name: "a", content: "1" }], undefined],
    ["something below a file", "a/b", [{ name: "a", content: "1" }], undefined],
    [
      "the later of two",
      "a",
      [
        { name: "a", content: "1" },
        { name: "a", content: "2" },
      ],
      "2",
    ],
    [
      "a hard link",
      "b",
      [
        { name: "a", content: "1" },
        { name: "b", type: "1", linkname: "a" },
      ],
      "1",
    ],
    [
      "a hard link whose target was replaced since",
      "b",
      [
        { name: "a", content: "1" },
        { name: "b", type: "1", linkname: "a" },
        { name: "a", content: "2" },
      ],
      "1",
    ],
    [
      "a link beside it",
      "d/l",
      [
        { name: "d/a", content: "1" },
        { name: "d/l", type: "2", linkname: "a" },
      ],
      "1",
    ],
    [
      "a link upwards",
      "x/l",
      [
        { name: "y/a", content: "1" },
        { name: "x/l", type: "2", linkname: "../y/a" },
      ],
      "1",
    ],
    [
      "an absolute link",
      "l",
      [
        { name: "y/a", content: "1" },
        { name: "l", type: "2", linkname: "/y/a" },
      ],
      "1",
    ],
    [
      "a link that tries to get out",
      "l",
      [
        { name: "etc/passwd", content: "ours" },
        { name: "l", type: "2", linkname: "../../../etc/passwd" },
      ],
      "ours",
    ],
    ["a link to nowhere", "l", [{ name: "l", type: "2", linkname: "/etc/passwd" }], undefined],
    [
      "a linked directory",
      "l/a",
      [
        { name: "d/a", content: "1" },
        { name: "l", type: "2", linkname: "d" },
      ],
      "1",
    ],
    [
      "a member that was put through a link",
      "d/a",
      [{ name: "d/" }, { name: "l", type: "2", linkname: "d" }, { name: "l/a", content: "1" }],
      "1",
    ],
  ])("finds %s", async (_, path, entries, content) => {
    expect(await contentOf(entries, path)).toBe(content);
  });

  test.each<[string, TarEntry]>([
    ["a fifo", { name: "x", type: "6" }],
    ["a device", { name: "x", type: "3", deviceMajor: 1, deviceMinor: 3 }],
    ["a directory", { name: "x/" }],
  ])("refuses %s where a file should be", async (what, entry) => {
    await expect(contentOf([entry], "x")).rejects.toMatchObject({
      code: "invalid-archive",
      message: `invalid archive: "x" is ${what}, not a file`,
    });
  });

  test.each<[string, TarEntry[], string]>([
    [
      "links in a circle",
      [
        { name: "x", type: "2", linkname: "y" },
        { name: "y", type: "2", linkname: "x" },
      ],
      "too many",
    ],
    ["a hard link to nothing", [{ name: "x", type: "1", linkname: "/etc/passwd" }], "not in the archive before it"],
    [
      "a member below a file",
      [
        { name: "a", content: "" },
        { name: "a/x", content: "" },
      ],
      "not a directory",
    ],
  ])("refuses %s", async (_, entries, message) => {
    await expect(contentOf(entries, "x")).rejects.toMatchObject({ code: "invalid-archive" });
    await expect(contentOf(entries, "x")).rejects.toThrow(message);
  });

  test("refuses a sparse file, whose bytes do not lie in a row", async () => {
    const records = ["major=0", "minor=1", "size=9000", "numblocks=1", "map=8000,4"].map(
      (text) => `GNU.sparse.${text}`,
    );
    const pax = records.map((record) => `${record.length + 4} ${record}\n`).join("");
    const extended = Buffer.from(tarOf([{ name: "pax", content: pax }]).subarray(0, 1024));
    extended.write("x", 156, "latin1");
    extended.fill(" ", 148, 156);
    const sum = extended.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    extended.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    using files = await index(Buffer.concat([extended, tarOf([{ name: "x", content: "tail" }])]));
    expect(() => findFile(files, "x")).toThrow("is a sparse file, not a file");
  });

  test("lists the directories at the top, those that are only implied too", async () => {
    using files = await index(tarOf([{ name: "b/x", content: "" }, { name: "a/" }, { name: "f", content: "" }]));
    expect(files.directories()).toEqual(["a", "b"].map(fromText));
  });

  test("counts the directories that a name implies", async () => {
    const deep = tarOf([{ name: "a/".repeat(600), type: "5" }]);
    await expect(index(deep, 500)).rejects.toMatchObject({ code: "too-large" });
    (await index(deep, 700))[Symbol.dispose]();
  });

  test("an archive that is cut anywhere is refused, or has all its files", async () => {
    const tar = tarOf([
      { name: "a", content: "x".repeat(700) },
      { name: "b", content: "y" },
    ]);
    for (let length = 0; length < tar.length; length += 37) {
      try {
        using files = await index(tar.subarray(0, length));
        for (const name of ["a", "b"]) {
          const file = findFile(files, name);
          if (file !== undefined) expect((await readFile(file, 1000)).length).toBe(name === "a" ? 700 : 1);
        }
      } catch (error) {
        expect(isVarveError(error, "invalid-archive")).toBe(true);
      }
    }
  });

  test("says that it is empty, and that it is no tar", async () => {
    await expect(index(Buffer.alloc(0))).rejects.toThrow("invalid archive: it is empty");
    await expect(index(Buffer.from("hello"))).rejects.toThrow("invalid archive: it is not a tar (unexpected EOF)");
    await expect(index(Buffer.alloc(2048, "hello"))).rejects.toThrow(
      "it is not a tar (archive/tar: invalid tar header)",
    );
  });

  test("nothing but a VarveError comes of any bytes", async () => {
    const tar = tarOf([
      { name: "a", content: "x".repeat(700) },
      { name: "l", type: "2", linkname: "a" },
    ]);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc.tuple(fc.nat(tar.length - 1), fc.nat(255)).map(([at, value]) => {
        const spoiled = Buffer.from(tar);
        spoiled[at] = value;
        return spoiled;
      }),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (spoiled) => {
        try {
          using files = await index(spoiled);
          findFile(files, "l");
        } catch (error) {
          expect(isVarveError(error)).toBe(true);
        }
      }),
    );
  });

  test("reads headers only: a member of 64 GiB on a sparse file takes no time", async () => {
    const path = join(scratch, "huge.tar");
    const header = tarOf([{ name: "huge", content: "" }]).subarray(0, 512);
    const size = 2 ** 36;
    Buffer.from(`\x80${"\0".repeat(11)}`, "latin1").copy(header, 124);
    header.writeBigUInt64BE(BigInt(size), 128);
    header.fill(" ", 148, 156);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
      "latin1",
    );
    writeFileSync(path, header);
    truncateSync(path, 512 + size + 1024);
    using files = await indexFile(openSync(path, "r"), statSync(path).size, { members: 10 });
    expect(findFile(files, "huge")!.size).toBe(size);
  });
});
