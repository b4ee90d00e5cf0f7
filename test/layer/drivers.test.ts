import { mkdirSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Overlay2Driver } from "../../src/driver/overlay2/overlay2.ts";
import { VfsDriver } from "../../src/driver/vfs/vfs.ts";
import { populateInitLayer } from "../../src/layer/init-layer.ts";
import { type Layer, MAX_DEPTH } from "../../src/layer/layer.ts";
import { mount } from "../../src/sys/mount.ts";
import type { DriverUnderTest } from "../../src/testing/driver-suite.ts";
import { inChunks, LayerBench, tarOut } from "../../src/testing/layer-bench.ts";
import { layerStoreSuite } from "../../src/testing/layer-store-suite.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");

const overlay2: DriverUnderTest = { name: "overlay2", stacks: true, open: (options) => new Overlay2Driver(options) };
const vfs: DriverUnderTest = { name: "vfs", stacks: true, open: (options) => new VfsDriver(options) };

describe.skipIf(lack)(`the layer store as root${lack ?? ""}`, () => {
  layerStoreSuite(overlay2);
  layerStoreSuite(vfs);

  test.each([overlay2, vfs])("has 125 layers of $name under a container, and all come back", async (subject) => {
    await using bench = benchOf(subject);
    const store = await bench.store();
    const tars = Array.from({ length: MAX_DEPTH }, (_, i) => tarOf([{ name: `f${i}`, content: `${i}` }]));
    const layers: Layer[] = [];
    for (const tar of tars) layers.push(await store.register(inChunks(tar), layers.at(-1)?.chainID));
    const top = layers.at(-1)!;
    const container = await store.createRW("c", { parent: top.chainID, init: (path) => populateInitLayer(path) });
    const path = await container.mount();
    expect(readdirSync(path).filter((name) => /^f[0-9]+$/.test(name))).toHaveLength(125);
    await container.unmount();
    expect(await container.changes()).toEqual([]);
    for (const [i, layer] of layers.entries()) expect((await tarOut(layer)).equals(tars[i]!)).toBe(true);
    for (const layer of layers) await layer.release();
    expect(await store.releaseRW(container)).toHaveLength(125);
    expect((await bench.driver()).ids()).toEqual([]);
  });

  test("keeps a writable layer that a process left mounted, until somebody unmounts it", async () => {
    await using bench = benchOf(overlay2);
    const store = await bench.store();
    const base = await store.register(inChunks(tarOf([{ name: "f" }])), undefined);
    const container = await store.createRW("c", { parent: base.chainID });
    const { MergedDir, LowerDir, UpperDir, WorkDir } = await container.metadata();
    mkdirSync(MergedDir!);
    const data = `index=off,lowerdir=${LowerDir},upperdir=${UpperDir},workdir=${WorkDir}`;
    mount({ source: "overlay", target: MergedDir!, type: "overlay", data });

    const next = await bench.store();
    const found = next.getRW("c");
    expect(found.mountCount).toBe(0);
    await expect(next.releaseRW(found)).rejects.toMatchObject({ code: "in-use", message: "mount still active" });
    expect(readdirSync(MergedDir!)).toEqual(["f"]);
    await found.unmount();
    expect(await next.releaseRW(found)).toHaveLength(1);
  });
});

function benchOf(subject: DriverUnderTest): LayerBench & AsyncDisposable {
  const bench = new LayerBench(subject);
  return Object.assign(bench, { [Symbol.asyncDispose]: () => bench.dispose() });
}
