import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VarveError } from "../errors.ts";
import type { GraphID } from "./descriptor.ts";
import { TagStore } from "./tag-store.ts";

const A = "a".repeat(64) as GraphID;
const B = "b".repeat(64) as GraphID;
const DIGEST = `sha256:${"d".repeat(64)}`;

describe("the tags of the graph", () => {
  let directory: string;
  let path: string;
  let tags: TagStore;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "varve-graph-tags-"));
    path = join(directory, "repositories-overlay2");
    tags = new TagStore(path, { sync: false });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const content = (): string => readFileSync(path, "utf8");

  test("are none where there is no file, and asking makes none", () => {
    expect(tags.all()).toEqual([]);
    expect(tags.get("busybox", "latest")).toBeUndefined();
    expect(() => statSync(path)).toThrow("ENOENT");
  });

  test("are written as Docker wrote them, for their owner alone", () => {
    tags.set({ repository: "localhost:5000/app", key: "1", id: B }, { force: false });
    tags.set({ repository: "busybox", key: "latest", id: A }, { force: false });
    tags.set({ repository: "busybox", key: DIGEST, id: A }, { force: false });
    expect(content()).toBe(
      `{"Repositories":{"busybox":{"latest":"${A}","${DIGEST}":"${A}"},"localhost:5000/app":{"1":"${B}"}}}`,
    );
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(tags.of(A)).toEqual([
      { repository: "busybox", key: "latest", id: A },
      { repository: "busybox", key: DIGEST, id: A },
    ]);
  });

  test("move when they are forced to, and digests never", () => {
    tags.set({ repository: "busybox", key: "latest", id: A }, { force: false });
    tags.set({ repository: "busybox", key: DIGEST, id: A }, { force: false });
    expect(() => tags.set({ repository: "busybox", key: "latest", id: B }, { force: false })).toThrow(
      `Conflict: Tag latest is already set to image ${A}, if you want to replace it, please use the force option`,
    );
    expect(() => tags.set({ repository: "busybox", key: DIGEST, id: B }, { force: true })).toThrow(
      `Conflict: Digest ${DIGEST} is already set to image ${A}`,
    );
    expect(tags.of(B)).toEqual([]);
    tags.set({ repository: "busybox", key: "latest", id: B }, { force: true });
    expect(tags.get("busybox", "latest")).toBe(B);
  });

  test("go one by one or with their repository", () => {
    for (const key of ["1", "2", "3"]) tags.set({ repository: "app", key, id: A }, { force: false });
    tags.set({ repository: "other", key: "1", id: A }, { force: false });
    tags.delete("app", "2");
    expect(tags.of(A).map(({ repository, key }) => `${repository}:${key}`)).toEqual(["app:1", "app:3", "other:1"]);
    tags.delete("app");
    tags.delete("other", "1");
    expect(content()).toBe('{"Repositories":{}}');
    expect(() => tags.delete("app")).toThrow("No such repository: app");
    tags.set({ repository: "app", key: "1", id: A }, { force: false });
    expect(() => tags.delete("app", "2")).toThrow("No such tag: app:2");
  });

  test("of another program are seen at once", () => {
    tags.set({ repository: "app", key: "1", id: A }, { force: false });
    new TagStore(path, { sync: false }).set({ repository: "app", key: "2", id: B }, { force: false });
    tags.set({ repository: "app", key: "3", id: A }, { force: false });
    expect(tags.all().map(({ key }) => key)).toEqual(["1", "2", "3"]);
  });

  test("keep what is odd in the file", () => {
    writeFileSync(path, '{"Repositories":{"":{"no tag at all":"x"},"b":null},"More":1}');
    tags.set({ repository: "c", key: "1", id: A }, { force: false });
    expect(content()).toBe(`{"Repositories":{"":{"no tag at all":"x"},"b":null,"c":{"1":"${A}"}},"More":1}`);
  });

  test("of a file that is none are an error, and the file stays", () => {
    writeFileSync(path, "[1]");
    for (const ask of [() => tags.all(), () => tags.set({ repository: "a", key: "1", id: A }, { force: true })])
      expect(ask).toThrow(expect.objectContaining({ code: "corrupt" }));
    expect(content()).toBe("[1]");
  });

  test("of any file are tags or a coded error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        writeFileSync(path, text);
        try {
          tags.all();
        } catch (error) {
          expect(error).toBeInstanceOf(VarveError);
        }
      }),
    );
  });
});
