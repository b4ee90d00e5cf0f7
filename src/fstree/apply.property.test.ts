import { closeSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { TreeRoot } from "../sys/tree-root.ts";
import { cleanName } from "../tar/clean-name.ts";
import { feed, type TarEntry } from "../testing/tar-entries.ts";
import { compareTrees, listTree } from "../testing/tree-listing.ts";
import { type Semantics, TreeApplier } from "./apply.ts";

/** Few names, so that they collide; many ways to write them. */
const component = fc.constantFrom(
  ...["a", "b", "c", "a", "b", "c", "..", ".", "", ".wh.a", ".wh.b", ".wh..wh..opq", ".wh..wh.plnk", ".wh."],
);
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((components) => components.join("/"));
const entry: fc.Arbitrary<TarEntry> = fc.record({
  name: path,
  type: fc.constantFrom("0", "0", "0", "5", "5", "1", "2", "2", "6", "g"),
  linkname: path,
  mode: fc.nat({ max: 0o7777 }),
  content: fc.string({ maxLength: 3 }),
  mtime: fc.record({ seconds: fc.integer(), nanoseconds: fc.nat({ max: 999_999_999 }) }),
});

/** As tar-split has it: no name twice, no content where a type has none. */
function asLayer(entries: readonly TarEntry[]): TarEntry[] {
  const seen = new Set<string>();
  return entries
    .filter(({ name }) => seen.size < seen.add(cleanName(name as ByteString)).size)
    .map((each) => (each.type === "0" ? each : { ...each, content: "" }));
}

for (const semantics of ["overlay", "layer", "keep-whiteouts"] satisfies Semantics[])
  test(`whatever a tar says, it stays inside, fails with a code, and keeps its content (${semantics})`, () => {
    const scratch = mkdtempSync(join(tmpdir(), "varve-apply-"));
    const root = join(scratch, "root");
    const outside = join(scratch, "a");
    mkdirSync(outside);
    writeFileSync(join(outside, "b"), "outside");
    const untouched = listTree(outside);
    try {
      const before = readdirSync("/proc/self/fd").length;
      fc.assert(
        fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
          removeTree(root);
          mkdirSync(root);
          applyAndFindAgain(root, semantics, asLayer(entries));
          expect(compareTrees(untouched, listTree(outside))).toEqual([]);
          expect(readdirSync(scratch).sort()).toEqual(["a", "root"]);
          expect(readdirSync("/proc/self/fd").length).toBe(before);
        }),
        { numRuns: 120 },
      );
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });

function applyAndFindAgain(root: string, semantics: Semantics, entries: readonly TarEntry[]): void {
  const applier = new TreeApplier(root, { semantics, unprivileged: true });
  let split: string[];
  try {
    split = feed(applier, entries);
    applier.finish();
  } catch (error) {
    applier.abort();
    if (!isVarveError(error)) throw error;
    return;
  }
  using tree = new TreeRoot(root);
  for (const { name, content } of entries) {
    if (content === "" || split.includes(name)) continue;
    const fd = tree.openFile(name as ByteString);
    expect(readFileSync(fd, "utf8")).toBe(content);
    closeSync(fd);
  }
}
