import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { type V1Driver, v1TreeOf } from "./v1-trees.ts";

/**
 * What can be wrong with one entry of a v1 graph.
 *
 * | harm | what is there then |
 * |---|---|
 * | `json-cut` | a `json` that ends in the middle |
 * | `json-missing` | no `json` |
 * | `other-id` | a `json` with the id of somebody else |
 * | `parent-missing` | a `json` with a parent that nobody has |
 * | `own-parent` | a `json` with itself as the parent: the shortest cycle |
 * | `tree-missing` | no tree in the driver |
 * | `file-changed` | a tree with a file that is not the one of `tar-data.json.gz`; its size and times are as they were |
 * | `tar-data-cut` | a `tar-data.json.gz` that ends in the middle |
 * | `tar-data-strange` | a `tar-data.json.gz` whose lines are no JSON |
 * | `layersize-strange` | a `layersize` that is no number |
 */
export type V1Harm =
  | "json-cut"
  | "json-missing"
  | "other-id"
  | "parent-missing"
  | "own-parent"
  | "tree-missing"
  | "file-changed"
  | "tar-data-cut"
  | "tar-data-strange"
  | "layersize-strange";

/** Spoils the entry `id` of a v1 graph, whose `json` is of the layout `ids` where the harm changes it. */
export function harmV1Image(root: string, driver: V1Driver, id: string, harm: V1Harm): void {
  const file = (name: string): string => join(root, "graph", id, name);
  const cut = (name: string): void => {
    const bytes = readFileSync(file(name));
    writeFileSync(file(name), bytes.subarray(0, bytes.length >> 1));
  };
  const change = (fields: Record<string, unknown>): void =>
    writeFileSync(file("json"), JSON.stringify({ ...JSON.parse(readFileSync(file("json"), "utf8")), ...fields }));
  const harms: Readonly<Record<V1Harm, () => void>> = {
    "json-cut": () => cut("json"),
    "json-missing": () => rmSync(file("json")),
    "other-id": () => change({ id: NOBODY }),
    "parent-missing": () => change({ parent: NOBODY }),
    "own-parent": () => change({ parent: id }),
    "tree-missing": () => {
      const tree = v1TreeOf(root, driver, id);
      rmSync(driver === "vfs" ? tree : dirname(tree), { recursive: true });
    },
    "file-changed": () => changeFile(v1TreeOf(root, driver, id)),
    "tar-data-cut": () => cut("tar-data.json.gz"),
    "tar-data-strange": () => writeFileSync(file("tar-data.json.gz"), gzipSync("no JSON\n")),
    "layersize-strange": () => writeFileSync(file("layersize"), "many"),
  };
  harms[harm]();
}

/** An id that no image has. */
const NOBODY = "0".repeat(63).concat("1");

/** Makes two images each other's parent. Their `json` is of the layout `ids`. */
export function tieV1Images(root: string, one: string, other: string): void {
  for (const [id, parent] of [
    [one, other],
    [other, one],
  ] as const) {
    const path = join(root, "graph", id, "json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), parent }));
  }
}

/** Leaves in `graph/` what a Docker that was killed, and its keeper, leave: half an entry in `_tmp`, and names that are no ids. */
export function litterV1Graph(root: string): void {
  const draft = join(root, "graph", "_tmp", "f".repeat(64));
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  writeFileSync(join(draft, "layersize"), "12", { mode: 0o600 });
  for (const name of ["not-an-id", "A".repeat(64), "a".repeat(63)]) {
    mkdirSync(join(root, "graph", name), { mode: 0o700 });
    writeFileSync(join(root, "graph", name, "json"), "{}", { mode: 0o600 });
  }
  appendFileSync(join(root, "graph", "a note"), "by hand");
}

/** Turns over the first byte of the first file that has one. */
function changeFile(tree: string): void {
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || statSync(path).size === 0) continue;
    const bytes = readFileSync(path);
    bytes[0]! ^= 0xff;
    writeFileSync(path, bytes);
    return;
  }
  throw new Error(`${tree} has no file to change`);
}
