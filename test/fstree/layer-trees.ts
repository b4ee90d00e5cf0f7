import { join } from "node:path";
import { type Semantics, TreeApplier } from "../../src/fstree/apply.ts";
import { Disassembler } from "../../src/tar/disassemble.ts";
import { listTree, type TreeRecord } from "../../src/testing/tree-listing.ts";
import type { Dockerd } from "../tools/dockerd.ts";
import { cacheIDOf } from "./docker-archive.ts";

export type Driver = "overlay2" | "vfs";

export const SEMANTICS: Readonly<Record<Driver, Semantics>> = { overlay2: "overlay", vfs: "layer" };

/** Takes a layer into a directory as a driver would; an error is passed on with everything closed. */
export function applyLayer(tar: Uint8Array, root: string, driver: Driver): void {
  const applier = new TreeApplier(root, { semantics: SEMANTICS[driver] });
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

/** Where dockerd has unpacked a layer. */
export function treeOf(daemon: Dockerd, driver: Driver, tar: Uint8Array): string {
  const id = cacheIDOf(daemon.root, driver, tar);
  return driver === "overlay2" ? join(daemon.root, "overlay2", id, "diff") : join(daemon.root, "vfs/dir", id);
}

/** What no entry gives a time has that of its making; that it has it must be equal, not when it was. */
export function listUndated(root: string): TreeRecord[] {
  const now = Date.now() / 1000 + 1;
  return listTree(root).map((record) => {
    const seconds = Number.parseFloat(record.mtime);
    return seconds >= started && seconds <= now ? { ...record, mtime: "now" } : record;
  });
}

const started = Math.floor(Date.now() / 1000);
