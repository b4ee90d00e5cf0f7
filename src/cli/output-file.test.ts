import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
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
import { type ByteSource, sourceOf, writeAll } from "../io/byte-source.ts";
import { writeWholeFile } from "./output-file.ts";

const from = (source: ByteSource) => (file: number) => writeAll(file, source);

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-output-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("an output file", () => {
  test("appears with all its bytes, for its owner only", async () => {
    const path = join(directory, "x.tar");
    expect(await writeWholeFile(path, from(sourceOf(Buffer.from("ab"), Buffer.from("c"))))).toBe(3);
    expect(readFileSync(path, "utf8")).toBe("abc");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("keeps what it had when the bytes end in an error, and leaves no draft", async () => {
    const path = join(directory, "x.tar");
    writeFileSync(path, "old");
    await expect(
      writeWholeFile(
        path,
        from(
          (async function* () {
            yield Buffer.from("new");
            throw new Error("broken");
          })(),
        ),
      ),
    ).rejects.toThrow("broken");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(directory)).toEqual(["x.tar"]);
  });

  test("may be a device", async () => {
    expect(await writeWholeFile("/dev/null", from(sourceOf(Buffer.from("abc"))))).toBe(3);
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  });

  test("may be an open file by a name that stands for it, as /dev/stdout does, and the name stays", async () => {
    const file = openSync(join(directory, "redirected"), "w");
    const name = join(directory, "stdout");
    symlinkSync(`/proc/self/fd/${file}`, name);
    expect(await writeWholeFile(name, from(sourceOf(Buffer.from("abc"))))).toBe(3);
    expect(await writeWholeFile(`/dev/fd/${file}`, from(sourceOf(Buffer.from("abcd"))))).toBe(4);
    closeSync(file);
    expect(lstatSync(name).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(directory, "redirected"), "utf8")).toBe("abcd");
    expect(readdirSync(directory).sort()).toEqual(["redirected", "stdout"]);
  });

  test("is refused where it cannot be", async () => {
    mkdirSync(join(directory, "d"));
    await expect(writeWholeFile("", async () => 0)).rejects.toThrow("invalid output path: it is empty");
    await expect(writeWholeFile(join(directory, "d"), from(sourceOf()))).rejects.toThrow("is a directory");
    await expect(writeWholeFile(join(directory, "none/x"), from(sourceOf()))).rejects.toThrow(
      `invalid output path: directory "${join(directory, "none")}" does not exist`,
    );
  });
});
