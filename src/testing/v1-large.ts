import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tarOf } from "./tar-entries.ts";
import { type MadeV1Image, writeV1Entry } from "./v1-graph.ts";
import { emptyV1Tree, type V1Driver } from "./v1-trees.ts";

export interface LargeV1Graph {
  readonly images: number;
  /** How many images stand on each other before the next one starts anew; vfs keeps a copy for each. 10 unless told. */
  readonly chain?: number;
  /** Of each layer; 1 unless told. */
  readonly files?: number;
  /** Bytes of each file; 16 unless told. */
  readonly fileSize?: number;
}

/**
 * Adds many images to a v1 graph, quickly: layers of plain files, whose trees are written directly. Every head gets the
 * tag `large:<number>`.
 *
 * @returns by v1 id, what the images must be after a migration
 *
 * @example
 * makeLargeV1Graph("/tmp/many", "vfs", { images: 2000 });
 * makeLargeV1Graph("/tmp/heavy", "overlay2", { images: 300, files: 10, fileSize: 40_000 });
 */
export function makeLargeV1Graph(root: string, driver: V1Driver, graph: LargeV1Graph): Map<string, MadeV1Image> {
  const { images, chain = 10, files = 1, fileSize = 16 } = graph;
  mkdirSync(join(root, "graph", "_tmp"), { recursive: true, mode: 0o700 });
  const made = new Map<string, MadeV1Image>();
  const heads: Record<string, string> = {};
  let parent: string | undefined;
  let below: { readonly name: string; readonly content: Buffer }[] = [];
  for (let number = 0; number < images; number++) {
    if (number % chain === 0) [parent, below] = [undefined, []];
    const own = Array.from({ length: files }, (_, file) => ({
      name: `file-${number}-${file}`,
      content: noise(`${number}/${file}`, fileSize),
    }));
    const id = createHash("sha256").update(`large ${number}`).digest("hex");
    const tree = emptyV1Tree(root, driver, id, parent);
    if (driver === "vfs") below.push(...own);
    for (const { name, content } of driver === "vfs" ? below : own) {
      const path = join(tree, name);
      writeFileSync(path, content);
      chmodSync(path, 0o644);
      utimesSync(path, MTIME, MTIME);
    }
    const tar = tarOf(own.map((file) => ({ ...file, mtime: { seconds: MTIME, nanoseconds: 0 } })));
    made.set(id, writeV1Entry(root, { id, parent, layer: tar }, tar, files * fileSize, made));
    if (number % chain === chain - 1 || number === images - 1) heads[number] = id;
    parent = id;
  }
  writeFileSync(join(root, `repositories-${driver}`), JSON.stringify({ Repositories: { large: heads } }), {
    mode: 0o600,
  });
  return made;
}

const MTIME = 1_446_458_400;

/** The same bytes for the same seed. */
function noise(seed: string, length: number): Buffer {
  return createHash("shake256", { outputLength: length }).update(seed).digest();
}
