/** Archives that are small and unfold to what no machine has. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { dockerMembers, type MadeImage, makeImage } from "../../src/testing/archive-bench.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { isNoEvent, kept, useBench } from "./bench.ts";
import { END, paxHeader, rawEntry, rawHeader } from "./raw-tar.ts";

const lack = lacking("root", "xz", "bzip2", "zstd");
const MEMORY_LIMIT = 250 << 20;
/** What an image may take on disk that has nothing in it. */
const DISK_LIMIT = 4 << 20;

const PIECE = Buffer.alloc(32 << 20);
const PIECES = 8;

/** All four take several streams behind one another for one. */
function squeezed(tool: string, before: Buffer, after: Buffer, pieces: number): Buffer {
  const squeeze = (bytes: Buffer): Buffer => execFileSync(tool, ["-1", "-c"], { input: bytes, maxBuffer: 1 << 26 });
  const zeros = squeeze(PIECE);
  return Buffer.concat([squeeze(before), ...Array<Buffer>(pieces).fill(zeros), squeeze(after)]);
}

/** The image of a layer that nobody has whole. */
function imageOf(layer: Iterable<Buffer>, stored: Buffer): { image: MadeImage; archive: Buffer } {
  const hash = createHash("sha256");
  for (const piece of layer) hash.update(piece);
  const image = makeImage([kept.layers[0]!, stored], {
    rootfs: { type: "layers", diff_ids: [kept.diffIDs[0], `sha256:${hash.digest("hex")}`] },
  });
  return { image, archive: tarOf(dockerMembers([{ image, tags: ["bomb:1"] }])) };
}

