import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChainID } from "../../src/digest/chain-id.ts";
import { digestOf, hexOf } from "../../src/digest/digest.ts";
import type { Driver } from "../../src/driver/driver.ts";
import { openDriver } from "../../src/driver/select.ts";
import { type ByteSource, collect } from "../../src/io/byte-source.ts";
import { FileMetadata } from "../../src/layer/file-metadata.ts";
import { populateInitLayer } from "../../src/layer/init-layer.ts";
import type { Layer, LayerInfo } from "../../src/layer/layer.ts";
import { LayerStore } from "../../src/layer/store.ts";
import { toText } from "../../src/sys/byte-string.ts";
import { parseSplitLine } from "../../src/tar/split.ts";
import { compareTrees, listTree } from "../../src/testing/tree-listing.ts";
import { busyboxTar, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

const DOCKERFILE = `FROM box
RUN mkdir -p /data/sub /gone /opaque && echo a >/data/a && echo b >/data/b && echo c >/gone/c && echo o >/opaque/old && \\
    ln /data/a /data/hard && ln -s a /data/soft && mkfifo /data/pipe && mknod /data/null c 1 3 && chmod 4755 /data/b
RUN rm /data/b && rm -r /gone && rm -r /opaque && mkdir /opaque && echo n >/opaque/new && touch -d "2001-02-03 04:05:06" /data/a
RUN echo "a name with ä and \\$(printf 'x\\\\377y')" >"/data/ä&<b>" && touch "/data/$(printf 'x\\377y')"
`;
const CHANGE =
  "echo 1 >/data/added; rm /data/hard; chmod 700 /etc; rm -r /opaque; mkdir /opaque; echo z >/opaque/z; echo h >>/etc/hosts";

describe.skipIf(lack).each(["overlay2", "vfs"])(`the layers of a dockerd with %s${lack ?? ""}`, (driverName) => {
  let scratch: string;
  let root: string;
  let store: LayerStore;
  const warnings: string[] = [];
  let dockerDiff: string[];
  let container: { Id: string; GraphDriver: { Data: Record<string, string> | null }; SizeRw: number };

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "layer-dockerd-"));
    root = join(scratch, "data");
    await using daemon = await start({ driver: driverName, root });
    await daemon.docker(["import", "-", "box"], { input: busyboxTar() });
    await daemon.docker(["build", "--network", "none", "-t", "big", "-"], { input: DOCKERFILE });
    await daemon.docker(["run", "--network", "none", "--name", "c1", "big", "/bin/sh", "-c", CHANGE]);
    dockerDiff = (await daemon.docker(["diff", "c1"])).toString().trim().split("\n").sort();
    container = JSON.parse((await daemon.docker(["inspect", "-s", "c1"])).toString())[0];
    await daemon.stop();
    store = await open(root, (message) => warnings.push(message));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const layerdb = (of: string): string => join(of, "image", driverName, "layerdb");
  const driverOf = (of: string): Promise<Driver> => openDriver(of, { name: driverName, durability: "none" });
  const open = async (of: string, onWarning?: (message: string) => void): Promise<LayerStore> =>
    LayerStore.open({
      driver: await driverOf(of),
      metadata: new FileMetadata(layerdb(of), { sync: false }),
      onWarning,
    });
  const linesOf = async (source: ByteSource): Promise<string[]> =>
    gunzipSync(await collect(source, 1 << 28))
      .toString()
      .split("\n")
      .slice(0, -1);

  /** The stacks of a store from the bottom up. */
  const bottomUp = (): LayerInfo[] => [...store.map().values()].sort((a, b) => a.depth - b.depth);

  test("are all found, as they are recorded, and nothing is odd about them", () => {
    const recorded = readdirSync(join(layerdb(root), "sha256"));
    expect(recorded).toHaveLength(4);
    expect([...store.map().keys()].map(hexOf).sort()).toEqual(recorded.sort());
    for (const layer of bottomUp()) {
      const file = (name: string): string =>
        readFileSync(join(layerdb(root), "sha256", hexOf(layer.chainID), name), "utf8");
      expect(layer.diffID).toBe(file("diff"));
      expect(String(layer.size)).toBe(file("size"));
      expect(layer.cacheID).toBe(file("cache-id"));
      if (layer.parent !== undefined) expect(layer.parent).toBe(file("parent"));
    }
    expect(bottomUp().map(({ depth }) => depth)).toEqual([1, 2, 3, 4]);
    expect(store.broken).toEqual([]);
    expect(warnings).toEqual([]);
  });

  test("come out with the bytes that they came in with", async () => {
    for (const { chainID, diffID } of bottomUp()) {
      const layer = store.get(chainID);
      expect(digestOf(await collect(layer.tarStream(), 1 << 28))).toBe(diffID);
      layer.forget();
    }
  });

  test("get the same tar-split, size and chain from us, but for how the padding at the end is cut", async () => {
    const ours = await open(join(scratch, "ours"));
    const all: string[] = [];
    let parent: ChainID | undefined;
    for (const theirs of bottomUp()) {
      const original = store.get(theirs.chainID);
      const copy: Layer = await ours.register(original.tarStream(), parent);
      expect(copy).toMatchObject({ chainID: theirs.chainID, diffID: theirs.diffID, size: theirs.size });
      const [expected, actual] = [await linesOf(original.splitStream()), await linesOf(copy.splitStream())];
      const body = expected.map((line) => parseSplitLine(line).kind).lastIndexOf("file") + 1;
      expect(body).toBeGreaterThan(2);
      expect(actual.slice(0, body)).toEqual(expected.slice(0, body));
      expect(tailOf(actual.slice(body)).equals(tailOf(expected.slice(body)))).toBe(true);
      expect(actual.at(-1)).toBe(`{"type":2,"payload":"","position":${actual.length - 1}}`);
      all.push(...actual);
      original.forget();
      parent = copy.chainID;
    }
    // What is hard to write is among it. Docker's comparison of whole trees makes no opaque directories.
    const opaque = driverName === "vfs" ? [] : [".wh..wh..opq"];
    for (const rare of ["name_raw", "\\u0026\\u003cb\\u003e", ".wh.b", ...opaque])
      expect(
        all.some((line) => line.includes(rare) || segmentText(line).includes(rare)),
        rare,
      ).toBe(true);
  });

  test("carry the container, whose changes, size and trees are those that docker told", async () => {
    expect(store.rwNames()).toEqual([container.Id]);
    const layer = store.getRW(container.Id);
    const letters = { modified: "C", added: "A", deleted: "D" } as const;
    const changes = (await layer.changes()).map(({ kind, path }) => `${letters[kind]} ${toText(path)}`).sort();
    expect(changes).toEqual(dockerDiff);
    expect(await layer.size()).toBe(container.SizeRw);
    expect(await layer.metadata()).toEqual(container.GraphDriver.Data ?? {});
    expect(layer.parent?.chainID).toBe(bottomUp().at(-1)?.chainID);
  });

  test("take an init layer from us that is the one of docker", async () => {
    const ours = await open(join(scratch, "init"));
    let parent: ChainID | undefined;
    for (const { chainID } of bottomUp()) {
      const original = store.get(chainID);
      parent = (await ours.register(original.tarStream(), parent)).chainID;
      original.forget();
    }
    const made = await ours.createRW("made", { parent, init: (path) => populateInitLayer(path) });
    const tree = (of: string, id: string): string =>
      driverName === "vfs" ? join(of, "vfs/dir", id) : join(of, "overlay2", id, "diff");
    const theirs = listTree(tree(root, store.getRW(container.Id).record.initID!));
    const mine = listTree(tree(join(scratch, "init"), made.record.initID!));
    const touched = new Set(["mtime"]);
    expect(compareTrees(theirs, mine, [...touched])).toEqual([]);
    expect(await made.changes()).toEqual([]);
    expect(readdirSync(join(layerdb(root), "mounts", container.Id)).sort()).toEqual(
      readdirSync(join(layerdb(join(scratch, "init")), "mounts", "made")).sort(),
    );
  });
});

function segmentText(line: string): string {
  const entry = parseSplitLine(line);
  return entry.kind === "segment" ? Buffer.from(entry.bytes).toString("latin1") : "";
}

function tailOf(lines: readonly string[]): Buffer {
  const segments = lines.map(parseSplitLine);
  return Buffer.concat(segments.map((segment) => (segment.kind === "segment" ? segment.bytes : Buffer.from("file"))));
}
