/** A v1 graph with a bit of everything, and plain looks at a root that has been migrated, by nobody's code but its own. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll } from "vitest";
import { migrateGraph } from "../../src/index.ts";
import type { ByteString } from "../../src/sys/byte-string.ts";
import { type TarEntry, tarOf } from "../../src/testing/tar-entries.ts";
import { listTree, type TreeRecord } from "../../src/testing/tree-listing.ts";
import { makeV1Graph, type V1Container, type V1GraphDescription, type V1Image } from "../../src/testing/v1-graph.ts";
import { entriesOf } from "../../src/testing/v1-tar-data.ts";
import type { V1Driver } from "../../src/testing/v1-trees.ts";

const named = (letter: string): string => letter.repeat(64);

/** A chain of four, and on its third image three with the same layer, one of which carries another. */
export const BASE: string = named("1");
export const FILES: string = named("2");
export const GONE: string = named("3");
export const OLD: string = named("4");
export const TWIN: string = named("5");
export const OTHER: string = named("6");
export const SAME: string = named("7");
export const TOP: string = named("8");
export const RUN: string = named("a");
export const BARE: string = named("b");
export const IDLE: string = named("c");
export const NOBODY: string = named("0");

const PLAIN: Partial<TarEntry> = { uid: 0, gid: 0 };
const CAPABILITY = "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

const FILES_LAYER = tarOf(
  [
    { name: "data/", mode: 0o750 },
    { name: "data/a", content: "a".repeat(3000) },
    { name: "data/b", content: "b", mode: 0o4755 },
    { name: "data/cap", content: "x", xattrs: { "security.capability": CAPABILITY } },
    { name: "data/hard", type: "1", linkname: "data/a" },
    { name: "data/null", type: "3", deviceMajor: 1, deviceMinor: 3 },
    { name: "data/soft", type: "2", linkname: "a" },
    { name: "data/\xc3\xa4&<b>", content: "umlaut" },
    { name: "data/x\xffy", content: "raw" },
    { name: "gone/" },
    { name: "gone/c", content: "c" },
    { name: "opaque/" },
    { name: "opaque/old", content: "old" },
  ].map((entry) => ({ ...PLAIN, ...entry })),
);
const GONE_LAYER = tarOf(
  [
    { name: ".wh.gone" },
    { name: "data/", mode: 0o750 },
    { name: "data/.wh.b" },
    { name: "opaque/" },
    { name: "opaque/.wh..wh..opq" },
    { name: "opaque/new", content: "new" },
  ].map((entry) => ({ ...PLAIN, ...entry })),
);
/** As a driver writes what it finds, so that a layer without a record comes out the same. */
const FOUND = { ...PLAIN, userName: "root" as ByteString, groupName: "root" as ByteString };
const OLD_LAYER = tarOf([
  { ...FOUND, name: "old/", mode: 0o040755 },
  { ...FOUND, name: "old/file", content: "from before 1.8", mode: 0o100644 },
  { ...FOUND, name: "old/link", type: "2", linkname: "file", mode: 0o120777 },
]);
const TWIN_LAYER = tarOf([{ ...PLAIN, name: "twin", content: "the same in three" }]);
const TOP_LAYER = tarOf([{ ...PLAIN, name: "top", content: "on a twin" }]);
const CHANGES = tarOf([
  { ...PLAIN, name: "added", content: "by the container" },
  { ...PLAIN, name: "data/", mode: 0o750 },
  { ...PLAIN, name: "data/.wh.a" },
]);

const STEP = { Cmd: ["/bin/sh", "-c", "a step of two images && <more>"] };

/** Where images lie in its ids' order; parents come first. @param base the layer of the base image */
export function migrationImages(base: Uint8Array): V1Image[] {
  return [
    { id: BASE, layer: base, checksum: "digest" },
    {
      id: FILES,
      parent: BASE,
      layer: FILES_LAYER,
      layout: "digests",
      checksum: "digest",
      v1Compatibility: true,
      fields: { odd: { kept: [1, 2.5, "<&>"] }, author: "somebody", comment: "with files" },
    },
    { id: GONE, parent: FILES, layer: GONE_LAYER, layout: "digests", parentFile: true, checksum: "none" },
    {
      id: OLD,
      parent: GONE,
      layer: OLD_LAYER,
      tarData: false,
      layerSize: false,
      checksum: "tarsum",
      fields: { docker_version: "1.7.0", odd: "dropped" },
    },
    { id: TWIN, parent: GONE, layer: TWIN_LAYER },
    { id: OTHER, parent: GONE, layer: TWIN_LAYER, fields: { container_config: STEP } },
    { id: SAME, parent: GONE, layer: TWIN_LAYER, fields: { container_config: STEP } },
    { id: TOP, parent: OTHER, layer: TOP_LAYER },
  ];
}

export const CONTAINERS: readonly V1Container[] = [
  {
    id: RUN,
    image: TOP,
    changes: CHANGES,
    fields: { Path: "/bin/sh", Args: ["-c", "cat /top /twin /added; ls /data /opaque"], Odd: "<kept>" },
  },
  { id: BARE, image: OLD, init: false, changes: tarOf([{ ...PLAIN, name: "old/.wh.file" }]) },
  { id: IDLE, image: BASE },
];

