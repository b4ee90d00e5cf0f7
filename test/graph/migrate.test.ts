import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type MigrationEvent, type MigrationReport, migrateGraph } from "../../src/index.ts";
import { readTar, tarOf } from "../../src/testing/tar-entries.ts";
import { type MadeV1Image, makeV1Graph, type V1Image } from "../../src/testing/v1-graph.ts";
import { tarDataOf } from "../../src/testing/v1-tar-data.ts";
import type { V1Driver } from "../../src/testing/v1-trees.ts";
import { busyboxTar, type Dockerd, lacking, start } from "../tools/dockerd.ts";
import {
  BARE,
  BASE,
  CONTAINERS,
  FILES,
  IDLE,
  KEPT_TAGS,
  LEFT_TAGS,
  migrated,
  migrationGraph,
  OLD,
  OTHER,
  oldStore,
  RUN,
  SAME,
  sha256,
  sizeOfFiles,
  TOP,
  TWIN,
} from "./migration-fixture.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

describe.skipIf(lack).each<V1Driver>(["overlay2", "vfs"])(`a v1 graph on %s, migrated${lack ?? ""}`, (driver) => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-migrate-"));
  const root = join(scratch, "root");
  const events: MigrationEvent[] = [];
  const warnings: string[] = [];
  let images: readonly V1Image[];
  let made: ReadonlyMap<string, MadeV1Image>;
  let before: unknown;
  let after: unknown;
  let report: MigrationReport;
  let state: Record<string, string>;
  let daemon: Dockerd;

  beforeAll(async () => {
    const graph = migrationGraph(driver, busyboxTar());
    images = graph.images;
    made = makeV1Graph(root, graph);
    before = oldStore(root, driver);
    report = await migrateGraph({
      root,
      onEvent: (event) => events.push(event),
      onWarning: (message) => warnings.push(message),
    });
    after = oldStore(root, driver);
    state = migrated(root, driver);
    daemon = await start({ driver, root });
  });
  afterAll(async () => {
    await daemon?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  const docker = async (...args: string[]): Promise<string> => (await daemon.docker(args)).toString().trimEnd();
  const lines = async (...args: string[]): Promise<string[]> => (await docker(...args)).split("\n").sort();
  const imageOf = (id: string): string => report.images.find((image) => image.id === id)!.image!;
  const layersOf = (id: string | undefined): V1Image[] => {
    const image = images.find((candidate) => candidate.id === id);
    return image === undefined ? [] : [...layersOf(image.parent), image];
  };
  const sizeOf = (id: string): number => layersOf(id).reduce((sum, { layer }) => sum + sizeOfFiles(layer), 0);
  const hex = (digest: string): string => digest.slice("sha256:".length);
  const file = (...path: string[]): string => state[join(...path)]!;
  const layerFile = (id: string, name: string): string =>
    file("image", driver, "layerdb/sha256", hex(made.get(id)!.chainID), name);

  test("is told line by line", () => {
    expect(report.images.map(({ id, before }) => [id, before])).toEqual(images.map(({ id }) => [id, false]));
    expect(report.containers).toEqual(CONTAINERS.map(({ id }) => ({ id, before: false })));
    expect(Object.fromEntries(report.tags.map(({ name, image }) => [name, image]))).toEqual(
      Object.fromEntries(Object.entries(KEPT_TAGS).map(([name, id]) => [name, imageOf(id)])),
    );
    expect(report.left.map(({ what, name }) => `${what} ${name}`).sort()).toEqual(
      LEFT_TAGS.map((name) => `tag ${name}`).sort(),
    );
    for (const { reason } of report.left) expect(reason).toMatch(/^.+$/);
    expect(report.removed).toEqual([]);
    expect(warnings).toEqual([]);
    const kinds = events.map(({ kind }) => kind);
    for (const [kind, many] of Object.entries({ checksum: 8, image: 8, container: 3, tag: 8, left: 3 }))
      expect(kinds.filter((one) => one === kind)).toHaveLength(many);
    const read = events.filter((event) => event.kind === "checksum");
    expect(read.map(({ done, total }) => `${done} of ${total}`)).toEqual(images.map((_, i) => `${i + 1} of 8`));
    expect(new Set(read.map(({ id }) => id)).size).toBe(8);
  });

  test("leaves the old graph, its trees and its names as they were", () => {
    expect(after).toEqual(before);
  });

  test("has images that a dockerd makes of the same JSON and layers", async () => {
    await using judge = await start({ driver });
    await judge.docker(["load"], { input: legacyArchive(images, made) });
    const said = await judge.docker(["images", "--no-trunc", "--format", "{{.Tag}} {{.ID}}"]);
    expect(said.toString().trimEnd().split("\n").sort()).toEqual(
      images.map(({ id }) => `${id.slice(0, 12)} ${imageOf(id)}`).sort(),
    );
    expect(imageOf(SAME)).toBe(imageOf(OTHER));
    expect(imageOf(TWIN)).not.toBe(imageOf(OTHER));
  });

  test("notes which layer each entry has, and what became of it", () => {
    for (const { id, layer, tarData = true } of images) {
      const noted = (name: string): string => file("graph", id, name);
      expect(noted(".migration-diffid")).toBe(`600 ${made.get(id)!.diffID}`);
      expect(noted(".migration-size")).toBe(`600 ${sizeOfFiles(layer)}`);
      const [split, kept] = [".migration-tardata", "tar-data.json.gz"].map((name) =>
        statSync(join(root, "graph", id, name), { throwIfNoEntry: false }),
      );
      expect(split!.ino === kept?.ino).toBe(tarData);
    }
    const mapping = Object.fromEntries(images.map(({ id }) => [id, imageOf(id)]));
    expect(state[".migration-v1-images.json"]).toBe(`${JSON.stringify(mapping)}\n`);
    expect(state[".migration-v1-tags"]).toBe("");
    for (const name of [".migration-v1-images.json", ".migration-v1-tags"])
      expect(statSync(join(root, name)).mode & 0o777).toBe(0o600);
  });

  test("uses the trees in place, with the records of a dockerd", () => {
    for (const { id, parent, layer } of images) {
      const { diffID } = made.get(id)!;
      expect(layerFile(id, "diff")).toMatch(new RegExp(`^6[04]{2} ${diffID}$`));
      expect(layerFile(id, "size").slice(4)).toBe(`${sizeOfFiles(layer)}`);
      expect(layerFile(id, "cache-id").slice(4)).toBe([OTHER, SAME].includes(id) ? TWIN : id);
      expect(layerFile(id, "parent")?.slice(4)).toBe(parent && made.get(parent)!.chainID);
      const record = readFileSync(
        join(root, "image", driver, "layerdb/sha256", hex(made.get(id)!.chainID), "tar-split.json.gz"),
      );
      const kept = readFileSync(join(root, "graph", [OTHER, SAME].includes(id) ? TWIN : id, ".migration-tardata"));
      expect(record.equals(kept)).toBe(true);
      expect(sha256(gunzipSync(record))).toBe(sha256(gunzipSync(tarDataOf(Buffer.from(layer)))));
    }
    const chains = Object.keys(state).filter((path) => path.endsWith("/cache-id"));
    expect(chains).toHaveLength(6);
    expect(Object.keys(state).filter((path) => /layerdb\/tmp\//.test(path))).toEqual([]);
  });

  test("has each image's parent, and no time of a tag", () => {
    for (const { id, parent } of images) {
      const metadata = `image/${driver}/imagedb/metadata/sha256/${hex(imageOf(id))}`;
      expect(file(metadata, "parent")).toBe(parent && `600 ${imageOf(parent)}`);
      expect(file(metadata, "lastUpdated")).toBe(undefined);
    }
  });

  test("knows the blobs whose digests are whole", () => {
    const distribution = join("image", driver, "distribution");
    for (const id of [BASE, FILES]) {
      const blob = readFileSync(join(root, "graph", id, "checksum"), "utf8");
      const { diffID } = made.get(id)!;
      const known = [{ Digest: blob, SourceRepository: "", HMAC: "" }];
      expect(file(distribution, "v2metadata-by-diffid/sha256", hex(diffID))).toBe(`644 ${JSON.stringify(known)}`);
      expect(file(distribution, "diffid-by-digest/sha256", hex(blob))).toBe(`644 ${diffID}`);
    }
    expect(Object.keys(state).filter((path) => path.startsWith(distribution))).toHaveLength(4);
  });

  test("has records of the containers, with all that Docker 1.9 wrote into them", () => {
    for (const { id, image, init = true } of CONTAINERS) {
      const record = file("containers", id, "config.v2.json");
      const old = JSON.parse(readFileSync(join(root, "containers", id, "config.json"), "utf8"));
      const sorted = Object.entries({ ...old, Image: imageOf(image) }).sort(([a], [b]) => (a < b ? -1 : 1));
      const escaped = JSON.stringify(Object.fromEntries(sorted)).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e");
      expect(record).toBe(`600 ${escaped}`);
      const mount = join("image", driver, "layerdb/mounts", id);
      expect(file(mount, "mount-id").slice(4)).toBe(id);
      expect(file(mount, "init-id")?.slice(4)).toBe(init ? `${id}-init` : undefined);
      expect(file(mount, "parent").slice(4)).toBe(made.get(image)!.chainID);
    }
  });

  test("is listed by dockerd under its names", async () => {
    const format = ["--no-trunc", "--digests", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}} {{.ID}}"];
    const expected = Object.entries(KEPT_TAGS).map(([name, id]) =>
      name.includes("@") ? `${name.replace("@", ":<none>@")} ${imageOf(id)}` : `${name}@<none> ${imageOf(id)}`,
    );
    // An image whose names are tags in one repository and digests in another has a line for each.
    expect(await lines("images", ...format)).toEqual(expected.sort());
    const all = await lines("images", "-aq", "--no-trunc");
    expect([...new Set(all)]).toEqual([...new Set(images.map(({ id }) => imageOf(id)))].sort());
  });

  test("has the layers, sizes and steps that dockerd tells", async () => {
    for (const { id, parent } of images) {
      const chain = layersOf(id);
      const [inspected] = JSON.parse(await docker("inspect", imageOf(id)));
      expect(inspected.RootFS.Layers).toEqual(chain.map((image) => made.get(image.id)!.diffID));
      expect(inspected.Size).toBe(sizeOf(id));
      expect(inspected.Parent).toBe(parent === undefined ? "" : imageOf(parent));
      expect(inspected.GraphDriver.Name).toBe(driver);
    }
    const history = await docker(
      "history",
      "--no-trunc",
      "-H=false",
      "--format",
      "{{.CreatedBy}}|{{.Size}}",
      imageOf(OLD),
    );
    expect(history.split("\n")).toEqual(
      layersOf(OLD)
        .map(({ id, layer }) => `/bin/sh -c #(nop) ADD layer of ${id.slice(0, 12)} in /|${sizeOfFiles(layer)}`)
        .reverse(),
    );
    const [files] = JSON.parse(await docker("inspect", "user/app:v1"));
    expect(files).toMatchObject({ Author: "somebody", Comment: "with files", DockerVersion: "1.9.1" });
  });

  test("gives dockerd the layers that went in", async () => {
    for (const id of [OLD, TOP]) {
      const directory = join(scratch, `saved-${id[0]}`);
      mkdirSync(directory);
      const archive = await daemon.docker(["save", imageOf(id)]);
      execFileSync("tar", ["-C", directory, "-x", "-f", "-"], { input: archive });
      const [{ Layers }] = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
      expect(Layers.map((path: string) => sha256(readFileSync(join(directory, path))))).toEqual(
        layersOf(id).map(({ layer }) => sha256(layer)),
      );
    }
  });

  test("has containers with their changes, which run again", async () => {
    expect(await lines("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}")).toEqual(
      CONTAINERS.map(({ id }) => `${id} v1-${id.slice(0, 6)}`),
    );
    expect(await lines("diff", RUN)).toEqual(["A /added", "C /data", "D /data/a"]);
    expect(await lines("diff", IDLE)).toEqual([""]);
    expect(await lines("diff", BARE)).toEqual(["C /old", "D /old/file"]);
    const exported = readTar(await daemon.docker(["export", RUN]));
    const content = (name: string): string | undefined => exported.find(({ header }) => header.name === name)?.content;
    expect(content("added")).toBe("by the container");
    expect(content("top")).toBe("on a twin");
    expect(content("twin")).toBe("the same in three");
    expect(content("data/a")).toBe(undefined);
    expect(content("data/b")).toBe(undefined);
    expect(content("opaque/new")).toBe("new");
    expect(content("opaque/old")).toBe(undefined);
    expect(content("gone/c")).toBe(undefined);
    const said = await daemon.docker(["start", "-a", RUN]);
    expect(said.toString("latin1")).toBe(
      "on a twinthe same in threeby the container/data:\ncap\nhard\nnull\nsoft\nx?y\n??&<b>\n\n/opaque:\nnew\n",
    );
    for (const id of [BARE, IDLE]) await daemon.docker(["start", "-a", id]);
  });

  test("can be built upon, and goes as an image goes", async () => {
    await daemon.docker(["commit", RUN, "committed"]);
    const said = await daemon.docker(["run", "--rm", "--network", "none", "committed", "/bin/cat", "/added", "/twin"]);
    expect(said.toString()).toBe("by the containerthe same in three");
    await daemon.docker(["rm", RUN, BARE, IDLE]);
    await daemon.docker(["image", "prune", "-af"]);
    expect(await docker("images", "-aq")).toBe("");
  });
});

/** The images as `docker save` of 1.9 wrote them, each tagged by the beginning of its id. */
function legacyArchive(images: readonly V1Image[], made: ReadonlyMap<string, MadeV1Image>): Buffer {
  const tags = Object.fromEntries(images.map(({ id }) => [id.slice(0, 12), id]));
  return tarOf([
    ...images.flatMap(({ id, parent, layer }) => [
      { name: `${id}/` },
      { name: `${id}/VERSION`, content: "1.0" },
      // It knows parents by this member alone, and drops it.
      { name: `${id}/json`, content: JSON.stringify({ ...JSON.parse(made.get(id)!.json), id, parent }) },
      { name: `${id}/layer.tar`, content: layer },
    ]),
    { name: "repositories", content: JSON.stringify({ v1: tags }) },
  ]);
}
