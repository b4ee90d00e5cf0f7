import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ByteString } from "../../src/sys/byte-string.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { cleanName } from "../../src/tar/clean-name.ts";
import { type TarEntry, tarOf } from "../../src/testing/tar-entries.ts";
import { compareTrees } from "../../src/testing/tree-listing.ts";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { dockerArchive } from "./docker-archive.ts";
import { applyLayer, type Driver, listUndated, treeOf } from "./layer-trees.ts";

const lack = lacking("root", "dockerd", "docker");

/** Few names, so that they collide; the seed is fixed, so that a failure stays. */
const COMPONENTS = ["a", "b", "c", "a", "b", "c", "..", ".", "", ".wh.a", ".wh.b", ".wh..wh..opq", ".wh..wh.plnk"];
const WHITEOUTS = [".wh.a", "a/.wh.b", "a/.wh..wh..opq", ".wh..wh..opq", ".wh..wh.plnk/1", "./", "/"];
const NAMES = ["a", "b", "c", "a/b", "a/c", "b/a", "c/a", "a/b/c", "b/c/a"];
const SEED = 20_10_24;
const RUNS = 40;

const oddName = fc
  .array(fc.constantFrom(...COMPONENTS), { minLength: 1, maxLength: 3 })
  .map((components) => components.join("/"))
  .filter((name) => name !== "");
const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.constantFrom(...WHITEOUTS) },
  { weight: 1, arbitrary: oddName },
);
const entry = fc
  .record({
    name,
    type: fc.constantFrom("0", "0", "0", "0", "5", "5", "5", "5", "5", "1", "2", "3", "6"),
    linkname: fc.oneof(name, fc.constant(".wh..wh.plnk/1")),
    mode: fc.constantFrom(0o644, 0o755, 0o2775, 0o4711, 0),
    uid: fc.constantFrom(0, 5, 4_294_967_295),
    gid: fc.constantFrom(0, 6),
    content: fc.constantFrom("", "x", "yy"),
    mtime: fc.record({ seconds: fc.integer({ min: -1000, max: 1000 }), nanoseconds: fc.constantFrom(0, 5) }),
  })
  .map(makeValid);

function makeValid(each: TarEntry & { readonly type: string }): TarEntry {
  const isLink = each.type === "1" || each.type === "2";
  const type = each.name.endsWith("/") && !isLink ? "5" : each.type;
  const device = type === "3" ? { deviceMajor: 1, deviceMinor: 3 } : {};
  return { ...each, ...device, type, content: type === "0" ? each.content! : "" };
}

/** No name twice: that is refused before anything is unpacked. */
const layer = fc.uniqueArray(entry, {
  minLength: 1,
  maxLength: 6,
  selector: (each) => cleanName(each.name as ByteString),
});

/** What the random layers are put on, where the driver can see it. */
const base = tarOf(
  [
    { name: "a/" },
    { name: "a/b/" },
    { name: "a/b/c", content: "below" },
    { name: "b", type: "2", linkname: "a" },
    { name: "c", content: "below too" },
    { name: "a/c", type: "2", linkname: "/c" },
  ].map((each) => ({ uid: 0, gid: 0, ...each })),
);

describe.skipIf(lack)(`random layers are unpacked, and refused, as dockerd does it${lack ?? ""}`, () => {
  for (const driver of ["overlay2", "vfs"] satisfies Driver[])
    test(driver, async () => {
      const scratch = mkdtempSync(join(tmpdir(), "varve-random-"));
      const daemon = await start({ driver });
      try {
        const outcomes: string[] = [];
        for (const entries of fc.sample(layer, { seed: SEED, numRuns: RUNS }))
          outcomes.push(await compare(daemon, driver, entries, scratch));
        const count = (outcome: string) => outcomes.filter((each) => each === outcome).length;
        console.log(
          `${driver}: ${count("equal")} equal, ${count("refused")} refused, ${count("lost")} not to be saved`,
        );
        expect(count("equal")).toBeGreaterThan(RUNS / 5);
      } finally {
        await daemon.stop();
        removeTree(scratch);
      }
    });
});

async function compare(
  daemon: Dockerd,
  driver: Driver,
  entries: readonly TarEntry[],
  scratch: string,
): Promise<string> {
  const tar = tarOf(entries);
  const layers = driver === "vfs" ? [base, tar] : [tar];
  const theirs = await outcomeOf(() => daemon.docker(["load"], { input: dockerArchive("random", layers) }));
  const root = join(mkdtempSync(join(scratch, "tree-")), "root");
  mkdirSync(root, { mode: 0o755 });
  const ours = await outcomeOf(() => {
    for (const layer of layers) applyLayer(layer, root, driver);
  });
  const shown = JSON.stringify(entries);
  if (ours?.includes("could then not be saved again")) return "lost";
  // An opaque root takes the scratch directory that dockerd has in it.
  if (theirs?.includes("temp-docker-extract")) return "dockerd stumbles over itself";
  expect(ours === undefined, `${shown}\nours: ${ours}\ntheirs: ${theirs}`).toBe(theirs === undefined);
  if (theirs !== undefined) return "refused";
  const differences = compareTrees(listUndated(treeOf(daemon, driver, tar)), listUndated(root), [".:mtime"]);
  expect(differences, shown).toEqual([]);
  return "equal";
}

async function outcomeOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return String(error);
  }
}
