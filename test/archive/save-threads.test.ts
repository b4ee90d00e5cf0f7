import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BuiltProgram } from "../driver/built-program.ts";
import { writeSampleArchive } from "../tools/sample-archive.ts";
import { ended, type Ran, said, startVarve, varve, varvePath } from "../tools/varve.ts";

/** Layers that are written at the same time. Only built files can run in a worker, so this is the built command. */
const THREADS = ["0", "1", "2", "8"];
const FORMATS = ["docker", "docker-25", "oci"];
const isRoot = process.getuid?.() === 0;
const DRIVERS = isRoot ? ["overlay2", "vfs", "rootless"] : ["rootless"];
const [driver] = DRIVERS as [string];

const SHARED = [
  Array.from({ length: 300 }, (_, i) => [`0/${i}`, 37 * i] as const),
  [["1/large", (9 << 20) + 77] as const, ["1/window", 1 << 19] as const, ["1/longer", (1 << 19) + 1] as const],
];
const LAYERS = [...SHARED, [["2/file", 100_000] as const], [], [["4/large", 5 << 20] as const]];

describe("images that are saved by worker threads", () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-save-threads-"));
  const roots = Object.fromEntries(DRIVERS.map((name) => [name, join(scratch, name)]));
  const root = roots[driver]!;
  const on = (name: string): string[] => ["--root", roots[name]!, "--driver", name];
  const saveLarge = [...on(driver), "save", "large:1"];
  const IMAGES = ["large:1", "other:1"];

  beforeAll(async () => {
    varvePath();
    const archive = join(scratch, "image.tar");
    for (const name of DRIVERS) mkdirSync(roots[name]!);
    writeSampleArchive(archive, "large:1", LAYERS);
    for (const name of DRIVERS) await said([...on(name), "load", "-i", archive]);
    // Noise is other noise each time; the second image has the first one's lower layers.
    const lower = await said([...on(driver), "inspect", "large:1"]);
    const { RootFS } = (JSON.parse(lower) as [{ RootFS: { Layers: string[] } }])[0];
    const config = JSON.stringify({
      architecture: "amd64",
      os: "linux",
      created: "2026-02-02T00:00:00Z",
      rootfs: { type: "layers", diff_ids: RootFS.Layers.slice(0, 3) },
    });
    for (const name of DRIVERS) await said([...on(name), "load"], { input: thin(config) });
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  /** An archive without layers, of an image whose layers are there. */
  function thin(config: string): Buffer {
    const directory = mkdtempSync(join(scratch, "thin-"));
    const name = `${createHash("sha256").update(config).digest("hex")}.json`;
    const count = (JSON.parse(config) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids.length;
    const Layers = Array.from({ length: count }, (_, i) => `${i}.tar`);
    writeFileSync(join(directory, name), config);
    writeFileSync(join(directory, "manifest.json"), JSON.stringify([{ Config: name, RepoTags: ["other:1"], Layers }]));
    return execFileSync("tar", ["-C", directory, "-c", name, "manifest.json"]);
  }

  const at = (threads: string) => ({ environment: { VARVE_THREADS: threads } });

  async function toFile(threads: string, ...args: string[]): Promise<Buffer> {
    const path = join(scratch, "saved.tar");
    await said([...args, "-o", path], at(threads));
    const bytes = readFileSync(path);
    rmSync(path);
    return bytes;
  }

  // Formats differ in what lies around the layers, drivers in where their files are: no need for each with each.
  test.each([...FORMATS.map((format) => [driver, format]), ...DRIVERS.slice(1).map((name) => [name, FORMATS[0]!])])(
    "on %s are the same bytes as %s, to a file and to a pipe, with any number of threads",
    async (name, format) => {
      const saving = [...on(name!), "save", "--format", format!, ...IMAGES];
      const expected = await varve(saving, at("0"));
      expect(expected.status).toBe(0);
      expect(expected.output.length).toBeGreaterThan(15 << 20);
      for (const threads of THREADS) {
        const piped = await varve(saving, at(threads));
        expect(piped.error).toBe("");
        expect(piped.output.equals(expected.output), `${threads} threads, to a pipe`).toBe(true);
        expect((await toFile(threads, ...saving)).equals(expected.output), `${threads} threads, to a file`).toBe(true);
      }
    },
  );

  const records = (): string => join(root, "image", driver, "layerdb/sha256");

  /** The record and the tree of the layer that holds a file. */
  function layerOf(file: string): { record: string; tree: string } {
    for (const chain of readdirSync(records())) {
      const record = join(records(), chain);
      const tree = join(root, driver, readFileSync(join(record, "cache-id"), "utf8"), "diff");
      if (spawnSync("test", ["-e", join(tree, file)]).status === 0) return { record, tree };
    }
    throw new Error(`no layer has ${file}`);
  }

  describe.each(THREADS)("that are damaged, with %s threads", (threads) => {
    async function failsWith(reason: RegExp): Promise<void> {
      const output = mkdtempSync(join(scratch, "out-"));
      writeFileSync(join(output, "old.tar"), "old");
      const saved = await varve([...saveLarge, "-o", join(output, "old.tar")], at(threads));
      const piped = await varve(saveLarge, at(threads));
      for (const { status, error } of [saved, piped] satisfies Ran[]) {
        expect(error).toMatch(reason);
        expect(status).toBe(1);
      }
      expect(readdirSync(output)).toEqual(["old.tar"]);
      expect(readFileSync(join(output, "old.tar"), "utf8")).toBe("old");
    }

    /** Runs `work` while a file has another content. */
    async function spoiling(
      path: string,
      spoil: (good: Buffer) => Uint8Array,
      work: () => Promise<void>,
    ): Promise<void> {
      const good = readFileSync(path);
      writeFileSync(path, spoil(good));
      try {
        await work();
      } finally {
        writeFileSync(path, good);
      }
    }

    test("fail when a file holds something else", async () => {
      const flip = (good: Buffer): Buffer => {
        const bad = Buffer.from(good);
        bad[4 << 20]! ^= 1;
        return bad;
      };
      const failing = () => failsWith(/^varve: file integrity checksum failed for "4\/large"\. Load the image again/);
      await spoiling(join(layerOf("4/large").tree, "4/large"), flip, failing);
    });

    test("fail when a file is longer", async () => {
      const longer = (good: Buffer): Buffer => Buffer.concat([good, Buffer.from("x")]);
      const failing = () => failsWith(/^varve: file integrity checksum failed for "1\/window"\. Load the image again/);
      await spoiling(join(layerOf("1/window").tree, "1/window"), longer, failing);
    });

    test("fail when a tar-split is cut off", async () => {
      const cut = (good: Buffer): Buffer => good.subarray(0, -20);
      const failing = () => failsWith(/^varve: tar-split: unexpected end of file\. Load the image again/);
      await spoiling(join(layerOf("0/1").record, "tar-split.json.gz"), cut, failing);
    });

    test("fail when a tar-split is that of another tar", async () => {
      const path = join(layerOf("4/large").record, "tar-split.json.gz");
      const spoil = (good: Buffer): Buffer => {
        const [first, ...rest] = gunzipSync(good).toString().split("\n");
        const { payload, ...line } = JSON.parse(first!) as { payload: string };
        const header = Buffer.from(payload, "base64");
        header[500]! ^= 1;
        return gzipSync([JSON.stringify({ ...line, payload: header.toString("base64") }), ...rest].join("\n"));
      };
      await spoiling(path, spoil, () =>
        failsWith(/^varve: could not verify layer data for: sha256:[0-9a-f]{64}\. This/),
      );
    });

    test.skipIf(!isRoot)("fail on a full disk (root)", async () => {
      const disk = join(scratch, `disk-${threads}`);
      mkdirSync(disk);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "none", disk]);
      try {
        const { status, error } = await varve([...saveLarge, "-o", join(disk, "x.tar")], at(threads));
        expect(error).toMatch(/no space left on device/i);
        expect(status).toBe(1);
        expect(readdirSync(disk)).toEqual([]);
      } finally {
        execFileSync("umount", [disk]);
      }
    });

    test.skipIf(!isRoot)("do not fail when a file lies where only the whole stack leads to (root)", async () => {
      const expected = await toFile("0", ...saveLarge);
      const { tree } = layerOf("2/file");
      const below = layerOf("1/large").tree;
      renameSync(join(tree, "2"), join(tree, "elsewhere"));
      execFileSync("ln", ["-s", "elsewhere", join(below, "2")]);
      try {
        expect((await toFile(threads, ...saveLarge)).equals(expected)).toBe(true);
        const { output } = await varve(saveLarge, at(threads));
        expect(output.equals(expected)).toBe(true);
      } finally {
        rmSync(join(below, "2"));
        renameSync(join(tree, "elsewhere"), join(tree, "2"));
      }
    });
  });

  describe.each(["0", "2"])("that nobody wants any more, with %s threads", (threads) => {
    test("leave nothing when they are interrupted", async () => {
      const directory = join(scratch, `interrupted-${threads}`);
      mkdirSync(directory);
      const child = startVarve([...saveLarge, "-o", "x.tar"], { ...at(threads), directory });
      while (readdirSync(directory).length === 0) await sleep(1);
      child.kill("SIGINT");
      const { status, error } = await ended(child);
      // It may have been through already, on a quick machine.
      if (status !== 0) expect({ status, error }).toEqual({ status: 130, error: "varve: interrupted\n" });
      expect(readdirSync(directory)).toEqual(status === 0 ? ["x.tar"] : []);
    });

    test("end quietly when their reader goes, and stop when he takes no more", async () => {
      const program = `VARVE_THREADS=${threads} "$0" "$@" | head -c 1000 | wc -c; echo "$\{PIPESTATUS[0]}"`;
      const pipeline = ["-c", program, process.execPath, varvePath(), ...saveLarge];
      const { stdout, stderr } = spawnSync("bash", pipeline, { encoding: "utf8" });
      expect({ stdout, stderr }).toEqual({ stdout: "1000\n141\n", stderr: "" });

      const child = startVarve(saveLarge, at(threads));
      child.stdout.pause();
      await sleep(1500);
      expect(child.exitCode).toBe(null);
      child.kill("SIGKILL");
    });
  });

  test("do not keep one another waiting, or a load, whoever stops reading", { timeout: 60_000 }, () => {
    using program = new BuiltProgram(PROGRAM);
    const { stdout, stderr } = spawnSync(process.execPath, [program.path, root, driver, join(scratch, "image.tar")], {
      encoding: "utf8",
      timeout: 50_000,
    });
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({ same: true, bytes: true, loaded: 1, cancelled: "cancelled", left: true });
  });
});

