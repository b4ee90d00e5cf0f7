import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Digest } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import type { GraphID } from "./descriptor.ts";
import { EntryFiles } from "./entry-files.ts";

const ID = "a".repeat(64) as GraphID;
const PARENT = "b".repeat(64) as GraphID;
const DIGEST = `sha256:${"d".repeat(64)}` as Digest;

describe("the files of an image of the graph", () => {
  let directory: string;
  let files: EntryFiles;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "varve-graph-"));
    files = new EntryFiles(directory, { sync: false });
    mkdirSync(join(directory, ID));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = (name: string, content: string): void => writeFileSync(join(directory, ID, name), content);

  test("lie in directories, beside that of the transactions", () => {
    for (const name of ["_tmp", "odd", "0".repeat(64)]) mkdirSync(join(directory, name));
    writeFileSync(join(directory, "file"), "");
    symlinkSync(ID, join(directory, "link"));
    expect(files.names()).toEqual(["0".repeat(64), ID, "odd"]);
    expect(new EntryFiles(join(directory, "none"), { sync: false }).names()).toEqual([]);
  });

  test("give an image, whose parent the file decides, and its JSON to the byte", () => {
    expect(() => files.image(ID)).toThrow(`no such id: ${ID}`);
    write("json", '{"author":"me"}');
    expect(files.image(ID).parent).toBeUndefined();
    expect(`${files.json(ID)}`).toBe('{"author":"me"}');
    write("parent", `${PARENT}\n`);
    expect(files.image(ID)).toMatchObject({ id: ID, parent: PARENT, image: { author: "me" } });
  });

  test("give a size once it is known", () => {
    expect(files.size(ID)).toBeUndefined();
    files.setSize(ID, 4_000_000_000);
    expect(files.size(ID)).toBe(4_000_000_000);
    expect(statSync(join(directory, ID, "layersize")).mode & 0o777).toBe(0o600);
    write("layersize", "-1");
    expect(() => files.size(ID)).toThrow(expect.objectContaining({ code: "corrupt" }));
  });

  test("tell a digest, none, and a checksum that is no digest apart", () => {
    expect(() => files.digest(ID)).toThrow(
      expect.objectContaining({ code: "not-found", message: "digest is not set for layer" }),
    );
    write("checksum", `tarsum.dev+sha256:${"d".repeat(64)}`);
    expect(() => files.digest(ID)).toThrow(expect.objectContaining({ code: "invalid-digest" }));
    files.setDigest(ID, DIGEST);
    expect(files.digest(ID)).toBe(DIGEST);
  });

  test("keep a v1Compatibility to the byte", () => {
    expect(() => files.v1Compatibility(ID)).toThrow(expect.objectContaining({ code: "not-found" }));
    const json = Buffer.from('{ "id" : "x"}\n');
    files.setV1Compatibility(ID, json);
    expect(files.v1Compatibility(ID)).toEqual(json);
  });

  test("are refused when they are too large to be what they are called, or no files", () => {
    write("layersize", "1".repeat(5000));
    expect(() => files.size(ID)).toThrow(expect.objectContaining({ code: "corrupt" }));
    mkdirSync(join(directory, ID, "checksum"));
    expect(() => files.digest(ID)).toThrow(expect.objectContaining({ code: "corrupt" }));
  });

  test("of any content are read or are a coded error", () => {
    const name = fc.constantFrom("json", "layersize", "checksum", "parent");
    fc.assert(
      fc.property(name, fc.string({ unit: "binary" }), (name, content) => {
        write(name, content);
        for (const read of [() => files.image(ID), () => files.size(ID), () => files.digest(ID)])
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(VarveError);
          }
      }),
    );
  });
});
