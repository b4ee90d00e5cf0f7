import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isVarveError, VarveError } from "../errors.ts";
import type { LayerRecord, MountRecord } from "./metadata.ts";
import {
  layerFiles,
  mountFiles,
  type RecordFile,
  readLayerFiles,
  readMountFiles,
  treesNamedIn,
} from "./record-files.ts";

const digest = (character: string) => `sha256:${character.repeat(64)}` as const;
const record: LayerRecord = {
  diffID: digest("a"),
  size: 15,
  cacheID: "c".repeat(64),
  parent: digest("b"),
  descriptor: undefined,
};
const good: Record<string, string> = Object.fromEntries(layerFiles(record));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "layer-records-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(files: Record<string, string> | readonly RecordFile[]): void {
  for (const [name, text] of Array.isArray(files) ? files : Object.entries(files))
    writeFileSync(join(directory, name), text);
}

describe("a layer's record", () => {
  test("is written as Docker writes it, without a newline anywhere", () => {
    write(
      layerFiles({ ...record, descriptor: { mediaType: "m", size: 7, digest: digest("d"), urls: ["http://h/?a&b"] } }),
    );
    const read = (name: string): string => readFileSync(join(directory, name), "utf8");
    expect(readdirSync(directory).sort()).toEqual(["cache-id", "descriptor.json", "diff", "parent", "size"]);
    expect(read("diff")).toBe(`sha256:${"a".repeat(64)}`);
    expect(read("size")).toBe("15");
    expect(read("cache-id")).toBe("c".repeat(64));
    expect(read("parent")).toBe(`sha256:${"b".repeat(64)}`);
    expect(read("descriptor.json")).toBe(
      `{"mediaType":"m","size":7,"digest":"sha256:${"d".repeat(64)}","urls":["http://h/?a\\u0026b"]}`,
    );
  });

  test("of a base layer has no parent, and one of a layer that is not foreign no descriptor", () => {
    expect(layerFiles({ ...record, parent: undefined }).map(([name]) => name)).toEqual(["diff", "size", "cache-id"]);
  });

  test("comes back as it was", () => {
    const text = fc.string({ minLength: 1 }).filter((value) => /^[^/\0\s]+$/.test(value) && !/^\.\.?$/.test(value));
    fc.assert(
      fc.property(
        fc.record({
          diffID: fc.constant(digest("1")),
          size: fc.maxSafeNat(),
          cacheID: text,
          parent: fc.constantFrom(undefined, digest("2")),
          descriptor: fc.option(
            fc.record({
              mediaType: fc.string({ unit: "grapheme" }),
              size: fc.maxSafeInteger(),
              digest: fc.constant(digest("3") as string),
              urls: fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 }),
            }),
            { nil: undefined },
          ),
        }),
        (value: LayerRecord) => {
          rmSync(directory, { recursive: true });
          mkdirSync(directory);
          write(layerFiles(value));
          expect(readLayerFiles(directory)).toEqual(value);
        },
      ),
      { numRuns: 50 },
    );
  });

  test.each([
    ["diff", ` ${digest("a")}\n`],
    ["cache-id", `${"c".repeat(64)}\n`],
    ["parent", `\t${digest("b")} `],
  ])("may have white space around its %s", (name, text) => {
    write({ ...good, [name]: text });
    expect(readLayerFiles(directory)).toEqual(record);
  });

  test.each([
    ["+15", 15],
    ["-3", -3],
    ["00", 0],
    ["9223372036854775807", 2 ** 63],
  ])("may have the size %s", (size, value) => {
    write({ ...good, size });
    expect(readLayerFiles(directory).size).toBe(value);
  });

  test.each([
    ["size", "15\n", "invalid size"],
    ["size", "", "invalid size"],
    ["size", "1_000", "invalid size"],
    ["size", "9223372036854775808", "size out of range"],
    ["diff", "", "invalid checksum digest format"],
    ["diff", "sha256:abc", "invalid checksum digest length"],
    ["cache-id", " \n", "invalid cache id value"],
    ["cache-id", "..", "invalid cache id value"],
    ["cache-id", "../../etc", "invalid cache id value"],
    ["parent", "", "invalid checksum digest format"],
    ["parent", "md5:00", "unsupported digest algorithm"],
    ["descriptor.json", "{", "unexpected end"],
    ["descriptor.json", '{"size":"7"}', "cannot unmarshal string into"],
    ["diff", "x".repeat(1 << 17), "too long"],
  ])("with %s %j cannot be used, and says so", (name, text, reason) => {
    write({ ...good, [name]: text });
    expect(errorOf(() => readLayerFiles(directory))).toMatchObject({
      code: "corrupt",
      details: { path: join(directory, name) },
      message: expect.stringContaining(reason),
    });
  });

  test.each(["diff", "size", "cache-id"])("without %s cannot be used", (name) => {
    const { [name]: _, ...rest } = good;
    write(rest);
    expect(() => readLayerFiles(directory)).toThrow("it is missing");
  });

  test.each(["{}", "null", '{"DIGEST":"","unknown":[1]}'])(
    "may have the descriptor %s, which describes nothing",
    (text) => {
      write({ ...good, "descriptor.json": text });
      expect(readLayerFiles(directory).descriptor).toBeUndefined();
    },
  );

  test.each([
    ["a pipe", (path: string) => execFileSync("mkfifo", [path]), "it is not a file"],
    ["a directory", (path: string) => mkdirSync(path), "it is not a file"],
    ["a link", (path: string) => symlinkSync("/etc/hostname", path), "it is a symbolic link"],
  ])("with %s for a file is refused and does not hang", (_, make, reason) => {
    const { diff: _diff, ...rest } = good;
    write(rest);
    make(join(directory, "diff"));
    expect(() => readLayerFiles(directory)).toThrow(reason);
  });

  test("made of anything else is an error with a code", () => {
    const name = fc.constantFrom("diff", "size", "cache-id", "parent", "descriptor.json");
    fc.assert(
      fc.property(fc.dictionary(name, fc.oneof(fc.string(), fc.json())), (files) => {
        write({ ...good, ...files });
        try {
          readLayerFiles(directory);
        } catch (error) {
          expect(error).toBeInstanceOf(VarveError);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("a writable layer's record", () => {
  const mount: MountRecord = { mountID: "1".repeat(64), initID: `${"1".repeat(64)}-init`, parent: digest("e") };

  test.each([mount, { ...mount, initID: undefined }, { ...mount, parent: undefined }])(
    "comes back as it was",
    (value) => {
      write(mountFiles(value));
      expect(readMountFiles(directory)).toEqual(value);
    },
  );

  test.each([
    ["mount-id", "abc"],
    ["mount-id", "1".repeat(63)],
    ["init-id", `${"1".repeat(64)}-init-init`],
    ["init-id", ""],
    ["parent", "none"],
  ])("with %s %j cannot be used", (name, text) => {
    write({ ...Object.fromEntries(mountFiles(mount)), [name]: text });
    expect(
      isVarveError(
        errorOf(() => readMountFiles(directory)),
        "corrupt",
      ),
    ).toBe(true);
  });

  test("without mount-id cannot be used", () => {
    write({ parent: digest("e") });
    expect(() => readMountFiles(directory)).toThrow("it is missing");
  });
});

test("the trees of a half-made record are those that it names in a usable way", () => {
  expect(treesNamedIn(directory)).toEqual([]);
  write({ "cache-id": "tree\n", "mount-id": "1".repeat(64), "init-id": "no such id" });
  expect(treesNamedIn(directory)).toEqual(["tree", "1".repeat(64)]);
});

function errorOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