describe.skipIf(lack)(`little room is taken by${lack ?? ""}`, () => {
  const bench = useBench("overlay2");

  async function run(args: readonly string[], input?: Uint8Array): Promise<{ status: number; error: string }> {
    const report = join(bench.directory, "peak");
    const { status, error } = await bench.run(args, {
      environment: {
        NODE_OPTIONS: `--require ${join(import.meta.dirname, "../tools/report-memory.cjs")}`,
        VARVE_TEST_MEMORY: report,
      },
      ...(input !== undefined && { input }),
    });
    expect(Number(readFileSync(report, "utf8")) * 1024, "peak memory").toBeLessThan(MEMORY_LIMIT);
    return { status, error };
  }

  /** Loads what has to load, looks how much room it takes, and removes it. */
  async function fits(archive: Buffer): Promise<void> {
    const before = bench.diskUsage();
    try {
      expect(await run(["load", "-q", "-i", bench.file("bomb.tar", archive)])).toEqual({ status: 0, error: "" });
      expect(bench.diskUsage() - before, "bytes on disk").toBeLessThan(DISK_LIMIT);
    } finally {
      await bench.run(["rmi", "-f", "bomb:1"]); // also of a bomb that went off, lest the next case find it
    }
    expect(bench.changes().filter(isNoEvent)).toEqual([]);
  }

  async function isRefused(archive: Buffer, line: RegExp): Promise<void> {
    const { status, error } = await run(["load", "-q", "-i", bench.file("bomb.tar", archive)]);
    expect({ status, error }).toEqual({ status: 1, error: expect.stringMatching(line) });
    expect(error.split("\n")).toHaveLength(2);
    expect(bench.changes()).toEqual([]);
  }

  const size = PIECES * PIECE.length;
  const header = rawHeader({ name: "zeros", size });
  const small = makeImage([tarOf([{ name: "a", content: "a" }])]);

  describe.each(["gzip", "zstd", "xz", "bzip2"])("a quarter of a gigabyte in %s", (tool) => {
    test("as a file in a layer", async () => {
      const layer = [header, ...Array<Buffer>(PIECES).fill(PIECE), END];
      await fits(imageOf(layer, squeezed(tool, header, END, PIECES)).archive);
    });

    test("as a member of the archive that nobody asks for", async () => {
      await fits(squeezed(tool, header, tarOf(dockerMembers([{ image: small, tags: ["bomb:1"] }])), PIECES));
    });
  });

  test("padding behind a layer", async () => {
    const layer = [END, ...Array<Buffer>(4).fill(PIECE)];
    await fits(imageOf(layer, squeezed("gzip", END, END.subarray(0, 0), 4)).archive);
  });

  test("padding behind an archive", async () => {
    await fits(squeezed("gzip", tarOf(dockerMembers([{ image: small, tags: ["bomb:1"] }])), Buffer.alloc(0), PIECES));
  });

  test("a sparse file of eight terabytes", async () => {
    const map = Buffer.alloc(512);
    map.write(`1\n${2 ** 43 - 512}\n512\n`);
    const records = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s" };
    const layer = Buffer.concat([
      paxHeader({ ...records, "GNU.sparse.realsize": String(2 ** 43) }),
      rawEntry({ name: "s" }, Buffer.concat([map, Buffer.alloc(512, "A")])),
      END,
    ]);
    await fits(imageOf([layer], layer).archive);
  });

  test("names of a megabyte that mean a short one", async () => {
    const layer = Array.from({ length: 120 }, (_, i) =>
      Buffer.concat([
        paxHeader({ path: `${"./".repeat(500_000)}a-unique-name-${i}/` }),
        rawEntry({ name: "x", type: "5" }),
      ]),
    );
    const stored = Buffer.concat(layer.map((entry) => gzipSync(entry, { level: 1 })));
    await fits(imageOf(layer, stored).archive);
  });

  test("a quarter of a gigabyte of attributes", async () => {
    const noise = "v".repeat(1_000_000);
    const layer = Array.from({ length: 250 }, (_, i) =>
      Buffer.concat([paxHeader({ [`comment${i}`]: noise }), rawEntry({ name: `f${i}`, type: "6" })]),
    );
    const stored = Buffer.concat(layer.map((entry) => gzipSync(entry, { level: 1 })));
    await fits(imageOf(layer, stored).archive);
  });

  test("members with endless names and targets", async () => {
    const names = Array.from({ length: 200 }, (_, i) =>
      Buffer.concat([paxHeader({ path: `${"./".repeat(500_000)}${i}` }), rawEntry({ name: "x" })]),
    );
    const archive = Buffer.concat([...names.map((entry) => gzipSync(entry, { level: 1 })), gzipSync(tarOf([]))]);
    await isRefused(archive, /file name too long/);
  });

  test("half a million members", async () => {
    const some = gzipSync(
      Buffer.concat(
        Array.from({ length: 2000 }, (_, i) => rawHeader({ name: `${i}/`, type: "2", linkname: "l".repeat(99) })),
      ),
    );
    await isRefused(Buffer.concat(Array<Buffer>(260).fill(some)), /the archive has more than 500000 members/);
  });

  test("a config with a million labels, seven times", async () => {
    const labels = `"config":{"Labels":{${Array.from({ length: 100_000 }, (_, i) => `"${i}":""`).join(",")}}}`;
    const configs = Array.from({ length: 7 }, (_, i) => {
      const text = `{"os":"linux","author":"${i}","rootfs":{"type":"layers","diff_ids":[]},${labels}}`;
      return { name: `${i}.json`, content: text };
    });
    const manifest = JSON.stringify(configs.map(({ name }) => ({ Config: name, Layers: [] })));
    const archive = tarOf([...configs, { name: "manifest.json", content: manifest }]);
    await isRefused(gzipSync(archive), /its manifests and configs are too large together/);
  });

  test("zstd with a window of two gigabytes", async () => {
    // A frame with nothing but that window and an empty last block.
    const frame = Buffer.from("28b52ffd00a8010000", "hex");
    await isRefused(frame, /zstd/);
    const { archive } = imageOf([], frame);
    await isRefused(archive, /layer [0-9a-f]{12}: zstd/);
  });

  test("xz with a dictionary of a gigabyte", async () => {
    const dictionary = "--lzma2=preset=0,mode=fast,mf=hc3,dict=1GiB";
    const archive = execFileSync("xz", ["-c", dictionary], { input: tarOf([]) });
    await isRefused(archive, /xz: .*[Mm]emory usage limit/);
  });
});

describe.skipIf(lack)(`little time is taken by${lack ?? ""}`, () => {
  const bench = useBench("overlay2");

  test("five thousand tags", async () => {
    const image = makeImage([tarOf([{ name: "a", content: "a" }])]);
    const tags = Array.from({ length: 5000 }, (_, i) => `bomb:${i}`);
    const archive = bench.file("tags.tar", tarOf(dockerMembers([{ image, tags }])));
    const { status, output } = await bench.run(["load", "-q", "-i", archive]);
    expect(status).toBe(0);
    expect(output.toString().split("\n")).toHaveLength(5001);
  });
});
