import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ByteSource } from "../io/byte-source.ts";
import { fromText } from "../sys/byte-string.ts";
import { type TarEntry, tarOf } from "../testing/tar-entries.ts";
import { type CopyInOptions, copyIn } from "./copy-in.ts";

let scratch: string;
let root: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "varve-copy-in-"));
  root = join(scratch, "root");
  mkdirSync(join(root, "to/below"), { recursive: true });
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

async function* inPieces(tar: Uint8Array): ByteSource {
  for (let at = 0; at < tar.length; at += 777) yield tar.subarray(at, at + 777);
}

function copy(entries: readonly TarEntry[] | Buffer, to = "/to", options: CopyInOptions = {}): Promise<void> {
  const tar = Buffer.isBuffer(entries) ? entries : tarOf(entries);
  return copyIn(root, fromText(to), inPieces(tar), undefined, options);
}

const read = (name: string): string => readFileSync(join(root, name), "utf8");

describe("copying in", () => {
  test("puts files, links and hard links below the directory, wherever they say that they belong", async () => {
    mkdirSync(join(root, "etc"));
    await copy([
      { name: "/abs", content: "1" },
      { name: "../to/up", content: "2" },
      { name: "hard", type: "1", linkname: "/abs" },
      { name: "soft", type: "2", linkname: "/etc" },
      { name: "soft/passwd", content: "3" },
    ]);
    expect([read("to/abs"), read("to/up"), read("to/hard"), read("etc/passwd")]).toEqual(["1", "2", "1", "3"]);
    expect(statSync(join(root, "to/hard")).nlink).toBe(2);
    expect(readdirSync(scratch)).toEqual(["root"]);
  });

  test.each<[TarEntry, string]>([
    [{ name: "../../up", content: "2" }, '"../../up" is outside of "/to"'],
    [{ name: "hard", type: "1", linkname: "../../etc/passwd" }, 'invalid hardlink "/to/hard" -> "/etc/passwd"'],
    [{ name: "soft", type: "2", linkname: "../../../etc" }, 'invalid symlink "/to/soft" -> "../../../etc"'],
  ])("refuses %j, which leads out of the directory", async (entry, message) => {
    await expect(copy([entry])).rejects.toMatchObject({ code: "invalid-archive", message });
    expect(readdirSync(join(root, "to"))).toEqual(["below"]);
  });

  test("takes the last of two entries of one name", async () => {
    await copy([
      { name: "f", content: "first" },
      { name: "f", content: "second" },
    ]);
    expect(read("to/f")).toBe("second");
  });

  test("leaves the directory itself as it is, unless the tar has it as `/`", async () => {
    const mode = (): number => statSync(join(root, "to")).mode & 0o777;
    for (const name of ["./", ".", "a/..", "../"]) {
      await copy([{ name, type: "5", mode: 0o700 }]);
      expect(mode(), name).toBe(0o755);
    }
    await copy([{ name: "/", type: "5", mode: 0o700 }]);
    expect(mode()).toBe(0o700);
    await expect(copy([{ name: ".", type: "0", content: "x" }], "/to", { noOverwriteDirNonDir: true })).rejects.toThrow(
      'cannot overwrite directory "/to"',
    );
  });

  test("keeps the holes of a sparse file", async () => {
    const source = join(scratch, "sparse");
    writeFileSync(source, "end", { flag: "w" });
    execFileSync("truncate", ["-s", "8M", source]);
    const tar = execFileSync("tar", ["-C", scratch, "--format=pax", "--sparse", "-c", "sparse"]);
    await copy(tar);
    const { size, blocks } = statSync(join(root, "to/sparse"));
    expect(size).toBe(8 << 20);
    expect(blocks).toBeLessThan(100);
    expect(read("to/sparse").slice(0, 3)).toBe("end");
  });

  test("wants a directory, found through links inside", async () => {
    symlinkSync("/to", join(root, "link"));
    await copy([{ name: "f", content: "x" }], "/link/below");
    expect(read("to/below/f")).toBe("x");
    await expect(copy([], "/to/below/f")).rejects.toThrow("extraction point is not a directory");
    await expect(copy([], "/none")).rejects.toMatchObject({ code: "not-found" });
  });

  test("may refuse to put a file over a directory, and the other way round", async () => {
    writeFileSync(join(root, "to/file"), "");
    const options = { noOverwriteDirNonDir: true };
    await expect(copy([{ name: "below", content: "x" }], "/to", options)).rejects.toThrow(
      'cannot overwrite directory "/to/below" with non-directory "/to"',
    );
    await expect(copy([{ name: "file/" }], "/to", options)).rejects.toThrow("cannot overwrite");
    await copy([{ name: "below", content: "x" }]);
    expect(read("to/below")).toBe("x");
  });

  test("fails for what is no tar, or ends too early", async () => {
    await expect(copy(Buffer.alloc(1024, 1))).rejects.toMatchObject({ code: "invalid-archive" });
    await expect(copy(tarOf([{ name: "f", content: "x".repeat(5000) }]).subarray(0, 3000))).rejects.toMatchObject({
      code: "invalid-archive",
    });
  });
});
