import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Driver } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import { sourceOf } from "../io/byte-source.ts";
import { fromText } from "../sys/byte-string.ts";
import { formatSplitLine } from "../tar/split.ts";
import { identifyTree, type StrayTree } from "./identity-jobs.ts";

describe("a tree whose file cannot be opened", () => {
  let directory: string;
  let tree: StrayTree;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "varve-identity-"));
    const split = join(directory, "split");
    const file = { kind: "file", name: fromText("f"), size: 1, crc: Buffer.alloc(8) } as const;
    writeFileSync(split, gzipSync(formatSplitLine(file, 0)));
    tree = { cacheID: "tree", parent: undefined, split, newSplit: join(directory, "new") };
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function driverFailingWith(errno: string): Driver {
    const open = (): number => {
      throw new VarveError(errno === "ENOENT" ? "not-found" : "system", `open f: ${errno}`, { errno });
    };
    const content = async (): Promise<unknown> => ({ open, close: () => {} });
    return { content, diff: async () => sourceOf(Buffer.alloc(1024)) } as unknown as Driver;
  }

  test.each(["ENOENT", "ELOOP", "EISDIR", "ENOTDIR"])("is another one than it was: %s", async (errno) => {
    const identity = await identifyTree(tree, driverFailingWith(errno), () => {});
    expect(identity).toMatchObject({ isOriginal: false, length: 1024, reason: `open f: ${errno}` });
  });

  test.each(["EMFILE", "ENFILE", "ENOMEM", "EIO", "ESTALE"])("is not taken for another one: %s", async (errno) => {
    const identity = identifyTree(tree, driverFailingWith(errno), () => {});
    await expect(identity).rejects.toMatchObject({ code: "system", details: { errno } });
  });
});
