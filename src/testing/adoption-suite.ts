import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { extendChain } from "../digest/chain-id.ts";
import { digestOf, hexOf } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import { FileMetadata } from "../layer/file-metadata.ts";
import type { StrayTree, TreeIdentity } from "../layer/identity-jobs.ts";
import type { Layer } from "../layer/layer.ts";
import type { LayerMetadata } from "../layer/metadata.ts";
import type { LayerStore } from "../layer/store.ts";
import type { DriverUnderTest } from "./driver-suite.ts";
import { Faults, inChunks, LayerBench, tarOut } from "./layer-bench.ts";
import { tarOf } from "./tar-entries.ts";

/** What the layer store promises of trees that another store made. A part of `layerStoreSuite`. */
export function adoptionSuite(subject: DriverUnderTest): void {
  describe("trees that another store made", () => {
    const base = tarOf([
      { name: "etc/" },
      { name: "etc/motd", content: "hello" },
      { name: "etc/hosts", content: "me" },
    ]);
    const second = tarOf([{ name: "etc/" }, { name: "etc/.wh.motd" }, { name: "etc/issue", content: "second" }]);
    let bench: LayerBench;
    let store: LayerStore;
    let lower: StrayTree;
    let upper: StrayTree;
    beforeEach(async () => {
      bench = new LayerBench(subject);
      store = await bench.store();
      // Another layerdb on the same driver is what made them.
      const other = await bench.store({ metadata: new FileMetadata(join(bench.root, "other"), { sync: false }) });
      const stray = (layer: Layer, below?: Layer): StrayTree => ({
        cacheID: layer.cacheID,
        parent: below?.cacheID,
        split: join(bench.root, "other", "sha256", hexOf(layer.chainID), "tar-split.json.gz"),
        newSplit: join(bench.root, `split-of-${layer.cacheID}`),
      });
      const bottom = await other.register(inChunks(base), undefined);
      lower = stray(bottom);
      upper = stray(await other.register(inChunks(second), bottom.chainID), bottom);
    });
    afterEach(() => bench.dispose());

    async function identify(...trees: StrayTree[]): Promise<(TreeIdentity | VarveError)[]> {
      const found = new Map<StrayTree, TreeIdentity | VarveError>();
      await store.identifyTrees(trees, { bytes: 0, onTree: (tree, identity) => found.set(tree, identity) });
      return trees.map((tree) => found.get(tree)!);
    }

    const adopt = async (tree: StrayTree, parent?: Layer, to: LayerStore = store): Promise<Layer> => {
      const [found] = (await identify(tree)) as [TreeIdentity];
      const split = found.isOriginal ? tree.split! : tree.newSplit;
      return await to.adopt({ ...found, cacheID: tree.cacheID, split }, parent?.chainID);
    };

    test("are the layers that they were made of, by their tar-splits", async () => {
      const before = bench.snapshot();
      expect(await identify(lower, upper)).toEqual([
        { diffID: digestOf(base), size: 7, length: base.length, isOriginal: true, reason: undefined },
        { diffID: digestOf(second), size: 6, length: second.length, isOriginal: true, reason: undefined },
      ]);
      expect(bench.snapshot()).toEqual(before);
    });

    test("become layers as they are, which give the same tars", async () => {
      const bottom = await adopt(lower);
      const top = await adopt(upper, bottom);
      expect(top).toMatchObject({ chainID: extendChain(bottom.chainID, digestOf(second)), cacheID: upper.cacheID });
      const again = await bench.store();
      expect((await tarOut(again.get(bottom.chainID))).equals(base)).toBe(true);
      expect((await tarOut(again.get(top.chainID))).equals(second)).toBe(true);
      const record = join(bench.layerdb, "sha256", hexOf(top.chainID));
      expect(readFileSync(join(record, "tar-split.json.gz")).equals(readFileSync(upper.split!))).toBe(true);
      expect(readFileSync(join(record, "size"), "utf8")).toBe("6");
    });

    test("are only known to another layer's record when their chain is there already", async () => {
      const known = await store.register(inChunks(base), undefined);
      const before = bench.snapshot();
      const found = await adopt(lower);
      expect(found.cacheID).toBe(known.cacheID);
      expect(bench.snapshot()).toEqual(before);
    });

    test("that cannot be read are told, and the others are read", async () => {
      const missing = { ...upper, cacheID: "missing" };
      expect(await identify(missing, lower)).toEqual([
        expect.objectContaining({ code: "not-found" }),
        expect.objectContaining({ diffID: digestOf(base) }),
      ]);
    });

    test("are not read any further once somebody says stop, or nobody listens any more", async () => {
      const stop = new AbortController();
      const told: string[] = [];
      const onTree = ({ cacheID }: StrayTree): void => {
        told.push(cacheID);
        stop.abort();
      };
      const options = { bytes: 0, signal: stop.signal, onTree };
      await expect(store.identifyTrees([lower, upper], options)).rejects.toMatchObject({ code: "cancelled" });
      expect(told).toEqual([lower.cacheID]);
      const refusing = {
        bytes: 0,
        onTree: () => {
          throw new VarveError("no-space", "nowhere to note it");
        },
      };
      await expect(store.identifyTrees([lower, upper], refusing)).rejects.toMatchObject({ code: "no-space" });
    });

    test("stay, and nothing else does, when a call fails while they are taken in", async () => {
      const faults = new Faults();
      const shaky = await bench.store({
        driver: faults.wrap(await bench.driver(), "driver"),
        metadata: faults.wrap(bench.metadata(), "metadata"),
      });
      const [found] = (await identify(lower)) as [TreeIdentity];
      const tree = { ...found, cacheID: lower.cacheID, split: lower.split! };
      await (await bench.metadata().beginLayer("to make the directories")).cancel();
      const before = bench.snapshot();
      const struck: string[] = [];
      for (let call = 1; ; call++) {
        faults.failAt(call);
        const outcome = await shaky.adopt(tree, undefined).catch((error: unknown) => error);
        faults.stop();
        if (faults.struck === undefined) break;
        struck.push(faults.struck);
        expect(outcome).toMatchObject({ code: "no-space" });
        expect(bench.snapshot(), faults.struck).toEqual(before);
        expect(shaky.map().size).toBe(0);
      }
      expect(struck).toEqual(expect.arrayContaining(["metadata.beginLayer", "beginLayer.write", "beginLayer.commit"]));
      expect((await tarOut(shaky.get(found.diffID))).equals(base)).toBe(true);
    });

    test("stay when their taker dies in the midst of it", async () => {
      const dying = await bench.store({ metadata: dyingBeforeCommit(bench.metadata()) });
      await expect(adopt(lower, undefined, dying)).rejects.toThrow("died");
      const next = await bench.store();
      expect(await next.cleanup()).toMatchObject([{ trees: [] }]);
      expect(await next.cleanup()).toEqual([]);
      expect((await tarOut(await adopt(lower, undefined, next))).equals(base)).toBe(true);
    });

    test("are refused on an unknown parent, and without a tree", async () => {
      const [found] = (await identify(lower)) as [TreeIdentity];
      const tree = { ...found, cacheID: lower.cacheID, split: lower.split! };
      await expect(store.adopt(tree, digestOf("nobody"))).rejects.toMatchObject({ code: "not-found" });
      await expect(store.adopt({ ...tree, cacheID: "missing" }, undefined)).rejects.toMatchObject({
        code: "not-found",
        message: `the driver ${subject.name} has no tree missing`,
      });
      expect(store.map().size).toBe(0);
    });

    if (!subject.stacks) return;

    test("are what they add to their parents where nobody kept a tar-split", async () => {
      const bare = { ...upper, split: undefined };
      const [found] = (await identify(bare)) as [TreeIdentity];
      expect(found).toMatchObject({ size: 6, isOriginal: false, reason: undefined });
      const bottom = await adopt(lower);
      const layer = await store.adopt({ ...found, cacheID: upper.cacheID, split: upper.newSplit }, bottom.chainID);
      const tar = await tarOut(layer);
      expect(digestOf(tar)).toBe(found.diffID);
      expect(tar.length).toBe(found.length);
      expect(tar.includes("etc/.wh.motd") && tar.includes("second")).toBe(true);
    });

    test("are what they are now when their files are others than those of the tar-split, which stays", async () => {
      const kept = readFileSync(lower.split!);
      const motd = readdirSync(bench.home, { recursive: true, encoding: "utf8" }).find(
        (path) => path.includes(lower.cacheID) && path.endsWith("etc/motd"),
      );
      writeFileSync(join(bench.home, motd!), "other");
      writeFileSync(lower.newSplit, "what an earlier run left");
      const [found] = (await identify(lower)) as [TreeIdentity];
      expect(found).toMatchObject({ isOriginal: false, reason: expect.stringContaining("integrity") });
      expect(found.diffID).not.toBe(digestOf(base));
      expect(readFileSync(lower.split!).equals(kept)).toBe(true);
      expect(gunzipSync(readFileSync(lower.newSplit)).toString()).toContain("etc/motd");
      expect(digestOf(await tarOut(await adopt(lower)))).toBe(found.diffID);
    });

    test("become a container's writable layer, once, and stay when that fails", async () => {
      const driver = await bench.driver();
      const [name, image] = ["0c".repeat(32), await adopt(lower)];
      await driver.createReadWrite(name, lower.cacheID);
      const record = { mountID: name, initID: undefined, parent: image.chainID };
      for (const wrong of [
        { ...record, mountID: "9".repeat(64) },
        { ...record, initID: `${name}-init` },
        { ...record, parent: digestOf("nobody") },
      ])
        await expect(store.adoptRW(name, wrong)).rejects.toMatchObject({ code: "not-found" });
      expect(store.rwNames()).toEqual([]);
      const dying = await bench.store({ metadata: dyingBeforeCommit(bench.metadata()) });
      await expect(dying.adoptRW(name, record)).rejects.toThrow("died");
      expect(await dying.cleanup()).toMatchObject([{ trees: [] }]);
      expect(driver.exists(name)).toBe(true);
      expect(await (await store.adoptRW(name, record)).changes()).toEqual([]);
      await store.adoptRW(name, record);
      await expect(store.adoptRW(name, { ...record, parent: undefined })).rejects.toMatchObject({
        code: "already-exists",
      });
      expect((await bench.store()).rwNames()).toEqual([name]);
      expect(readdirSync(join(bench.layerdb, "tmp"))).toEqual([]);
      expect(existsSync(join(bench.layerdb, "mounts", name, "init-id"))).toBe(false);
    });
  });
}

/** One who never comes to publishing, nor to clearing up. */
function dyingBeforeCommit(metadata: LayerMetadata): LayerMetadata {
  const die = (): Promise<never> => Promise.reject(new Error("died"));
  const dying = <T extends object>(transaction: T): T =>
    new Proxy(transaction, {
      get: (target, key) => {
        if (key === "commit" || key === "cancel") return die;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  return new Proxy(metadata, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      if (key !== "beginLayer" && key !== "beginMount") return value.bind(target);
      return async (...args: unknown[]) => dying((await value.apply(target, args)) as object);
    },
  });
}
