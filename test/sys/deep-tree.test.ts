import { constants, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { closeFile, makeDirectoryAt, openAt, openDirectory } from "../../src/sys/at.ts";
import { fromText } from "../../src/sys/byte-string.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";

test("a tree of 20,000 levels, which no path reaches, is removed with a bounded number of descriptors", () => {
  const path = mkdtempSync(join(tmpdir(), "varve-deep-"));
  const name = fromText("some-directory");
  let dir = openDirectory(path);
  for (let depth = 0; depth < 20_000; depth++) {
    makeDirectoryAt(dir, name, 0o755);
    const below = openAt(dir, name, constants.O_RDONLY | constants.O_DIRECTORY);
    closeFile(dir);
    dir = below;
  }
  closeFile(dir);
  removeTree(join(path, "some-directory"));
  expect(readdirSync(path)).toEqual([]);
  removeTree(path);
});