export const TAGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  box: { latest: BASE },
  "user/app": { v1: FILES, latest: GONE },
  "host:5000/app": { latest: OLD, [`sha256:${named("d")}`]: TOP },
  twins: { one: TWIN, other: OTHER, same: SAME },
  nobody: { latest: NOBODY },
  "No Name": { latest: BASE },
  odd: { "no tag!": BASE },
};
/** As `left` names the last three. */
export const LEFT_TAGS: readonly string[] = ["No Name:latest", "nobody:latest", "odd:no tag!"];
export const KEPT_TAGS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(TAGS)
    .flatMap(([name, keys]) => Object.entries(keys).map(([key, id]) => [nameOf(name, key), id] as const))
    .filter(([name]) => !LEFT_TAGS.includes(name)),
);

/** Small enough to be made over and over. */
export const SMALL_BASE: Buffer = tarOf([
  { ...PLAIN, name: "etc/" },
  { ...PLAIN, name: "etc/motd", content: "hello" },
]);

export function migrationGraph(driver: V1Driver, base: Uint8Array = SMALL_BASE): V1GraphDescription {
  return { driver, images: migrationImages(base), containers: CONTAINERS, tags: TAGS };
}

/**
 * Roots for a file's tests: the graph as it was made, one that was migrated without trouble to compare with, and for each
 * test a copy of the former. They are there from the first test to the last.
 */
export function migrationRoots(driver: V1Driver): { whole: string; reference: string; fresh(): string } {
  const scratch = mkdtempSync(join(tmpdir(), "varve-migration-"));
  const [whole, reference] = [join(scratch, "whole"), join(scratch, "reference")];
  let copies = 0;
  beforeAll(async () => {
    makeV1Graph(whole, migrationGraph(driver));
    copyTree(whole, reference);
    await migrateGraph({ root: reference });
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const fresh = (): string => {
    const root = join(scratch, `root-${copies++}`);
    copyTree(whole, root);
    return root;
  };
  return { whole, reference, fresh };
}

function nameOf(name: string, key: string): string {
  return key.includes(":") ? `${name}@${key}` : `${name}:${key}`;
}

/** What Docker counts for a migrated layer: the bytes of its files (FORMATS 11.4). */
export function sizeOfFiles(layer: Uint8Array | string): number {
  return entriesOf(typeof layer === "string" ? readFileSync(layer) : Buffer.from(layer)).reduce(
    (sum, { size }) => sum + size,
    0,
  );
}

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A copy of a file or a directory, its times, owners, links and attributes too. */
export function copyTree(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to]);
}

/**
 * All that a migration makes, each file with its mode and its content: the stores, the containers' new records, and the
 * notes of what is done. What is compressed is there uncompressed, long contents by their digest.
 */
export function migrated(root: string, driver: V1Driver): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (path: string, wanted: (name: string) => boolean): void => {
    for (const name of readdirSync(path).sort()) {
      const stat = lstatSync(join(path, name));
      if (stat.isDirectory()) visit(join(path, name), wanted);
      if (!stat.isFile() || !wanted(name) || name.startsWith(DRAFT)) continue;
      const bytes = readFileSync(join(path, name));
      const content = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
      const shown = content.length > 2000 ? sha256(content) : content.toString();
      found[join(path, name).slice(root.length + 1)] = `${(stat.mode & 0o7777).toString(8)} ${shown}`;
    }
  };
  if (existsSync(join(root, "image", driver))) visit(join(root, "image", driver), () => true);
  if (existsSync(join(root, "graph"))) visit(join(root, "graph"), (name) => name.startsWith(".migration-"));
  if (existsSync(join(root, "containers"))) visit(join(root, "containers"), (name) => !OLD_RECORDS.includes(name));
  for (const name of readdirSync(root).filter((name) => name.startsWith(".migration-")))
    found[name] = readFileSync(join(root, name), "utf8");
  return found;
}

/** Of a file that is about to be replaced, which Docker leaves, too, when it is killed. */
const DRAFT = ".tmp-";
const OLD_RECORDS = ["config.json", "hostconfig.json"];

/**
 * The old store as it lies there: graph, trees, tags and containers, with every attribute but what a migration may change:
 * its own notes, the time of a directory that has one, and how many names a `tar-data.json.gz` has.
 */
export function oldStore(root: string, driver: V1Driver): (TreeRecord & { store: string })[] {
  const records = ["graph", driver, "containers"].flatMap((store) =>
    listTree(join(root, store)).map((record) => ({ store, ...record })),
  );
  const kept = records.filter(({ path }) => !/(^|\/)(\.migration-[^/]*|(\.tmp-)?config\.v2\.json[0-9]*)$/.test(path));
  const tags = readFileSync(join(root, `repositories-${driver}`), "utf8");
  return [
    { store: `repositories ${tags}`, path: ".", kind: "file", mode: "", owner: "", mtime: "", xattrs: {} },
    ...kept.map((record) => {
      if (record.store === driver) return record;
      const { links: _, sameAs: __, ...rest } = record;
      return record.kind === "directory" && /^[0-9a-f]{64}$/.test(record.path) ? { ...rest, mtime: "" } : rest;
    }),
  ];
}

/** Everything in a root but Varve's own directory, and the time of the root that holds it. */
export function rootWithoutSide(root: string): TreeRecord[] {
  return listTree(root)
    .filter(({ path }) => path !== "varve" && !path.startsWith("varve/"))
    .map((record) => (record.path === "." ? { ...record, mtime: "" } : record));
}
