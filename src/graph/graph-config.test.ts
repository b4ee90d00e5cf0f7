import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DiffID } from "../digest/chain-id.ts";
import { digestOf } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import { type GraphID, readDescriptor } from "./descriptor.ts";
import { fullJson, imageOfGraph } from "./graph-config.ts";

const ID = "a".repeat(64) as GraphID;
const LOWER = `sha256:${"1".repeat(64)}` as DiffID;
const UPPER = `sha256:${"2".repeat(64)}` as DiffID;

const json = (fields: Record<string, unknown>): Buffer =>
  Buffer.from(JSON.stringify({ id: ID, created: "2015-11-02T10:00:00.5+01:00", docker_version: "1.9.1", ...fields }));

describe("an image of the graph as one of today", () => {
  const base = imageOfGraph(ID, json({ author: "me", os: "linux" }), LOWER, undefined);
  const child = imageOfGraph(
    ID,
    json({ parent: ID, container_config: { Cmd: ["/bin/sh", "-c", "make"] }, comment: "mine", strange: [1] }),
    UPPER,
    base,
  );

  test("has its parent's layers and history, and its own on top", () => {
    expect(JSON.parse(`${child.raw}`)).toEqual({
      comment: "mine",
      container_config: { Cmd: ["/bin/sh", "-c", "make"] },
      created: "2015-11-02T10:00:00.5+01:00",
      docker_version: "1.9.1",
      history: [
        { created: "2015-11-02T10:00:00.5+01:00", author: "me" },
        { created: "2015-11-02T10:00:00.5+01:00", created_by: "/bin/sh -c make", comment: "mine" },
      ],
      rootfs: { type: "layers", diff_ids: [LOWER, UPPER] },
      strange: [1],
    });
  });

  test("is named by its bytes", () => {
    expect(child.id).toBe(digestOf(child.raw));
    expect(child.diffIDs).toEqual([LOWER, UPPER]);
  });

  test("of any JSON is one or a coded error that names it", () => {
    const text = fc.oneof(
      fc.json(),
      fc.record({ created: fc.json() }).map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(text, (bytes) => {
        try {
          expect(imageOfGraph(ID, Buffer.from(bytes), UPPER, base).diffIDs).toEqual([LOWER, UPPER]);
        } catch (error) {
          expect(error).toBeInstanceOf(VarveError);
          expect((error as VarveError).code).toBe("corrupt");
          expect((error as VarveError).message).toContain(ID);
        }
      }),
    );
  });
});

describe("the JSON of an image for who has nothing but that", () => {
  const PARENT = "b".repeat(64) as GraphID;
  const fullOf = (text: string, parentFile?: string): string => {
    const bytes = Buffer.from(text);
    return fullJson(readDescriptor(ID, bytes, parentFile), bytes).toString();
  };

  test.each([`{"parent":"${PARENT}", "id":"${ID}","x":1.0}`, `{ "id":"${ID}"}`])("is %s as it lies there", (text) => {
    expect(fullOf(text)).toBe(text);
  });

  test.each([
    ["only digests", `{"parent_id":"sha256:${PARENT}","x":1.0}`, undefined],
    ["another parent than its file", `{"x":1.0,"Parent":"${ID}","id":"${ID}"}`, PARENT],
  ])("names the image and its parent where the other has %s", (_, text, file) => {
    const full = fullOf(text, file);
    expect(full).toContain(`"id":"${ID}","parent":"${PARENT}"`);
    expect(full).toContain('"x":1.0');
    expect(full).not.toContain("Parent");
  });

  test("of a base has no parent", () => {
    expect(fullOf('{"x":"<"}')).toBe(`{"id":"${ID}","x":"\\u003c"}`);
  });
});
