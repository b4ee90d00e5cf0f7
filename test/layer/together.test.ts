import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { encodeHeader, fromText, newHeader, paddingOf } from "../../src/tar/index.ts";
import { compareTrees, listTree, type TreeRecord } from "../../src/testing/tree-listing.ts";
import { BuiltProgram } from "../driver/built-program.ts";
import { writeSampleArchive } from "../tools/sample-archive.ts";
import { said, startVarve, ended as untilEnd, varve, varvePath } from "../tools/varve.ts";

/** Layers that are unpacked at the same time. Only built files can run in a worker, so this is the built command. */
const THREADS = ["0", "1", "2", "8"];
const driver = process.getuid?.() === 0 ? "overlay2" : "rootless";

const LAYERS = [0, 1, 2, 3].map((layer) => [
  ...Array.from({ length: 200 }, (_, i) => [`${layer}/${i}`, 100 * i] as const),
  [`${layer}/large`, (layer + 1) << 20] as const,
]);

describe("layers that are unpacked at the same time", () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-together-"));
  const archive = join(scratch, "image.tar");
  let root: string;
  let roots = 0;

  beforeAll(() => {
    varvePath();
    writeSampleArchive(archive, "sample:1", LAYERS);
  });
  beforeEach(() => {
    root = join(scratch, `root-${roots++}`);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const at = (threads: string) => ({ environment: { VARVE_THREADS: threads } });
  const loading = (input: string): string[] => ["--root", root, "--driver", driver, "load", "-i", input];
  const removing = (image: string): string[] => ["--root", root, "rmi", image];
  const layerdb = (...names: string[]): string => join(root, "image", driver, "layerdb", ...names);

  /** All that is kept of each layer, whatever the random names are. */
  function kept(): Record<string, unknown> {
    const records: Record<string, unknown> = {};
    for (const chain of readdirSync(layerdb("sha256"))) {
      const read = (name: string): Buffer => readFileSync(layerdb("sha256", chain, name));
      const names = readdirSync(layerdb("sha256", chain)).sort();
      const texts = names.filter((name) => !/^(cache-id|tar-split)/.test(name)).map((name) => `${name} ${read(name)}`);
      const split = gunzipSync(read("tar-split.json.gz")).toString();
      records[chain] = { names, texts, split, tree: join(root, driver, `${read("cache-id")}`, "diff") };
    }
    return records;
  }

  /** The layers name no directories, so that those have the time of their making. */
  function treeAt(path: string): TreeRecord[] {
    return listTree(path).map((record) => (record.kind === "directory" ? { ...record, mtime: "" } : record));
  }

  function expectNothing(): void {
    for (const place of [join(root, driver), layerdb("tmp"), layerdb("sha256"), join(root, "tmp")])
      if (existsSync(place)) expect(readdirSync(place).filter((name) => name !== "l")).toEqual([]);
  }

  test.each(["tar", "gzip", "oci"])("are the same with any number of threads (%s)", async (kind) => {
    const input = kind === "gzip" ? join(scratch, "gzip.tar") : kind === "oci" ? join(scratch, "oci.tar") : archive;
    if (kind === "gzip") writeArchive(input, { compress: true });
    if (kind === "oci") {
      await said(loading(archive));
      await said(["--root", root, "save", "--format", "oci", "-o", input, "sample:1"]);
    }
    const seen: { records: Record<string, { tree: string }>; digest: string }[] = [];
    for (const threads of THREADS) {
      root = join(scratch, `root-${roots++}`);
      await said(loading(input), at(threads));
      const saved = join(scratch, "saved.tar");
      await said(["--root", root, "save", "-o", saved, "sample:1"]);
      const digest = createHash("sha256").update(readFileSync(saved)).digest("hex");
      seen.push({ records: kept() as Record<string, { tree: string }>, digest });
    }
    const [first, ...others] = seen;
    const withoutTree = (records: Record<string, object>): object =>
      Object.fromEntries(Object.entries(records).map(([chain, record]) => [chain, { ...record, tree: "" }]));
    for (const other of others) {
      expect(other.digest).toBe(first!.digest);
      expect(withoutTree(other.records)).toEqual(withoutTree(first!.records));
      for (const [chain, { tree }] of Object.entries(other.records))
        expect(compareTrees(treeAt(first!.records[chain]!.tree), treeAt(tree))).toEqual([]);
    }
  });

  const FAULTS: Record<string, Parameters<typeof writeArchive>[1]> = {
    "a tar that is cut": { spoil: (tar) => tar.subarray(0, 1000) },
    "a file twice": { spoil: (tar) => Buffer.concat([tar.subarray(0, 1024), tar]) },
    "another DiffID": { spoil: (tar) => Buffer.concat([tar, Buffer.alloc(512)]), honest: false },
    "gzip that is damaged": { compress: true, spoilStored: (gz) => gz.subarray(0, gz.length - 20) },
  };
  test.each(Object.entries(FAULTS))("leave nothing when one has %s, and say what one thread says", async (_, fault) => {
    const input = join(scratch, "faulty.tar");
    writeArchive(input, fault);
    const answers: string[] = [];
    for (const threads of THREADS) {
      root = join(scratch, `root-${roots++}`);
      const { status, error } = await varve(loading(input), at(threads));
      expect(status).toBe(1);
      expectNothing();
      answers.push(error.split("\n").at(-2)!);
    }
    expect(new Set(answers).size, answers.join("\n")).toBe(1);
  });

  test("are all stopped by an interrupt, which leaves nothing", async () => {
    const input = join(scratch, "long.tar");
    writeSampleArchive(input, "long:1", [
      Array.from({ length: 8000 }, (_, i) => [`${i}`, 1000] as const),
      Array.from({ length: 8000 }, (_, i) => [`${i}`, 1000] as const),
      [["large", 100 << 20]],
    ]);
    const child = startVarve(loading(input), at("2"));
    const end = untilEnd(child);
    while (!existsSync(layerdb("tmp")) || readdirSync(layerdb("tmp")).length < 3) await sleep(20);
    await sleep(300);
    child.kill("SIGINT");
    expect((await end).status).toBe(130);
    expectNothing();
  });

  test("are killed in the middle over and over, each time leave a store that opens, and load in the end", async () => {
    const input = join(scratch, "killed.tar");
    const files = Array.from({ length: 3000 }, (_, i) => [`${i}`, 1000] as const);
    writeSampleArchive(input, "killed:1", [files, files.slice(1), files.slice(2), [["large", 50 << 20]]]);
    for (let pause = 0; pause < 800; pause += 200) {
      const child = startVarve(loading(input), at("2"));
      const end = untilEnd(child);
      while (!existsSync(layerdb("tmp")) || readdirSync(layerdb("tmp")).length === 0) await sleep(5);
      await sleep(pause);
      child.kill("SIGKILL");
      await end;
      expect(await varve(["--root", root, "images", "-q"])).toMatchObject({ status: 0, error: "" });
    }
    await said(loading(input), at("2"));
    expect(readdirSync(layerdb("tmp"))).toEqual([]);
    expect(readdirSync(join(root, driver)).filter((name) => name !== "l")).toHaveLength(4);
    const saved = join(scratch, "saved.tar");
    await said(["--root", root, "save", "-o", saved, "killed:1"], at("2"));
    await said(removing("killed:1"), at("2"));
    expectNothing();
    await said(loading(saved), at("0"));
  });

  test.each(THREADS)("may be many, and go as they came (%s threads)", async (threads) => {
    const input = join(scratch, "many.tar");
    writeSampleArchive(
      input,
      "many:1",
      Array.from({ length: 30 }, (_, i) => [[`${i}`, 1000]]),
    );
    expect(await varve([...loading(input), "-q"], at(threads))).toMatchObject({ status: 0, error: "" });
    expect(await varve(removing("many:1"), at(threads))).toMatchObject({ status: 0, error: "" });
    expectNothing();
  });

  test("do not hold a program that forgets what it was saving", async () => {
    const input = join(scratch, "forgotten.tar");
    writeSampleArchive(input, "forgotten:1", [[["large", 30 << 20]]]);
    await said(loading(input));
    using program = new BuiltProgram(FORGETFUL);
    const { status, stderr, stdout } = spawnSync(process.execPath, [program.path, root, driver], { timeout: 30_000 });
    expect({ status, stderr: `${stderr}`, stdout: `${stdout}` }).toEqual({ status: 0, stderr: "", stdout: "much\n" });
  });

  test("come to stand on another process's layer that was published meanwhile", async () => {
    using program = new BuiltProgram(RACE);
    const [whole, lower] = [join(scratch, "whole.tar"), join(scratch, "lower.tar")];
    writeArchive(whole, { layers: 4 });
    writeArchive(lower, { layers: 2 });
    const { stdout, stderr } = spawnSync(process.execPath, [program.path, root, driver, whole, lower]);
    expect(`${stderr}`).toBe("");
    expect(JSON.parse(`${stdout}`)).toEqual({ raced: true, layers: 4 });
    await said(["--root", root, "save", "-o", join(scratch, "raced.tar"), "sample:1"]);
    expect(readdirSync(join(root, driver)).filter((name) => name !== "l")).toHaveLength(4);
    expect(readdirSync(layerdb("tmp"))).toEqual([]);
    const trees = Object.values(kept() as Record<string, { tree: string }>).map(({ tree }) => join(tree, ".."));
    if (driver === "overlay2") {
      const links = trees.map((tree) => `l/${readFileSync(join(tree, "link"))}`);
      const lowers = trees.map((tree) =>
        existsSync(join(tree, "lower")) ? `${readFileSync(join(tree, "lower"))}` : "",
      );
      for (const lower of lowers) for (const link of lower.split(":").filter(Boolean)) expect(links).toContain(link);
      expect(lowers.map((lower) => lower.split(":").filter(Boolean).length).sort()).toEqual([0, 1, 2, 3]);
    }
  });
});

/** Takes some of an archive and leaves it at that. */
const FORGETFUL = `
import { openStore } from "./dist/index.js";
const [root, driver] = process.argv.slice(2);
const store = await openStore({ root, driver, threads: 2 });
const archive = store.save(["forgotten:1"])[Symbol.asyncIterator]();
for (let bytes = 0; bytes < 10 << 20; ) bytes += (await archive.next()).value.length;
console.log("much");
`;

/** Loads an image of four layers; when the first has its record, another store takes in an image of the two lowest. */
const RACE = `
import { Store } from "./dist/engine/store.js";
import { LayerStore } from "./dist/layer/store.js";
const [root, driver, whole, lower] = process.argv.slice(2);
const { registerTogether } = LayerStore.prototype;
let raced = false, layers = 0;
LayerStore.prototype.registerTogether = function (tars, parent, options) {
  return registerTogether.call(this, tars, parent, {
    ...options,
    onLayer: async (layer) => {
      layers++;
      await options.onLayer(layer);
      if (raced) return;
      raced = true;
      const other = await Store.open({ root, driver, durability: "none", threads: 0 });
      await other.load(lower);
      await other.close();
    },
  });
};
const store = await Store.open({ root, driver, durability: "none", threads: 2 });
await store.load(whole);
await store.close();
console.log(JSON.stringify({ raced, layers }));
`;

/** Small layers, three unless said, of which the second can be spoilt. */
function writeArchive(
  path: string,
  options: {
    layers?: number;
    compress?: boolean;
    spoil?: (tar: Buffer) => Buffer;
    /** Whether the config tells the DiffID of what is there. */
    honest?: boolean;
    spoilStored?: (bytes: Buffer) => Buffer;
  },
): void {
  const { layers = 3, compress = false, spoil, honest = true, spoilStored } = options;
  const good = Array.from({ length: layers }, (_, layer) =>
    Buffer.concat([
      ...Array.from({ length: 300 }, (_, i) => member(`${layer}/${i}`, Buffer.alloc(50 * i, `${layer}${i}`))),
      Buffer.alloc(1024),
    ]),
  );
  const there = good.map((tar, i) => (i === 1 && spoil !== undefined ? spoil(tar) : tar));
  const stored = there.map((tar, i) => {
    const bytes = compress ? gzipSync(tar) : tar;
    return i === 1 && spoilStored !== undefined ? spoilStored(bytes) : bytes;
  });
  const diffIDs = (honest ? there : good).map((tar) => `sha256:${createHash("sha256").update(tar).digest("hex")}`);
  const config = Buffer.from(
    JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: diffIDs } }),
  );
  const name = `${createHash("sha256").update(config).digest("hex")}.json`;
  const manifest = [{ Config: name, RepoTags: ["sample:1"], Layers: stored.map((_, i) => `${i}.tar`) }];
  writeFileSync(
    path,
    Buffer.concat([
      member(name, config),
      ...stored.map((bytes, i) => member(`${i}.tar`, bytes)),
      member("manifest.json", Buffer.from(JSON.stringify(manifest))),
      Buffer.alloc(1024),
    ]),
  );
}

function member(name: string, content: Buffer): Buffer {
  const header = newHeader({ name: fromText(name), mode: 0o644, size: content.length });
  return Buffer.concat([encodeHeader(header), content, paddingOf(content.length)]);
}
