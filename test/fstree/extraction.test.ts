import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApplyOptions, TreeApplier } from "../../src/fstree/apply.ts";
import { copyTree } from "../../src/fstree/copy-tree.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { Disassembler } from "../../src/tar/disassemble.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { compareTrees, listTree, type TreeRecord } from "../../src/testing/tree-listing.ts";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { cacheIDOf, dockerArchive } from "./docker-archive.ts";
import { nastyLayer, upperLayer } from "./nasty-layer.ts";

const lack = lacking("root", "dockerd", "docker");
const base = tarOf(nastyLayer);
const upper = tarOf(upperLayer);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "varve-extraction-"));
});
afterAll(() => removeTree(scratch));

function apply(tar: Uint8Array, root: string, options: ApplyOptions): void {
  const applier = new TreeApplier(root, options);
  try {
    const disassembler = new Disassembler({ line() {}, tree: applier });
    for (let at = 0; at < tar.length; at += 65_536) disassembler.write(tar.subarray(at, at + 65_536));
    disassembler.end();
    applier.finish();
  } catch (error) {
    applier.abort();
    throw error;
  }
}

function makeDirectory(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

const started = Math.floor(Date.now() / 1000);

/** What no entry gives a time has that of its making; that it has it must be equal, not when it was. */
function listUndated(root: string): TreeRecord[] {
  const now = Date.now() / 1000 + 1;
  return listTree(root).map((record) => {
    const seconds = Number.parseFloat(record.mtime);
    return seconds >= started && seconds <= now ? { ...record, mtime: "now" } : record;
  });
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

      function theirs(tar: Uint8Array): string {
        const id = cacheIDOf(daemon.root, driver, tar);
        return driver === "overlay2" ? join(daemon.root, "overlay2", id, "diff") : join(daemon.root, "vfs/dir", id);
      }

      test("type, mode, owner, size, content, attributes, times, links and devices", () => {
        const ours = makeDirectory(`${driver}-base`);
        apply(base, ours, { semantics: driver === "overlay2" ? "overlay" : "layer" });
        // dockerd's own scratch directory lies in the root while it unpacks, and takes the root's time with it.
        expect(compareTrees(listUndated(theirs(base)), listUndated(ours), [".:mtime"])).toEqual([]);
      });

      test("and so on the next layer", () => {
        const ours = makeDirectory(`${driver}-upper`);
        if (driver === "vfs") copyTree(join(scratch, "vfs-base"), ours, { privileged: true });
        apply(upper, ours, { semantics: driver === "overlay2" ? "overlay" : "layer" });
        expect(compareTrees(listUndated(theirs(upper)), listUndated(ours))).toEqual([]);
      });
    });
});
