import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyTree } from "../../src/fstree/copy-tree.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { compareTrees } from "../../src/testing/tree-listing.ts";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { dockerArchive } from "./docker-archive.ts";
import { applyLayer, listUndated, treeOf } from "./layer-trees.ts";
import { nastyLayer, upperLayer } from "./nasty-layer.ts";

const lack = lacking("root", "dockerd", "docker");
const base = tarOf(nastyLayer);
const upper = tarOf(upperLayer);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "varve-extraction-"));
});
afterAll(() => removeTree(scratch));

function makeDirectory(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

describe.skipIf(lack)(`an extracted layer equals what dockerd extracted${lack ?? ""}`, () => {
  for (const driver of ["overlay2", "vfs"] as const)
    describe(driver, () => {
      let daemon: Dockerd;
      beforeAll(async () => {
        daemon = await start({ driver });
        await daemon.docker(["load"], { input: dockerArchive("nasty", [base, upper]) });
      });
      afterAll(() => daemon?.stop());

      test("type, mode, owner, size, content, attributes, times, links and devices", () => {
        const ours = makeDirectory(`${driver}-base`);
        applyLayer(base, ours, driver);
        // dockerd's own scratch directory lies in the root while it unpacks, and takes the root's time with it.
        expect(compareTrees(listUndated(treeOf(daemon, driver, base)), listUndated(ours), [".:mtime"])).toEqual([]);
      });

      test("and so on the next layer", () => {
        const ours = makeDirectory(`${driver}-upper`);
        if (driver === "vfs") copyTree(join(scratch, "vfs-base"), ours, { privileged: true });
        applyLayer(upper, ours, driver);
        expect(compareTrees(listUndated(treeOf(daemon, driver, upper)), listUndated(ours))).toEqual([]);
      });
    });
});
