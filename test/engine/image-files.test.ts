import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { openDriver } from "../../src/driver/select.ts";
import { type FileEntry, type FileView, joinPath } from "../../src/engine/file-view.ts";
import { ImageFiles } from "../../src/engine/image-files.ts";
import { MountedFiles } from "../../src/engine/mounted-files.ts";
import { isVarveError } from "../../src/errors.ts";
import { collect } from "../../src/io/byte-source.ts";
import { FileMetadata } from "../../src/layer/file-metadata.ts";
import type { Layer } from "../../src/layer/layer.ts";
import { LayerStore } from "../../src/layer/store.ts";
import { type ByteString, fromText } from "../../src/sys/byte-string.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { type TarEntry, tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");
const ROOT = "/" as ByteString;

/** What an image shows without a mount is what the kernel shows of it. */
describe.skipIf(lack)(`an image's files${lack ?? ""}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-image-files-"));
  const stores: Promise<LayerStore> = openStore();
  afterAll(() => removeTree(scratch));

  async function openStore(): Promise<LayerStore> {
    const driver = await openDriver(scratch, { name: "overlay2", durability: "none" });
    return LayerStore.open({ driver, metadata: new FileMetadata(join(scratch, "layerdb"), { sync: false }) });
  }

  /** `undefined` for layers that are refused, as dockerd does too (test/fstree/random-layers). */
  async function stackOf(...tars: readonly Buffer[]): Promise<Layer[] | undefined> {
    const store = await stores;
    const layers: Layer[] = [];
    try {
      for (const tar of tars) layers.push(await store.register(chunksOf(tar), layers.at(-1)?.chainID));
      return layers;
    } catch (error) {
      if (!isVarveError(error)) throw error;
      for (const layer of layers.reverse()) await layer.release();
      return undefined;
    }
  }

  /** Both views of a stack, as one line for each object. */
  async function viewsOf(layers: readonly Layer[]): Promise<{ ours: string[]; kernels: string[] }> {
    const driver = await openDriver(scratch, { name: "overlay2", durability: "none" });
    const top = layers.at(-1)!;
    await using mounted = new MountedFiles(await driver.view(top.cacheID), undefined);
    await using files = await ImageFiles.open(layers);
    const implied = new Set<string>();
    const ours = await listAll(files, (path, { mtime, kind }) => {
      if (kind === "directory" && mtime.seconds === 0) implied.add(path);
    });
    // Nobody knows the time of a directory that no layer describes.
    for (const path of [ROOT, ...implied]) implied.add(path);
    const undated = (line: string): string => (implied.has(line.split(" ", 1)[0]!) ? line.replace(/ @\S+/, "") : line);
    return { ours: ours.map(undated), kernels: (await listAll(mounted)).map(undated) };
  }

  const when = { seconds: 1_600_000_000, nanoseconds: 123_456_789 };
  const lower: TarEntry[] = [
    { name: "./", mode: 0o700, uid: 7 },
    { name: "etc/", mode: 0o750, gid: 4 },
    { name: "etc/passwd", content: "root" },
    { name: "etc/shadow", content: "secret", mode: 0o640, gid: 42 },
    { name: "bin/busybox", content: "\x7fELF", mode: 0o4755, xattrs: { "security.capability": CAPABILITY } },
    { name: "bin/sh", type: "1", linkname: "bin/busybox", mode: 0o4755 },
    { name: "bin/ash", type: "2", linkname: "busybox", mode: 0o777, uid: 3 },
    { name: "usr/", mode: 0o755 },
    { name: "usr/bin", type: "2", linkname: "../bin" },
    { name: "usr/bin/through", content: "a link on the way" },
    { name: "opaque/old", content: "old" },
    { name: "opaque/keeps/deep", content: "old" },
    { name: "tmp/", mode: 0o1777 },
    { name: "tmp/file", content: "1" },
    { name: "dev/null", type: "3", deviceMajor: 1, deviceMinor: 3, mode: 0o666 },
    { name: "dev/sda", type: "4", deviceMajor: 8, deviceMinor: 0, mode: 0o660, gid: 6 },
    { name: "dev/pipe", type: "6" },
    { name: "b\xe9\xff", content: "no UTF-8" },
    { name: "../../clamped", content: "up" },
    { name: "a/../lexical", content: "up" },
    { name: "gone/file", content: "x" },
    { name: "becomes-file/x", content: "x" },
    { name: "becomes-directory", content: "x" },
    { name: "link", type: "2", linkname: "etc" },
  ];
  const upper: TarEntry[] = [
    { name: "etc/.wh.shadow" },
    { name: "tmp/more", content: "its directory is not in the layer" },
    { name: "opaque/" },
    { name: "opaque/keeps/new", content: "before the mark" },
    { name: "opaque/.wh..wh..opq" },
    { name: "opaque/after", content: "after the mark" },
    { name: ".wh.gone" },
    { name: "becomes-file", content: "now a file" },
    { name: "becomes-directory/x", content: "now in a directory" },
    { name: "link/new", content: "a directory hides the link below" },
    { name: "second", content: "", mode: 0o600 },
    { name: "third", type: "1", linkname: "second", mode: 0o604, uid: 9 },
    { name: "whiteout", type: "3", deviceMajor: 0, deviceMinor: 0 },
    { name: "bin/ash", type: "3", deviceMajor: 0, deviceMinor: 0 },
    { name: ".wh..wh.aufs" },
    { name: ".wh..wh.plnk/1", content: "AUFS" },
  ];

  test("of every kind, under whiteouts, opaque directories and links, are those that are mounted", async () => {
    const dated = (entries: TarEntry[]): Buffer =>
      tarOf(entries.map((entry) => ({ uid: 0, gid: 0, mtime: when, ...entry })));
    const layers = await stackOf(dated(lower), dated(upper));
    expect(layers).toBeDefined();
    const { ours, kernels } = await viewsOf(layers!);
    expect(ours).toEqual(kernels);
    expect(kernels.length).toBeGreaterThan(30);
  });

  test("resolve links inside the image, and tell what is not there, not a file or not a directory", async () => {
    const layers = await stackOf(tarOf(lower));
    await using files = await ImageFiles.open(layers!);
    const path = fromText;
    expect(files.stat(path("/link")).kind).toBe("symlink");
    expect(files.stat(path("/link"), { follow: true })).toMatchObject({ kind: "directory", name: "link" });
    expect(files.stat(path("/usr/bin/sh"))).toMatchObject({ name: "sh", size: 4 });
    expect(files.stat(path("/usr/bin/../../etc/./passwd")).size).toBe(4);
    expect(files.stat(path("/"))).toMatchObject({ name: "/", kind: "directory" });
    expect(files.list(path("/link/")).map(({ name }) => name)).toEqual(["passwd", "shadow"]);
    expect(() => files.stat(path("/etc/none"))).toThrow("/etc/none: no such file or directory");
    expect(() => files.stat(path("/etc/passwd/x"))).toThrow("no such file");
    expect(() => files.list(path("/etc/passwd"))).toThrow("not a directory");
    await expect(collect(files.read(path("/etc")), 100)).rejects.toThrow("not a regular file");
  });

  test("in random layers are those that are mounted", async () => {
    let equal = 0;
    for (const stack of fc.sample(fc.tuple(layer, layer), { seed: 7, numRuns: 80 })) {
      const layers = await stackOf(tarOf(BASE), ...stack.map(tarOf));
      if (layers === undefined) continue;
      const { ours, kernels } = await viewsOf(layers);
      expect(ours, JSON.stringify(stack)).toEqual(kernels);
      equal++;
    }
    console.log(`${equal} of 80 random stacks show the same`);
    expect(equal).toBeGreaterThan(30);
  });
});

/** cap_net_raw+ep, revision 2. */
const CAPABILITY = "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

const FIELDS: Readonly<Record<string, Partial<TarEntry>>> = {
  ...Object.fromEntries([..."1256"].map((type) => [type, { content: "" }])),
  "3": { content: "", deviceMajor: 1, deviceMinor: 3 },
};

/** Few names, so that they collide; with times that tell them apart, and never the one of implied directories. */
const COMPONENTS = ["a", "b", "c", ".wh.a", ".wh.b", ".wh..wh..opq", ".wh..wh.plnk", "..", "."];
const name = fc
  .array(fc.constantFrom("a", "b", "c", "a", "b", "c", ...COMPONENTS), { minLength: 1, maxLength: 4 })
  .map((components) => components.join("/"));
const entry = fc
  .record({
    name,
    type: fc.constantFrom("0", "0", "5", "5", "5", "1", "2", "3", "6"),
    linkname: name,
    mode: fc.constantFrom(0o644, 0o775, 0o4711, 0),
    uid: fc.constantFrom(0, 5),
    gid: fc.constantFrom(0, 6),
    content: fc.constantFrom("", "x", "yy"),
    mtime: fc.record({ seconds: fc.integer({ min: 1, max: 1000 }), nanoseconds: fc.constantFrom(0, 5) }),
  })
  .map((each): TarEntry => ({ ...each, ...FIELDS[each.type] }));
const layer = fc.uniqueArray(entry, { minLength: 1, maxLength: 5, selector: ({ name }) => join("/", name) });

const BASE: readonly TarEntry[] = [
  { name: "a/", mode: 0o700, mtime: { seconds: 1, nanoseconds: 0 } },
  { name: "a/b/", mode: 0o750, mtime: { seconds: 2, nanoseconds: 0 } },
  { name: "a/b/c", content: "below", mtime: { seconds: 3, nanoseconds: 0 } },
  { name: "b", type: "2", linkname: "a", mtime: { seconds: 4, nanoseconds: 0 } },
  { name: "c/a/b", content: "below too", mtime: { seconds: 5, nanoseconds: 0 } },
].map((each) => ({ uid: 0, gid: 0, ...each }));

async function listAll(view: FileView, visit: (path: string, entry: FileEntry) => void = () => {}): Promise<string[]> {
  const firstNames = new Map<string, string>();
  const lines: string[] = [];
  const add = async (path: ByteString, entry: FileEntry): Promise<void> => {
    visit(path, entry);
    expect(view.stat(path), path).toEqual(entry);
    lines.push(await describeEntry(view, path, entry, firstNames));
    if (entry.kind === "directory") for (const child of view.list(path)) await add(joinPath(path, child.name), child);
  };
  await add(ROOT, view.stat(ROOT));
  return lines;
}

async function describeEntry(
  view: FileView,
  path: ByteString,
  entry: FileEntry,
  firstNames: Map<string, string>,
): Promise<string> {
  const { kind, mode, uid, gid, size, mtime, linkTarget, deviceMajor, deviceMinor, xattrs, inode } = entry;
  const first = kind === "directory" ? path : (firstNames.get(inode) ?? path);
  firstNames.set(inode, first);
  const content = kind === "file" ? await collect(view.read(path), 1 << 20) : Buffer.alloc(0);
  return [
    path,
    kind,
    kind === "symlink" ? "-" : mode.toString(8),
    `${uid}:${gid}`,
    size,
    `@${mtime.seconds}.${mtime.nanoseconds}`,
    `->${linkTarget ?? ""}`,
    `${deviceMajor}:${deviceMinor}`,
    [...xattrs].map(([key, value]) => `${key}=${Buffer.from(value, "latin1").toString("hex")}`).join(),
    first === path ? "" : `is ${first}`,
    createHash("sha1").update(content).digest("hex"),
  ].join(" ");
}

async function* chunksOf(tar: Buffer): AsyncGenerator<Buffer> {
  yield tar;
}
