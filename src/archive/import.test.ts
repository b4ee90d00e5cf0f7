import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../digest/digest.ts";
import { sourceOf } from "../io/byte-source.ts";
import { parseNormalized } from "../reference/reference.ts";
import { ArchiveBench, makeLayer } from "../testing/archive-bench.ts";
import type { Stores } from "./archive.ts";
import { importImage } from "./import.ts";

const tar = makeLayer("etc/motd", "hello");

describe("import", () => {
  let bench: ArchiveBench;
  let stores: Stores;
  beforeEach(async () => {
    bench = new ArchiveBench();
    stores = await bench.stores();
  });
  afterEach(() => bench.dispose());

  test("makes an image of one layer, which is the tar as it came", async () => {
    writeFileSync(bench.path("rootfs.tar.gz"), gzipSync(tar));
    const id = await importImage(bench.path("rootfs.tar.gz"), stores, { reference: "base", changes: ["CMD x"] });
    const { diffIDs, config } = stores.images.get(id);
    expect(diffIDs).toEqual([digestOf(tar)]);
    expect(config).toMatchObject({
      comment: "Imported from -",
      os: "linux",
      history: [{ comment: "Imported from -" }],
    });
    expect(config.config!.cmd).toEqual(["/bin/sh", "-c", "x"]);
    expect(stores.references.get(parseNormalized("base:latest"))).toBe(id);
    expect(stores.images.lastUpdated(id)).toBeDefined();
  });

  test("leaves the layer to the image alone", async () => {
    const id = await importImage(sourceOf(tar), stores);
    expect(await stores.images.delete(id)).toHaveLength(1);
    expect(stores.layers.map().size).toBe(0);
  });

  test("tells how far it is", async () => {
    const seen: number[] = [];
    await importImage(sourceOf(tar), stores, { onBytes: (total) => void seen.push(total) });
    expect(seen.at(-1)).toBe(tar.length);
  });

  test.each<[string, () => Promise<unknown>, string, string]>([
    [
      "a bad change",
      () => importImage(sourceOf(tar), stores, { changes: ["RUN x"] }),
      "invalid-argument",
      "run is not",
    ],
    ["a bad name", () => importImage(sourceOf(tar), stores, { reference: "A" }), "invalid-reference", "lowercase"],
    [
      "a digest for a name",
      () => importImage(sourceOf(tar), stores, { reference: `a@${digestOf(tar)}` }),
      "invalid-argument",
      "cannot import digest reference",
    ],
    ["no tar", () => importImage(sourceOf(Buffer.alloc(600, "x")), stores), "invalid-archive", "invalid tar header"],
    ["a cut tar", () => importImage(sourceOf(tar.subarray(0, 513)), stores), "invalid-archive", "unexpected EOF"],
    ["no file", () => importImage(bench.path("none"), stores), "not-found", "no such file"],
    ["too much", () => importImage(sourceOf(tar), stores, { limits: { layerBytes: 1000 } }), "too-large", "1000"],
    ["a signal", () => importImage(sourceOf(tar), stores, { signal: AbortSignal.abort() }), "cancelled", "cancelled"],
  ])("of %s fails and leaves nothing", async (_, run, code, message) => {
    await expect(run()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect(bench.snapshot()).toEqual([]);
    expect(stores.layers.map().size).toBe(0);
  });
});
