import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Digester } from "../../src/digest/digest.ts";
import { openDriver } from "../../src/driver/select.ts";
import type { GraphID } from "../../src/graph/descriptor.ts";
import { Graph } from "../../src/graph/graph.ts";
import { TagStore } from "../../src/graph/tag-store.ts";
import type { ByteSource } from "../../src/io/byte-source.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { makeV1Graph, type V1Image } from "../../src/testing/v1-graph.ts";
import { harmV1Image, litterV1Graph, tieV1Images, type V1Harm } from "../../src/testing/v1-harm.ts";
import { makeLargeV1Graph } from "../../src/testing/v1-large.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");

const [BASE, PULLED, RENAMED, OLD] = ["1", "2", "3", "4"].map((digit) => digit.repeat(64)) as [
  GraphID,
  GraphID,
  GraphID,
  GraphID,
];
const BASE_TAR = tarOf([
  { name: "etc/", mode: 0o755 },
  { name: "etc/motd", content: "one" },
  { name: "etc/hosts", content: "two" },
]);
const IMAGES: readonly V1Image[] = [
  { id: BASE, layer: BASE_TAR, checksum: "digest", v1Compatibility: true },
  { id: PULLED, parent: BASE, layer: tarOf([{ name: "etc/.wh.motd" }]), layout: "digests", checksum: "tarsum" },
  { id: RENAMED, parent: BASE, layer: tarOf([{ name: "a", content: "a" }]), layout: "digests", parentFile: true },
  { id: OLD, parent: PULLED, layer: tarOf([{ name: "b", content: "b" }]), tarData: false, layerSize: false },
];

describe.skipIf(lack)(`a v1 graph that somebody else wrote${lack ?? ""}`, () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "varve-v1-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  async function open(driverName: string): Promise<{ graph: Graph; tags: TagStore; warnings: string[] }> {
    const warnings: string[] = [];
    const driver = await openDriver(root, { name: driverName, durability: "none" });
    const onWarning = (message: string): void => void warnings.push(message);
    const graph = Graph.open({ directory: join(root, "graph"), driver, sync: false, onWarning });
    return { graph, tags: new TagStore(join(root, `repositories-${driverName}`), { sync: false }), warnings };
  }

  describe.each(["overlay2", "vfs"] as const)("on %s", (driver) => {
    test("is read in both layouts, and its layers come back to the byte", async () => {
      const made = makeV1Graph(root, { driver, images: IMAGES, tags: { "host:5000/app": { latest: OLD } } });
      const { graph, tags, warnings } = await open(driver);
      expect(warnings).toEqual([]);
      expect([...graph.map()].map(([id, { parent }]) => [id, parent])).toEqual([
        [BASE, undefined],
        [PULLED, BASE],
        [RENAMED, BASE],
        [OLD, PULLED],
      ]);
      for (const id of [BASE, PULLED, RENAMED]) {
        expect(await digestOf(graph.tarStream(id))).toBe(made.get(id)!.diffID);
        expect(await graph.size(id)).toBe(made.get(id)!.size);
      }
      for (const [id, { json }] of made) expect(`${graph.json(id as GraphID)}`).toBe(json);
      expect(await graph.size(OLD)).toBe(1);
      expect(`${graph.digest(BASE)}`).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(() => graph.digest(PULLED)).toThrow(expect.objectContaining({ code: "invalid-digest" }));
      expect(JSON.parse(`${graph.v1Compatibility(PULLED)}`)).toMatchObject({ id: PULLED, parent: BASE });
      expect(tags.all()).toEqual([{ repository: "host:5000/app", key: "latest", id: OLD }]);
    });

    test.each<[V1Harm, boolean]>([
      ["json-cut", false],
      ["json-missing", false],
      ["other-id", false],
      ["tree-missing", false],
      ["parent-missing", true],
      ["own-parent", false],
    ])("with an image that is harmed (%s) keeps the others", async (harm, isThere) => {
      makeV1Graph(root, { driver, images: IMAGES });
      harmV1Image(root, driver, OLD, harm);
      const { graph } = await open(driver);
      expect(graph.map().has(OLD)).toBe(isThere);
      expect([BASE, PULLED, RENAMED].every((id) => graph.map().has(id))).toBe(true);
      expect(graph.broken).toHaveLength(isThere || harm === "tree-missing" ? 0 : 1);
    });

    test.each<V1Harm>(["file-changed", "tar-data-cut", "tar-data-strange"])(
      "does not give out a layer that is harmed (%s)",
      async (harm) => {
        makeV1Graph(root, { driver, images: IMAGES });
        harmV1Image(root, driver, BASE, harm);
        const { graph } = await open(driver);
        await expect(digestOf(graph.tarStream(BASE))).rejects.toMatchObject({ code: "corrupt" });
      },
    );

    test("with a circle of parents and litter is the rest", async () => {
      makeV1Graph(root, { driver, images: IMAGES });
      tieV1Images(root, PULLED, OLD);
      litterV1Graph(root);
      const { graph } = await open(driver);
      expect([...graph.map().keys()]).toEqual([BASE, RENAMED]);
      await graph.cleanup();
      expect((await open(driver)).graph.map().size).toBe(2);
    });

    test("of 2,000 images is found whole", async () => {
      const made = makeLargeV1Graph(root, driver, { images: 2000 });
      const { graph, tags } = await open(driver);
      expect([...graph.map().keys()].sort()).toEqual([...made.keys()].sort());
      expect(
        graph
          .heads()
          .map(({ id }) => id)
          .sort(),
      ).toEqual(
        tags
          .all()
          .map(({ id }) => id)
          .sort(),
      );
      expect(await digestOf(graph.tarStream(graph.heads()[7]!.id))).toBe(made.get(graph.heads()[7]!.id)!.diffID);
    });
  });
});

async function digestOf(source: ByteSource): Promise<string> {
  const digester = new Digester();
  for await (const chunk of source) digester.update(chunk);
  return digester.digest();
}