/** Three streams of one store, read in turn, with workers for two; a load while they stand; streams that are left. */
const PROGRAM = `
import { open, readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { Store } from "./dist/engine/store.js";
const [root, driver, archive] = process.argv.slice(2);
const store = await Store.open({ root, driver, threads: 2 });
const streams = [1, 2, 3].map(() => store.save(["large:1"])[Symbol.asyncIterator]());
const hashes = streams.map(() => createHash("sha256"));
const step = async (i) => {
  const { done, value } = await streams[i].next();
  if (!done) hashes[i].update(value);
  return done;
};
for (const i of [0, 1, 2]) for (let k = 0; k < 12; k++) await step(i);
const other = await Store.open({ root: root + "-copy", driver, threads: 2, durability: "none" });
const loaded = (await other.load(archive)).length;
for (const i of [0, 1, 2]) while (!(await step(i)));
const digests = hashes.map((hash) => hash.digest("hex"));
const path = root + ".tar";
const file = await open(path, "w");
const size = await store.saveTo(file.fd, ["large:1"]);
await file.close();
const whole = await readFile(path);
const bytes = whole.length === size && createHash("sha256").update(whole).digest("hex") === digests[0];
const stop = new AbortController();
let cancelled;
try {
  for await (const _ of store.save(["large:1"], { signal: stop.signal })) stop.abort();
} catch (error) {
  cancelled = error.code;
}
let left = false;
for await (const _ of store.save(["large:1"])) break;
left = true;
console.log(JSON.stringify({ same: new Set(digests).size === 1, bytes, loaded, cancelled, left }));
`;
