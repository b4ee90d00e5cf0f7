import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ChainID } from "../digest/chain-id.ts";
import { digestOf } from "../digest/digest.ts";
import { collect } from "../io/byte-source.ts";
import type { LayerMetadata, LayerRecord, MountRecord } from "../layer/metadata.ts";

/** A metadata store to be tried. */
export interface LayerMetadataUnderTest {
  readonly name: string;
  /** Opens what is kept in a directory, which need not exist yet; each opening sees what the others committed. */
  open(directory: string): LayerMetadata;
}

/** What every store of layer records promises (see `LayerMetadata`), whoever wrote it. Call it from a vitest file. */
export function layerMetadataSuite(subject: LayerMetadataUnderTest): void {
  describe(`layer metadata in ${subject.name}`, () => {
    let directory: string;
    let metadata: LayerMetadata;
    let other: LayerMetadata;
    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), "layer-metadata-suite-"));
      metadata = subject.open(join(directory, "store"));
      other = subject.open(join(directory, "store"));
    });
    afterEach(() => rmSync(directory, { recursive: true }));

    const chain: ChainID = digestOf("chain");
    const parent: ChainID = digestOf("parent");
    const record: LayerRecord = {
      diffID: digestOf("diff"),
      size: 15,
      cacheID: "tree",
      parent,
      descriptor: { mediaType: "m", size: 5, digest: digestOf("blob"), urls: ["https://example.org/<a>"] },
    };
    const mount: MountRecord = { mountID: "1".repeat(64), initID: `${"1".repeat(64)}-init`, parent };

    async function commitLayer(value: LayerRecord = record, lines: string[] = []): Promise<void> {
      const transaction = await metadata.beginLayer(value.cacheID);
      for (const line of lines) transaction.split.write(line);
      await transaction.write(value);
      await transaction.commit(chain);
    }

    async function commitMount(): Promise<void> {
      await (await metadata.beginMount(mount)).commit("name");
    }

    function leftTrees(from: LayerMetadata = other): string[] {
      const trees: string[] = [];
      for (const leftover of from.leftovers()) {
        trees.push(...leftover.trees);
        leftover[Symbol.dispose]();
      }
      return trees.sort();
    }

    test("of a store that nobody wrote to yet there is nothing", () => {
      expect(metadata.chains()).toEqual([]);
      expect(metadata.mounts()).toEqual([]);
      expect(metadata.leftovers()).toEqual([]);
      expect(metadata.layerStamp(chain)).toBeUndefined();
      expect(metadata.mountStamp("name")).toBeUndefined();
      expect(() => metadata.readLayer(chain)).toThrow(expect.objectContaining({ code: "not-found" }));
      expect(() => metadata.readMount("name")).toThrow(expect.objectContaining({ code: "not-found" }));
    });

    describe("a layer", () => {
      test("is there for everybody once it is committed, with its tar-split", async () => {
        const lines = Array.from({ length: 5000 }, (_, i) => `{"position":${i}}\n`);
        await commitLayer(record, lines);
        for (const reader of [metadata, other]) {
          expect(reader.chains()).toEqual([chain]);
          expect(reader.readLayer(chain)).toEqual(record);
          expect(gunzipSync(await collect(reader.splitStream(chain), 1 << 20)).toString()).toBe(lines.join(""));
          expect(reader.layerStamp(chain)).toBe(metadata.layerStamp(chain));
        }
        expect(leftTrees()).toEqual([]);
      });

      test("without parent and descriptor has none when it is read", async () => {
        const base = { ...record, parent: undefined, descriptor: undefined };
        await commitLayer(base);
        expect(other.readLayer(chain)).toEqual(base);
      });

      test("is not there before, and never when it is cancelled", async () => {
        const transaction = await metadata.beginLayer(record.cacheID);
        transaction.split.write("line\n");
        expect(other.chains()).toEqual([]);
        await transaction.write(record);
        expect(other.chains()).toEqual([]);
        await transaction.cancel();
        expect(other.chains()).toEqual([]);
        expect(leftTrees()).toEqual([]);
      });

      test("can be cancelled in the middle of its tar-split", async () => {
        const transaction = await metadata.beginLayer(record.cacheID);
        while (!transaction.split.full) transaction.split.write(`${Math.random()}`.repeat(1000));
        await transaction.cancel();
        expect(leftTrees()).toEqual([]);
      });

      test("whose writer waits when it should never needs much memory", async () => {
        const transaction = await metadata.beginLayer(record.cacheID);
        const line = "x".repeat(99_999);
        let waits = 0;
        for (let i = 0; i < 500; i++) {
          transaction.split.write(`${line}\n`);
          if (!transaction.split.full) continue;
          await transaction.split.drained();
          waits++;
        }
        expect(waits).toBeGreaterThan(0);
        await transaction.write(record);
        await transaction.commit(chain);
        let size = 0;
        for await (const chunk of other.splitStream(chain)) size += chunk.length;
        expect(size).toBeGreaterThan(0);
      });

      test("is not committed over another one of its chain, and can be cancelled then", async () => {
        await commitLayer();
        const transaction = await other.beginLayer("tree 2");
        await transaction.write({ ...record, cacheID: "tree 2" });
        await expect(transaction.commit(chain)).rejects.toMatchObject({ code: "already-exists" });
        await transaction.cancel();
        expect(metadata.readLayer(chain)).toEqual(record);
        expect(leftTrees()).toEqual([]);
      });

      test("that takes the place of another one has another stamp", async () => {
        await commitLayer();
        const before = other.layerStamp(chain);
        using removal = await metadata.setLayerAside(chain);
        await commitLayer({ ...record, cacheID: "tree 2" });
        expect(other.layerStamp(chain)).not.toBe(before);
        await removal.finish();
        expect(other.readLayer(chain).cacheID).toBe("tree 2");
      });

      test("that is set aside is gone for everybody, and its tree is known until the end", async () => {
        await commitLayer();
        const removal = await metadata.setLayerAside(chain);
        for (const reader of [metadata, other]) {
          expect(reader.chains()).toEqual([]);
          expect(reader.layerStamp(chain)).toBeUndefined();
        }
        expect(leftTrees()).toEqual([]);
        removal[Symbol.dispose]();
        expect(leftTrees()).toEqual(["tree"]);
        const [leftover] = other.leftovers();
        await leftover!.discard();
        leftover![Symbol.dispose]();
        expect(leftTrees()).toEqual([]);
      });

      test("that is not there cannot be set aside", async () => {
        await expect(metadata.setLayerAside(chain)).rejects.toMatchObject({ code: "not-found" });
      });

      test("that is put aside as broken makes room and keeps its tree", async () => {
        await commitLayer();
        await metadata.putBrokenAside(chain);
        expect(other.chains()).toEqual([]);
        expect(leftTrees()).toEqual([]);
        await commitLayer({ ...record, cacheID: "tree 2" });
        expect(other.readLayer(chain).cacheID).toBe("tree 2");
      });
    });

    describe("a writable layer", () => {
      test("is there for everybody once it is committed", async () => {
        const transaction = await metadata.beginMount(mount);
        expect(other.mounts()).toEqual([]);
        await transaction.commit("name");
        for (const reader of [metadata, other]) {
          expect(reader.mounts()).toEqual(["name"]);
          expect(reader.readMount("name")).toEqual(mount);
        }
        expect(leftTrees()).toEqual([]);
      });

      test.each([{ initID: undefined }, { parent: undefined }])("may lack %o", async (lack) => {
        const value: MountRecord = { ...mount, ...lack };
        await (await metadata.beginMount(value)).commit("name");
        expect(other.readMount("name")).toEqual(value);
      });

      test("is not committed over another one of its name, and can be cancelled then", async () => {
        await commitMount();
        const transaction = await other.beginMount({ ...mount, mountID: "2".repeat(64), initID: undefined });
        await expect(transaction.commit("name")).rejects.toMatchObject({ code: "already-exists" });
        await transaction.cancel();
        expect(metadata.readMount("name")).toEqual(mount);
        expect(leftTrees()).toEqual([]);
      });

      test("that is set aside is gone, or back, as its owner decides", async () => {
        await commitMount();
        const first = await metadata.setMountAside("name");
        expect(other.mounts()).toEqual([]);
        expect(leftTrees()).toEqual([]);
        await first.undo();
        first[Symbol.dispose]();
        expect(other.readMount("name")).toEqual(mount);
        using second = await metadata.setMountAside("name");
        await second.finish();
        expect(other.mounts()).toEqual([]);
        expect(leftTrees()).toEqual([]);
      });

      test("whose owner died between leaves its trees to the next", async () => {
        await commitMount();
        (await metadata.setMountAside("name"))[Symbol.dispose]();
        expect(leftTrees()).toEqual([mount.mountID, mount.initID]);
      });
    });

    describe("what was begun and never ended", () => {
      test("is nobody's business while its owner lives", async () => {
        const layer = await metadata.beginLayer("tree");
        const writable = await metadata.beginMount(mount);
        expect(leftTrees()).toEqual([]);
        expect(leftTrees(metadata)).toEqual([]);
        await layer.cancel();
        await writable.cancel();
      });

      test("names its trees to whoever comes later, and can be discarded once", async () => {
        const layer = await metadata.beginLayer("tree");
        layer.split.write("line\n");
        await layer.abandon();
        await (await metadata.beginMount(mount)).abandon();
        expect(leftTrees()).toEqual([mount.mountID, mount.initID, "tree"]);

        const leftovers = other.leftovers();
        expect(metadata.leftovers()).toEqual([]);
        for (const leftover of leftovers) {
          await leftover.discard();
          leftover[Symbol.dispose]();
        }
        expect(leftTrees()).toEqual([]);
      });

      test("names no tree that was there before it and is to stay", async () => {
        const layer = await metadata.beginLayer("tree", { adopted: true });
        await layer.write(record);
        await layer.abandon();
        await (await metadata.beginMount(mount, { adopted: true })).abandon();
        expect(leftTrees()).toEqual([]);
        const leftovers = other.leftovers();
        expect(leftovers).toHaveLength(2);
        for (const leftover of leftovers) {
          await leftover.discard();
          leftover[Symbol.dispose]();
        }
        expect(metadata.leftovers()).toEqual([]);
      });

      test("may have been complete but for the last step", async () => {
        const layer = await metadata.beginLayer("tree");
        await layer.write(record);
        await layer.abandon();
        expect(leftTrees()).toEqual(["tree"]);
        expect(other.chains()).toEqual([]);
      });
    });
  });
}
