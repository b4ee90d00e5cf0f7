import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TarEntry, tarOf } from "../../src/testing/tar-entries.ts";
import { compareTrees, listTree, type TreeRecord } from "../../src/testing/tree-listing.ts";
import { type MadeV1Image, makeV1Graph } from "../../src/testing/v1-graph.ts";
import { type V1Driver, v1TreeOf } from "../../src/testing/v1-trees.ts";
import { busyboxTar, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

const DOCKERFILE = `FROM box
RUN mkdir -p /data/sub /gone /opaque && echo a >/data/a && echo b >/data/b && echo c >/gone/c && echo o >/opaque/old && \\
    ln /data/a /data/hard && ln -s a /data/soft && mkfifo /data/pipe && mknod /data/null c 1 3 && chmod 4755 /data/b
RUN rm /data/b && rm -r /gone && rm -r /opaque && mkdir /opaque && echo n >/opaque/new && touch -d "2001-02-03 04:05:06" /data/a
RUN echo "a name with ä and \\$(printf 'x\\\\377y')" >"/data/ä&<b>" && touch "/data/$(printf 'x\\377y')" && ln -s /nowhere /opaque/away
RUN rm /opaque/away && mkdir /opaque/away && echo d >/opaque/away/d && rm -r /data/sub && echo f >/data/sub
`;
/** A link has the metadata of its file, as all that dockerd writes. */
const PRIVILEGED: Partial<TarEntry> = {
  mode: 0o4755,
  uid: 1000,
  gid: 100_000,
  mtime: { seconds: 1_400_000_000, nanoseconds: 123_456_789 },
  xattrs: {
    "security.capability": "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    "user.note": "n",
  },
};

/** What a build with busybox cannot make. */
const CRAFTED: readonly (readonly TarEntry[])[] = [
  [
    { name: "crafted/", uid: 0, gid: 7 },
    { name: "crafted/cap", content: "x", ...PRIVILEGED },
    { name: "crafted/hard", type: "1", linkname: "crafted/cap", ...PRIVILEGED },
    { name: "crafted/null", type: "3", deviceMajor: 1, deviceMinor: 3, mode: 0o666, uid: 0, gid: 0 },
    { name: `crafted/sub/${"long/".repeat(50)}name`, content: "deep" },
    { name: "crafted/away", content: "a" },
    { name: "implied/deep/file", content: "f", uid: 0, gid: 0 },
    { name: "bin/.wh.vi" },
  ],
  [
    { name: "crafted/", uid: 0, gid: 8, mode: 0o750 },
    { name: "crafted/.wh.away", uid: 70_000, gid: 5 },
    { name: "crafted/sub/.wh..wh..opq" },
    { name: "crafted/sub/new", content: "new" },
  ],
];

const DRIVERS: readonly V1Driver[] = ["overlay2", "vfs"];

describe.skipIf(lack).each(DRIVERS)(
  `a made v1 graph and a dockerd with %s that loaded the same layers${lack ?? ""}`,
  (driver) => {
    let scratch: string;
    let theirs: string;
    let ours: string;
    let layers: Buffer[];
    let made: MadeV1Image[];
    const ids: string[] = [];

    beforeAll(async () => {
      scratch = mkdtempSync(join(tmpdir(), "v1-fixture-"));
      theirs = join(scratch, "theirs");
      ours = join(scratch, "ours");
      await using daemon = await start({ driver, root: theirs });
      await daemon.docker(["import", "-", "box"], { input: busyboxTar() });
      await daemon.docker(["build", "--network", "none", "-t", "big", "-"], { input: DOCKERFILE });
      const built = await daemon.docker(["save", "big"]);
      layers = [...layersOf(built, join(scratch, "built")), ...CRAFTED.map(tarOf)];
      // Loaded anew, its trees come out of its layers, as those of the fixture do.
      await daemon.docker(["image", "prune", "-af"]);
      await daemon.docker(["load"], { input: archiveOf(layers) });
      await daemon.stop();
      ids.push(...layers.map((_, i) => createHash("sha256").update(`${i}`).digest("hex")));
      const images = layers.map((layer, i) => ({ id: ids[i]!, parent: ids[i - 1], layer }));
      made = [...makeV1Graph(ours, { driver, images }).values()];
    });
    afterAll(() => rmSync(scratch, { recursive: true, force: true }));

    const record = (i: number, name: string): Buffer =>
      readFileSync(join(theirs, "image", driver, "layerdb/sha256", made[i]!.chainID.slice("sha256:".length), name));
    const entry = (i: number, name: string): Buffer => readFileSync(join(ours, "graph", ids[i]!, name));

    test("have the same layers, of the same sizes", () => {
      expect(layers).toHaveLength(7);
      layers.forEach((_, i) => {
        expect(made[i]!.diffID).toBe(record(i, "diff").toString());
        expect(entry(i, "layersize").toString()).toBe(record(i, "size").toString());
      });
    });

    test("have the same record of each layer, but for how the padding at the end is cut", () => {
      layers.forEach((_, i) => {
        const [expected, actual] = [record(i, "tar-split.json.gz"), entry(i, "tar-data.json.gz")].map((bytes) =>
          gunzipSync(bytes).toString().split("\n"),
        ) as [string[], string[]];
        const body = expected.map((line) => line.startsWith('{"type":1')).lastIndexOf(true) + 1;
        expect(actual.slice(0, body)).toEqual(expected.slice(0, body));
        // The layers that dockerd made itself have no padding; the first one is of GNU tar.
        if (i > 0) expect(actual).toEqual(expected);
      });
    });

    test("have the same trees", () => {
      layers.forEach((_layer, i) => {
        const expected = listTree(v1TreeOf(theirs, driver, record(i, "cache-id").toString()));
        const actual = listTree(v1TreeOf(ours, driver, ids[i]!));
        expect(expected.length).toBeGreaterThan(3);
        expect(
          compareTrees(expected, actual, [...expected.filter(isTimeless).map(({ path }) => `${path}:mtime`)]),
        ).toEqual([]);
      });
    });

    test("is made of layers that come out of tree and record again", () => {
      layers.forEach((layer, i) => {
        const tree = v1TreeOf(ours, driver, ids[i]!);
        const hash = createHash("sha256");
        for (const line of gunzipSync(entry(i, "tar-data.json.gz")).toString().trimEnd().split("\n")) {
          const { type, name = "", name_raw, size, payload } = JSON.parse(line);
          const path = Buffer.from(name_raw ?? name, name_raw ? "base64" : "utf8");
          if (type === 2) hash.update(Buffer.from(payload, "base64"));
          else if (size) hash.update(readFileSync(Buffer.concat([Buffer.from(`${tree}/`), path])));
        }
        expect(hash.digest("hex")).toBe(createHash("sha256").update(layer).digest("hex"));
      });
    });
  },
);

/** The root, whiteouts, and directories of which no layer has an entry. */
function isTimeless({ path, kind, device }: TreeRecord): boolean {
  if (kind === "directory") return /^(\.|bin|implied(\/deep)?|crafted\/sub(\/long)*)$/.test(path);
  return kind === "char" && device === "0:0";
}

function layersOf(archive: Buffer, directory: string): Buffer[] {
  mkdirSync(directory);
  execFileSync("tar", ["-C", directory, "-x", "-f", "-"], { input: archive });
  const [{ Layers }] = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
  return Layers.map((path: string) => readFileSync(join(directory, path)));
}

function archiveOf(layers: readonly Buffer[]): Buffer {
  const diff_ids = layers.map((layer) => `sha256:${createHash("sha256").update(layer).digest("hex")}`);
  const config = { architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids }, history: [] };
  const manifest = [{ Config: "config.json", RepoTags: ["all:1"], Layers: layers.map((_, i) => `${i}.tar`) }];
  return tarOf([
    { name: "config.json", content: JSON.stringify(config) },
    ...layers.map((content, i) => ({ name: `${i}.tar`, content })),
    { name: "manifest.json", content: JSON.stringify(manifest) },
  ]);
}
