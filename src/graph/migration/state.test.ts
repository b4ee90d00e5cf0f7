import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../digest/digest.ts";
import { isVarveError } from "../../errors.ts";
import type { GraphID } from "../descriptor.ts";
import { EntryFiles } from "../entry-files.ts";
import { MigrationState } from "./state.ts";

describe("the state files of a migration", () => {
  const [one, two] = ["1".repeat(64), "2".repeat(64)] as [GraphID, GraphID];
  const layer = { diffID: digestOf("layer"), size: 12 };
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "varve-migration-"));
    for (const id of [one, two]) mkdirSync(join(root, "graph", id), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const open = (): MigrationState =>
    new MigrationState(root, new EntryFiles(join(root, "graph"), { sync: false }), { sync: false });
  const entry = (name: string): string => join(root, "graph", one, name);
  const text = (path: string): string => readFileSync(path, "utf8");

  test("say which image came of which entry, as Docker wrote it", () => {
    const state = open();
    expect(state.images.size).toBe(0);
    state.noteImage(two, digestOf("b"));
    state.noteImage(one, digestOf("a"));
    state.saveImages();
    const path = join(root, ".migration-v1-images.json");
    expect(text(path)).toBe(`{"${one}":"${digestOf("a")}","${two}":"${digestOf("b")}"}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect([...open().images]).toEqual([...state.images].reverse());
  });

  test("say that the tags are across", () => {
    expect(open().tagsAreDone).toBe(false);
    open().noteTags();
    expect(open().tagsAreDone).toBe(true);
    expect(text(join(root, ".migration-v1-tags"))).toBe("");
  });

  test("say which layer an entry has, with the tar-split that was kept under a second name", () => {
    writeFileSync(entry("tar-data.json.gz"), "kept");
    expect(open().layer(one)).toBeUndefined();
    open().noteLayer(one, { ...layer, isOriginal: true });
    expect(text(entry(".migration-diffid"))).toBe(layer.diffID);
    expect(text(entry(".migration-size"))).toBe("12");
    expect(statSync(entry(".migration-tardata")).ino).toBe(statSync(entry("tar-data.json.gz")).ino);
    expect(open().layer(one)).toEqual({ ...layer, split: entry(".migration-tardata"), isOriginal: true });
    expect(readdirSync(join(root, "graph", one)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("tell a tar-split that was made of the files from one that was kept", () => {
    writeFileSync(open().newSplit(one), "made");
    open().noteLayer(one, { ...layer, isOriginal: false });
    expect(open().layer(one)).toMatchObject({ isOriginal: false });
    writeFileSync(entry("tar-data.json.gz"), "kept");
    expect(open().layer(one)).toMatchObject({ isOriginal: false });
    // As a backup restores two names of one file.
    writeFileSync(entry("tar-data.json.gz"), "made");
    expect(open().layer(one)).toMatchObject({ isOriginal: true });
  });

  test("do not write over what was kept, nor over what somebody put in the way", () => {
    writeFileSync(entry("tar-data.json.gz"), "kept");
    writeFileSync(join(root, "bystander"), "bystander");
    linkSync(join(root, "bystander"), entry(".migration-tardata"));
    linkSync(join(root, "bystander"), entry(".migration-diffid.tmp"));
    open().noteLayer(one, { ...layer, isOriginal: true });
    expect(text(join(root, "bystander"))).toBe("bystander");
    expect(text(entry("tar-data.json.gz"))).toBe("kept");
    expect(open().layer(one)).toMatchObject(layer);
  });

  test.each([".migration-diffid", ".migration-size", ".migration-tardata"])(
    "say nothing of a layer without %s",
    (name) => {
      writeFileSync(open().newSplit(one), "made");
      open().noteLayer(one, { ...layer, isOriginal: false });
      rmSync(entry(name));
      expect(open().layer(one)).toBeUndefined();
      if (name === ".migration-tardata") return;
      writeFileSync(entry(name), "sha256:1 -2");
      expect(open().layer(one)).toBeUndefined();
    },
  );

  test("that cannot be read are told, whatever they hold", () => {
    const path = join(root, ".migration-v1-images.json");
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.dictionary(fc.constantFrom(one, "x"), fc.string()).map((images) => JSON.stringify(images)),
        ),
        (content) => {
          writeFileSync(path, content);
          try {
            for (const image of open().images.values()) expect(image).toMatch(/^sha(256|384|512):/);
          } catch (error) {
            expect(isVarveError(error, "corrupt")).toBe(true);
            expect((error as Error).message).toContain(path);
          }
        },
      ),
    );
  });
});
