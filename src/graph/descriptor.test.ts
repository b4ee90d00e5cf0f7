import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VarveError } from "../errors.ts";
import { type GraphID, isGraphID, readDescriptor } from "./descriptor.ts";

const ID = "a".repeat(64) as GraphID;
const PARENT = "b".repeat(64) as GraphID;
const OTHER = "c".repeat(64) as GraphID;

const read = (json: object | string, parentFile?: string) =>
  readDescriptor(ID, Buffer.from(typeof json === "string" ? json : JSON.stringify(json)), parentFile);

describe("the JSON of an image of the graph", () => {
  test("names the image and its parent, in the layout until 1.8", () => {
    const { id, parent, image } = read({ id: ID, parent: PARENT, author: "me", docker_version: "1.6.0" });
    expect({ id, parent, author: image.author }).toEqual({ id: ID, parent: PARENT, author: "me" });
  });

  test("names neither in the layout of 1.9, but a digest of the parent's", () => {
    const { id, parent } = read({ layer_id: `sha256:${OTHER}`, parent_id: `sha256:${PARENT}` });
    expect({ id, parent }).toEqual({ id: ID, parent: PARENT });
  });

  test.each([
    ["the file over all", { parent: PARENT, parent_id: `sha256:${PARENT}` }, OTHER, OTHER],
    ["parent over parent_id", { parent: OTHER, parent_id: `sha256:${PARENT}` }, undefined, OTHER],
    ["an empty file counts for nothing", { parent: PARENT }, "", PARENT],
    ["no parent at all", {}, undefined, undefined],
    ["a parent_id that is no digest counts for nothing", { parent_id: "sha256:x" }, undefined, undefined],
  ])("has one parent: %s", (_, json, file, parent) => {
    expect(read(json, file).parent).toBe(parent);
  });

  test.each([
    ["is another image's", { id: OTHER }, undefined, `Image stored at '${ID}' has wrong id '${OTHER}'`],
    ["is cut off", "{", undefined, `image ${ID}: unexpected end of JSON input`],
    ["is a list", "[]", undefined, /^image a+: json: cannot unmarshal array/],
    ["has a parent that is no id", { parent: "../x" }, undefined, `image ${ID}: its parent "../x" is no image id`],
    ["has a parent file that is none", {}, "nobody", `image ${ID}: its parent "nobody" is no image id`],
  ])("is refused when it %s", (_, json, file, message) => {
    expect(() => read(json, file)).toThrow(expect.objectContaining({ code: "corrupt" }));
    expect(() => read(json, file)).toThrow(message);
  });

  test("of any bytes makes an image or a coded error", () => {
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ id: fc.json(), parent: fc.string() }).map((v) => JSON.stringify(v)),
    );
    fc.assert(
      fc.property(text, fc.option(fc.string(), { nil: undefined }), (json, file) => {
        try {
          const { id, parent } = read(json, file);
          expect(id).toBe(ID);
          expect(parent === undefined || isGraphID(parent)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(VarveError);
        }
      }),
    );
  });
});
