import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf, hexOf } from "../digest/digest.ts";
import { collect, sourceOf } from "../io/byte-source.ts";
import { canonicalString, parseNormalized, withDigest } from "../reference/reference.ts";
import { ArchiveBench, type ArchivedImage, dockerMembers, makeImage, makeLayer } from "../testing/archive-bench.ts";
import { readTar, tarOf } from "../testing/tar-entries.ts";
import type { LayerProgress, Stores } from "./archive.ts";
import { load } from "./load.ts";
import { type SaveFormat, type SaveOptions, save, saveImagesTo } from "./save.ts";
import { openStoreSource } from "./store-source.ts";

const base = makeLayer("base");
const parent = makeImage([base, makeLayer("middle", "m".repeat(5000))]);
const child = makeImage([...parent.layers, makeLayer("top")], { author: "child" });
const other = makeImage([base], { created: "1969-12-31T23:59:59Z" });

describe("save", () => {
  let bench: ArchiveBench;
  let stores: Stores;
  beforeEach(async () => {
    bench = new ArchiveBench();
    stores = await bench.stores();
    await loadAll([
      { image: parent, tags: ["app:1", "app:one"] },
      { image: child, tags: ["app:2", "reg.local/app:2"] },
      { image: other },
    ]);
    stores.images.setParent(child.id, parent.id);
  });
  afterEach(() => bench.dispose());

  async function loadAll(archived: readonly ArchivedImage[]): Promise<void> {
    await load(sourceOf(tarOf(dockerMembers(archived))), stores, { temporary: bench.temporary });
  }

  function saved(names: readonly string[], options?: SaveOptions): Promise<Buffer> {
    return collect(save(names, stores, options), 1 << 24);
  }

  async function members(names: readonly string[], format: SaveFormat = "docker"): Promise<Map<string, string>> {
    const entries = readTar(await saved(names, { format }));
    return new Map(entries.map(({ header, content }) => [header.name, content]));
  }

  async function items(names: readonly string[]): Promise<{ RepoTags: string[] | null; Config: string }[]> {
    return JSON.parse((await members(names)).get("manifest.json")!);
  }

  test("can be cancelled in the middle of a large file", async () => {
    const large = makeImage([makeLayer("large", "l".repeat(32 << 20))]);
    await loadAll([{ image: large }]);
    const file = openSync(join(bench.temporary, "cut"), "w");
    const source = await openStoreSource([large.id], stores);
    const stop = new AbortController();
    let last: LayerProgress | undefined;
    const onLayer = (progress: LayerProgress): void => {
      if (last === undefined) setImmediate(() => stop.abort());
      last = progress;
    };
    await expect(saveImagesTo(file, source.images, { signal: stop.signal, onLayer })).rejects.toMatchObject({
      code: "cancelled",
    });
    await source[Symbol.asyncDispose]();
    closeSync(file);
    expect(last!.current).toBeLessThan(last!.total / 2);
  });

  test("comes after what a file has that is open for appending", async () => {
    const path = join(bench.temporary, "appended");
    writeFileSync(path, "before");
    const file = openSync(path, "a");
    const source = await openStoreSource(["app:2"], stores);
    const size = await saveImagesTo(file, source.images);
    await source[Symbol.asyncDispose]();
    closeSync(file);
    const expected = await saved(["app:2"]);
    expect(size).toBe(expected.length);
    expect(readFileSync(path).equals(Buffer.concat([Buffer.from("before"), expected]))).toBe(true);
  });

  test.each<[string, string[], (string[] | null)[]]>([
    ["a tag", ["app:2"], [["app:2"]]],
    ["a name, for all its tags", ["app"], [["app:1", "app:one"], ["app:2"]]],
    [
      "several tags of one image",
      ["reg.local/app:2", "app:2", "docker.io/library/app:2"],
      [["reg.local/app:2", "app:2"]],
    ],
    ["an id, without tags", [child.id], [null]],
    ["a hex id", [hexOf(child.id)], [null]],
    ["the beginning of an id", [hexOf(other.id).slice(0, 20)], [null]],
    ["the beginning of an id with its algorithm", [other.id.slice(0, 20)], [null]],
    ["an id and a tag of the same image", [child.id, "app:2"], [["app:2"]]],
  ])("of %s", async (_, names, tags) => {
    expect((await items(names)).map(({ RepoTags }) => RepoTags)).toEqual(tags);
  });

  test("of a digest reference gives the image without a tag", async () => {
    const reference = withDigest(parseNormalized("app"), digestOf("a manifest"));
    stores.references.add(reference, child.id);
    expect(await items([canonicalString(reference)])).toMatchObject([
      { Config: `${hexOf(child.id)}.json`, RepoTags: null },
    ]);
  });

  test.each<[string, string[], string, string]>([
    ["no name", [], "invalid-argument", "no image to save was named"],
    ["a tag that is not there", ["app:3"], "not-found", "reference does not exist"],
    ["a name that is not there", ["nothing"], "not-found", "No such image: nothing"],
    ["an id that is not there", [`sha256:${"0".repeat(64)}`], "not-found", "no such image"],
    ["what is no name", ["A B"], "invalid-reference", "repository name must be lowercase"],
  ])("of %s is refused", async (_, names, code, message) => {
    await expect(saved(names)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test.each<SaveFormat>(["docker", "docker-25", "oci"])(
    "%s is the same from another root, and loads as it was",
    async (format) => {
      const names = ["app", "reg.local/app", other.id];
      const once = await saved(names, { format });
      const elsewhere = await bench.otherStores();
      const loaded = await load(sourceOf(once), elsewhere, { temporary: bench.temporary });
      expect(loaded.map(({ id }) => id).sort()).toEqual([parent.id, child.id, other.id].sort());
      const references = loaded.flatMap((image) => image.references);
      expect(references.sort()).toEqual(["app:1", "app:2", "app:one", "reg.local/app:2"]);
      if (format !== "oci") expect(elsewhere.images.parent(child.id)).toBe(parent.id);
      expect((await collect(save(names, elsewhere, { format }), 1 << 24)).equals(once)).toBe(true);
    },
  );

  test("an OCI layout has no times", async () => {
    const entries = readTar(await saved(["app"], { format: "oci" }));
    expect(entries.every(({ header }) => header.mtime.seconds === 0)).toBe(true);
  });

  test("docker writes a layer that two images need once, and links to it", async () => {
    const entries = readTar(await saved([other.id, "app:1"]));
    const links = entries.filter(({ header }) => header.type === "2");
    expect(links).toHaveLength(1);
    const target = links[0]!.header.linkname.slice("../".length);
    expect(entries.find(({ header }) => header.name === target)!.content).toBe(base.toString("latin1"));
    expect(entries.every(({ header }) => header.userName === "root" && header.mode > 0o7777)).toBe(true);
    const times = new Set(entries.map(({ header }) => header.mtime.seconds));
    expect([...times].sort()).toEqual([0, 1_600_000_000]);
  });

  test("docker-25 is an OCI layout with all that older Dockers look for", async () => {
    const files = await members(["app"], "docker-25");
    expect([...files.keys()].slice(0, 2)).toEqual(["blobs/", "blobs/sha256/"]);
    expect([...files.keys()].slice(-4)).toEqual(["index.json", "manifest.json", "oci-layout", "repositories"]);
    for (const [name, content] of files)
      if (/^blobs\/sha256\/./.test(name))
        expect(name).toBe(`blobs/sha256/${hexOf(digestOf(Buffer.from(content, "latin1")))}`);
    const index = JSON.parse(files.get("index.json")!) as { manifests: { digest: string; annotations: object }[] };
    expect(index.manifests.map(({ annotations }) => annotations)).toEqual(
      ["1", "one", "2"].map((tag) => ({
        "io.containerd.image.name": `docker.io/library/app:${tag}`,
        "org.opencontainers.image.ref.name": tag,
      })),
    );
    const [first] = JSON.parse(files.get("manifest.json")!) as [{ LayerSources: object }];
    expect(first.LayerSources).toEqual(
      Object.fromEntries(
        parent.diffIDs.map((digest, i) => [
          digest,
          { mediaType: "application/vnd.oci.image.layer.v1.tar", size: parent.layers[i]!.length, digest },
        ]),
      ),
    );
    expect(JSON.parse(files.get("repositories")!)).toEqual({
      app: { "1": hexOf(parent.diffIDs[1]!), one: hexOf(parent.diffIDs[1]!), "2": hexOf(child.diffIDs[2]!) },
    });
  });

  test("where a foreign layer comes from is kept", async () => {
    const foreign = makeImage([makeLayer("foreign")]);
    const [digest] = foreign.diffIDs;
    const source = {
      mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      size: 7,
      digest: other.id,
    };
    const LayerSources = { [digest!]: { ...source, urls: ["https://example.org/layer"] } };
    await loadAll([{ image: foreign, tags: ["foreign:1"], item: { LayerSources } }]);
    expect(await items(["foreign:1"])).toMatchObject([{ LayerSources }]);
  });

  test("an image without layers can only become an OCI layout", async () => {
    await loadAll([{ image: makeImage([]), tags: ["nothing:1"] }]);
    for (const format of ["docker", "docker-25"] as const)
      await expect(saved(["nothing:1"], { format })).rejects.toMatchObject({
        code: "unsupported",
        message: "empty export - not implemented",
      });
    expect(await members(["nothing:1"], "oci")).toBeDefined();
  });

  test("tells how far each layer is", async () => {
    const seen: LayerProgress[] = [];
    await saved(["app:1"], { onLayer: (progress) => void seen.push(progress) });
    const last = parent.diffIDs.map((diffID) => seen.filter((progress) => progress.diffID === diffID).at(-1)!);
    expect(last.map(({ current }) => current)).toEqual(parent.layers.map(({ length }) => length));
    expect(last.every(({ current, total }) => current === total)).toBe(true);
  });

  test("a damaged layer ends in an error, never in other bytes", async () => {
    const [tree] = readdirSync(join(bench.root, "rootless")).filter((id) =>
      readdirSync(join(bench.root, "rootless", id, "diff")).includes("middle"),
    );
    writeFileSync(join(bench.root, "rootless", tree!, "diff", "middle"), "x".repeat(5000));
    await expect(saved(["app:1"])).rejects.toMatchObject({ code: "corrupt" });
    expect(await saved([other.id])).toBeDefined();
  });

  test("gives its layers back, whether it is read to the end, broken off or cancelled", async () => {
    await saved(["app:2"]);
    for await (const _ of save(["app:2"], stores)) break;
    await expect(saved(["app:2"], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
    for (const reference of stores.references.referencesOf(child.id)) stores.references.remove(reference);
    expect((await stores.images.delete(child.id)).map(({ diffID }) => diffID)).toEqual([child.diffIDs[2]]);
  });
});
