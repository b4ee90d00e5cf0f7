import { posix } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { randomName } from "../../test/tar/random-tar.ts";
import { fromText } from "../sys/byte-string.ts";
import { cleanName } from "./clean-name.ts";

test.each([
  ["", "."],
  [".", "."],
  ["./", "."],
  ["/", "/"],
  ["//", "/"],
  ["./x", "x"],
  ["x/", "x"],
  ["a//b/../c/", "a/c"],
  ["../../evil", "../../evil"],
  ["a/../../b", "../b"],
  ["/../a", "/a"],
  ["...", "..."],
  ["a/.b/..c", "a/.b/..c"],
])("%j is %j at its shortest", (name, clean) => {
  expect(cleanName(fromText(name))).toBe(clean);
});

test("a name is as short as Node's own normalisation makes it, less the trailing slash", () => {
  fc.assert(
    fc.property(fc.oneof(randomName, fc.stringMatching(/^[a./]*$/).map(fromText)), (name) => {
      const normal = posix.normalize(name);
      expect(cleanName(name)).toBe(normal === "/" ? "/" : normal.replace(/\/$/, ""));
      expect(cleanName(cleanName(name))).toBe(cleanName(name));
    }),
  );
});
