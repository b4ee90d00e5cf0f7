import { describe, expect, test } from "vitest";
import { assertsDirectory, type CopyDestination, type CopySource, meansContent, planCopy } from "./plan.ts";

const file: CopySource = { isDirectory: false, name: "f", isContent: false };
const tree: CopySource = { isDirectory: true, name: "d", isContent: false };
const content: CopySource = { isDirectory: true, name: "d", isContent: true };

function to(path: string, kind: CopyDestination["kind"], mustBeDirectory = false): CopyDestination {
  return { path, kind, mustBeDirectory };
}

describe("a copy", () => {
  test.each([
    ["a file into a directory", file, to("/x", "directory"), { directory: "/x", name: "f" }],
    ["a file over a file", file, to("/x/y", "other"), { directory: "/x", name: "y" }],
    ["a file to a new name", file, to("/y", undefined), { directory: "/", name: "y" }],
    ["a tree into a directory", tree, to("/x", "directory"), { directory: "/x", name: "d" }],
    ["a tree to a new name", tree, to("/x/y", undefined, true), { directory: "/x", name: "y" }],
    ["what is in a tree into a directory", content, to("/x", "directory"), { directory: "/x", name: undefined }],
    ["what is in a tree to a new name", content, to("/x/y", undefined), { directory: "/x", name: "y" }],
  ])("of %s", (_, source, destination, plan) => {
    expect(planCopy(source, destination)).toEqual(plan);
  });

  test("of a tree over a file, or of a file to a directory that is not there, is refused", () => {
    expect(() => planCopy(tree, to("/x", "other"))).toThrow("cannot copy a directory over the file /x");
    expect(() => planCopy(file, to("/x", undefined, true))).toThrow("no such directory");
  });
});

describe("a path", () => {
  test("that ends in a slash or a dot means a directory", () => {
    expect(["", "/", "a/", "a/.", ".", "/a/./"].map(assertsDirectory)).toEqual([true, true, true, true, true, true]);
    expect(["a", "a.", "/a/.x", ".."].map(assertsDirectory)).toEqual([false, false, false, false]);
  });

  test("that ends in a dot means what is in the directory", () => {
    expect([".", "a/."].map(meansContent)).toEqual([true, true]);
    expect(["a", "a/", "a.", ".."].map(meansContent)).toEqual([false, false, false, false]);
  });
});
