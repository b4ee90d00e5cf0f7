import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { populateInitLayer } from "../layer/init-layer.ts";
import type { Layer } from "../layer/layer.ts";
import type { RWLayer } from "../layer/rw-layer.ts";
import type { LayerStore } from "../layer/store.ts";
import { toText } from "../sys/byte-string.ts";
import type { DriverUnderTest } from "./driver-suite.ts";
import { Faults, inChunks, LayerBench } from "./layer-bench.ts";
import { tarOf } from "./tar-entries.ts";

/** What the layer store promises of writable layers. A part of `layerStoreSuite`. */
export function writableLayerSuite(subject: DriverUnderTest): void {
  describe("writable layers", () => {
    const name = "0c".repeat(32);
    let bench: LayerBench;
    let store: LayerStore;
    let image: Layer;
    let before: unknown[];
    beforeEach(async () => {
      bench = new LayerBench(subject);
      store = await bench.store();
      const base = tarOf([{ name: "etc/" }, { name: "etc/motd", content: "hello" }, { name: "gone", content: "soon" }]);
      const bottom = await store.register(inChunks(base), undefined);
      image = await store.register(inChunks(tarOf([{ name: "top", content: "top" }])), bottom.chainID);
      await bottom.release();
      before = bench.snapshot();
    });
    afterEach(() => bench.dispose());

    const init = (path: string): void => populateInitLayer(path);
    const create = (): Promise<RWLayer> => store.createRW(name, { parent: image.chainID, init });
    const record = (file: string): string => readFileSync(join(bench.layerdb, "mounts", name, file), "utf8");

    if (!subject.stacks) {
      test("are refused, with the reason, and leave nothing", async () => {
        await expect(create()).rejects.toMatchObject({
          code: "permission",
          message: expect.stringContaining("needs root"),
        });
        expect(bench.snapshot()).toEqual(before);
        expect(store.rwNames()).toEqual([]);
      });
      return;
    }

    async function work(layer: RWLayer): Promise<void> {
      const path = await layer.mount();
      expect(layer.mountCount).toBe(1);
      expect(readFileSync(join(path, "etc/motd"), "utf8")).toBe("hello");
      expect(readFileSync(join(path, "top"), "utf8")).toBe("top");
      writeFileSync(join(path, "etc/issue"), "welcome");
      rmSync(join(path, "gone"));
      mkdirSync(join(path, "new"));
      await layer.unmount();
      expect(layer.mountCount).toBe(0);
    }

    async function changesOf(layer: RWLayer): Promise<string[]> {
      const letters = { modified: "C", added: "A", deleted: "D" } as const;
      return (await layer.changes()).map(({ kind, path }) => `${letters[kind]} ${toText(path)}`).sort();
    }

    test("are recorded as Docker records them", async () => {
      const layer = await create();
      expect(readdirSync(join(bench.layerdb, "mounts", name)).sort()).toEqual(["init-id", "mount-id", "parent"]);
      expect(record("mount-id")).toMatch(/^[0-9a-f]{64}$/);
      expect(record("init-id")).toBe(`${record("mount-id")}-init`);
      expect(record("parent")).toBe(image.chainID);
      expect(layer.parent?.chainID).toBe(image.chainID);
      expect((await bench.driver()).ids()).toHaveLength(4);
    });

    test("show what was changed in them, and never what their init layer holds", async () => {
      const layer = await create();
      expect(await changesOf(layer)).toEqual([]);
      await work(layer);
      expect(await changesOf(layer)).toEqual(["A /etc/issue", "A /new", "C /etc", "D /gone"]);
      expect(await layer.size()).toBe("welcome".length);
      expect(await layer.metadata()).toEqual(await (await bench.driver()).metadata(layer.record.mountID));
      const path = await layer.mount();
      expect(readdirSync(path)).toContain(".dockerenv");
      await layer.unmount();
    });

    test("become a layer by their tar, which has the same changes", async () => {
      const layer = await create();
      await work(layer);
      const committed = await store.register(await layer.tarStream(), image.chainID);
      const copy = await store.createRW("copy", { parent: committed.chainID });
      const path = await copy.mount();
      expect(readFileSync(join(path, "etc/issue"), "utf8")).toBe("welcome");
      expect(readdirSync(path).sort()).toEqual(["etc", "new", "top"]);
      await copy.unmount();
    });

    test("need neither an init layer nor a parent", async () => {
      const layer = await store.createRW("scratch");
      expect(layer.record).toMatchObject({ initID: undefined, parent: undefined });
      expect(layer.parent).toBeUndefined();
      writeFileSync(join(await layer.mount(), "f"), "12345");
      await layer.unmount();
      expect(await changesOf(layer)).toEqual(["A /f"]);
      expect(await layer.size()).toBe(5);
      expect(await store.releaseRW(layer)).toEqual([]);
      expect(bench.snapshot()).toEqual(before);
    });

    test("keep the image below them, and take it with them when nobody else wants it", async () => {
      const layer = await create();
      expect(await image.release()).toEqual([]);
      expect(await store.releaseRW(layer)).toHaveLength(2);
      expect((await bench.driver()).ids()).toEqual([]);
      expect(store.map().size).toBe(0);
      expect(store.rwNames()).toEqual([]);
    });

    test("leave the image when somebody else wants it", async () => {
      const layer = await create();
      expect(await store.releaseRW(layer)).toEqual([]);
      expect(bench.snapshot()).toEqual(before);
      await expect(layer.mount()).rejects.toMatchObject({ code: "not-found", message: "mount does not exist" });
      await expect(store.releaseRW(layer)).rejects.toMatchObject({ code: "not-found" });
    });

    test("are not deleted while they are mounted", async () => {
      const layer = await create();
      await layer.mount();
      await layer.mount();
      await layer.unmount();
      const mounted = bench.snapshot();
      await expect(store.releaseRW(layer)).rejects.toMatchObject({ code: "in-use", message: "mount still active" });
      expect(bench.snapshot()).toEqual(mounted);
      await layer.unmount();
      await store.releaseRW(layer);
      expect(bench.snapshot()).toEqual(before);
    });

    test("have names that are one file name and not taken", async () => {
      await create();
      const taken = bench.snapshot();
      await expect(create()).rejects.toMatchObject({
        code: "already-exists",
        message: "mount already exists with name",
      });
      for (const bad of ["", ".", "..", "a/b", "/", "a\0"])
        await expect(store.createRW(bad)).rejects.toMatchObject({ code: "invalid-argument" });
      await expect(store.createRW("x", { parent: `sha256:${"0".repeat(64)}` })).rejects.toMatchObject({
        message: "layer does not exist",
      });
      expect(bench.snapshot()).toEqual(taken);
      expect(() => store.getRW("x")).toThrow("mount does not exist");
      expect(store.rwNames()).toEqual([name]);
    });

    test("begin with what they are filled with, which counts as a change", async () => {
      const fill = (path: string): void => mkdirSync(join(path, "work"));
      const layer = await store.createRW(name, { parent: image.chainID, init, fill });
      expect(await changesOf(layer)).toEqual(["A /work"]);
    });

    test("have what belongs beside them before they appear, and leave nothing when that fails", async () => {
      const beside = (): void => {
        expect(bench.metadata().mounts()).toEqual([]);
        throw new Error("no room beside");
      };
      await expect(store.createRW(name, { parent: image.chainID, init, beside })).rejects.toThrow("no room beside");
      expect(bench.snapshot()).toEqual(before);
      expect(store.rwNames()).toEqual([]);
    });

    test("stay when the check before their deletion says so", async () => {
      const layer = await create();
      const present = bench.snapshot();
      const check = (): never => {
        throw new Error("still wanted");
      };
      await expect(store.releaseRW(layer, { check })).rejects.toThrow("still wanted");
      expect(bench.snapshot()).toEqual(present);
      expect(await changesOf(layer)).toEqual([]);
    });

    test("whose init layer cannot be filled leave nothing", async () => {
      const failing = (): never => {
        throw new Error("no init today");
      };
      await expect(store.createRW(name, { parent: image.chainID, init: failing })).rejects.toThrow("no init today");
      expect(bench.snapshot()).toEqual(before);
      expect(await image.release()).toHaveLength(2);
    });

    test("whose image another process deletes while they are made leave nothing", async () => {
      const other = await bench.store();
      const meanwhile = async (): Promise<void> => {
        expect(await other.get(image.chainID).release()).toHaveLength(2);
      };
      const outcome = store.createRW(name, { parent: image.chainID, init: meanwhile });
      await expect(outcome).rejects.toMatchObject({ code: "conflict" });
      expect((await bench.driver()).ids()).toEqual([]);
      expect(store.rwNames()).toEqual([]);
      expect(store.map().size).toBe(0);
    });

    test("survive the failure of each single call while they are made", async () => {
      const { faults, shaky } = await shakyStore();
      const struck: string[] = [];
      for (let call = 1; ; call++) {
        faults.failAt(call);
        const outcome = await shaky.createRW(name, { parent: image.chainID, init }).catch((error: unknown) => error);
        faults.stop();
        if (faults.struck === undefined) break;
        struck.push(faults.struck);
        expect(outcome).toMatchObject({ code: "no-space" });
        expect(bench.snapshot(), faults.struck).toEqual(before);
        expect(shaky.rwNames()).toEqual([]);
      }
      expect(struck).toEqual(expect.arrayContaining(["driver.createReadWrite", "driver.put", "beginMount.commit"]));
      expect(shaky.rwNames()).toEqual([name]);
    });

    test("stay, or go whole, when a call fails while they are deleted", async () => {
      const { faults, shaky } = await shakyStore();
      const struck: string[] = [];
      for (let call = 1; ; call++) {
        if (!shaky.hasRW(name)) await shaky.createRW(name, { parent: image.chainID, init });
        const present = bench.snapshot();
        faults.failAt(call);
        const outcome = await shaky.releaseRW(shaky.getRW(name)).catch((error: unknown) => error);
        faults.stop();
        if (faults.struck === undefined) break;
        struck.push(faults.struck);
        const kept = outcome instanceof Error;
        expect(shaky.hasRW(name)).toBe(kept);
        expect((await bench.store()).hasRW(name)).toBe(kept);
        if (!kept) await shaky.cleanup();
        expect(bench.snapshot(), faults.struck).toEqual(kept ? present : before);
      }
      expect(struck).toEqual(["metadata.setMountAside", "driver.remove", "driver.remove", "setMountAside.finish"]);
      expect(bench.warnings).toHaveLength(2);
      expect(bench.snapshot()).toEqual(before);
    });

    test("are there for the next process, with their image", async () => {
      await work(await create());
      await image.release();
      const next = await bench.store();
      expect(next.rwNames()).toEqual([name]);
      const layer = next.getRW(name);
      expect(await changesOf(layer)).toContain("A /etc/issue");
      expect(layer.parent?.depth).toBe(2);
      expect(await next.releaseRW(layer)).toHaveLength(2);
      await store.refresh();
      expect(store.hasRW(name)).toBe(false);
      expect(store.map().size).toBe(0);
    });

    test("that somebody else made keep the image from being deleted", async () => {
      const other = await bench.store();
      await other.createRW(name, { parent: image.chainID, init });
      expect(await image.release()).toEqual([]);
      expect(store.hasRW(name)).toBe(true);
    });

    test.each([
      ["no mount-id", (file: (name: string) => string) => rmSync(file("mount-id")), "it is missing"],
      [
        "a mount-id that is none",
        (file: (name: string) => string) => writeFileSync(file("mount-id"), "x"),
        "invalid mount id",
      ],
      [
        "an unknown parent",
        (file: (name: string) => string) => writeFileSync(file("parent"), `sha256:${"0".repeat(64)}`),
        "cannot be used",
      ],
    ])("with %s are left out, with the reason", async (_, damage, reason) => {
      await create();
      damage((file) => join(bench.layerdb, "mounts", name, file));
      const next = await bench.store();
      expect(next.rwNames()).toEqual([]);
      expect(next.broken).toMatchObject([{ kind: "mount", name, reason: expect.stringContaining(reason) }]);
      expect(bench.warnings).toEqual([expect.stringContaining(`mount ${name}: `)]);
    });

    async function shakyStore(): Promise<{ faults: Faults; shaky: LayerStore }> {
      const faults = new Faults();
      const shaky = await bench.store({
        driver: faults.wrap(await bench.driver(), "driver"),
        metadata: faults.wrap(bench.metadata(), "metadata"),
      });
      shaky.get(image.chainID); // held to the end
      return { faults, shaky };
    }
  });
}
