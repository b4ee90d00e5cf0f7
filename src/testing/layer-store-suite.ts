import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ChainID, chainIDOf, extendChain } from "../digest/chain-id.ts";
import { digestOf, hexOf } from "../digest/digest.ts";
import { type ByteSource, collect, sourceOf } from "../io/byte-source.ts";
import { type Layer, MAX_DEPTH } from "../layer/layer.ts";
import type { LayerStore } from "../layer/store.ts";
import { fromText } from "../sys/byte-string.ts";
import { TYPE } from "../tar/header.ts";
import { adoptionSuite } from "./adoption-suite.ts";
import type { DriverUnderTest } from "./driver-suite.ts";
import { Faults, inChunks, LayerBench, tarOut } from "./layer-bench.ts";
import { type TarEntry, tarOf } from "./tar-entries.ts";
import { writableLayerSuite } from "./writable-layer-suite.ts";

/** What the layer store promises on top of a driver (see `LayerStore`). Call it from a vitest file. */
export function layerStoreSuite(subject: DriverUnderTest): void {
  describe(`layer store on ${subject.name}`, () => {
    let bench: LayerBench;
    let store: LayerStore;
    beforeEach(async () => {
      bench = new LayerBench(subject);
      store = await bench.store();
    });
    afterEach(() => bench.dispose());

    const base = tarOf([
      { name: "etc/" },
      { name: "etc/motd", content: "hello" },
      { name: "etc/hosts", content: "localhost" },
      { name: "bin/sh", content: "#!", mode: 0o4755, mtime: { seconds: 1_600_000_001, nanoseconds: 999_999_999 } },
    ]);
    const second = tarOf([{ name: "etc/" }, { name: "etc/.wh.motd" }, { name: "etc/issue", content: "second" }]);
    const third = tarOf([{ name: "top", content: "third" }]);
    const chainOf = (...tars: Buffer[]): ChainID => chainIDOf(tars.map((tar) => digestOf(tar)))!;

    const register = (tar: Buffer, parent?: Layer, to: LayerStore = store): Promise<Layer> =>
      to.register(inChunks(tar), parent?.chainID);

    async function stack(...tars: Buffer[]): Promise<Layer[]> {
      const layers: Layer[] = [];
      for (const tar of tars) layers.push(await register(tar, layers.at(-1)));
      return layers;
    }

    const recordFile = (chain: ChainID, name: string): string => join(bench.layerdb, "sha256", hexOf(chain), name);

    /** So many records on top of a layer, which claim its tree for theirs. @returns the top one */
    function forgeStack(bottom: ChainID, count: number): ChainID {
      let top = bottom;
      for (let i = 0; i < count; i++) {
        const [diffID, parent] = [digestOf(`${i}`), top];
        top = extendChain(parent, diffID);
        copyDirectory(recordFile(bottom, "."), recordFile(top, "."), ["cache-id", "size"]);
        writeFileSync(recordFile(top, "diff"), diffID);
        writeFileSync(recordFile(top, "parent"), parent);
      }
      return top;
    }

    describe("registering", () => {
      test("names a layer by the bytes of its tar and by those below it", async () => {
        const [first, above] = (await stack(base, second)) as [Layer, Layer];
        expect(first).toMatchObject({ chainID: digestOf(base), diffID: digestOf(base), depth: 1, parent: undefined });
        expect(above).toMatchObject({
          chainID: extendChain(first.chainID, digestOf(second)),
          diffID: digestOf(second),
          parent: first.chainID,
          depth: 2,
        });
        expect(above.totalSize()).toBe(first.size + above.size);
        expect(first.size).toBeGreaterThan(0);
        expect([...store.map().keys()].sort()).toEqual([first.chainID, above.chainID].sort());
      });

      test("gives the tar back byte for byte, however it came", async () => {
        const names = fc.stringMatching(/^[a-z]{1,120}$/);
        const files = fc.uniqueArray(fc.record({ name: names, content: fc.uint8Array({ maxLength: 2000 }) }), {
          selector: ({ name }) => name,
          maxLength: 12,
        });
        const tail = fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ maxLength: 20_000 }));
        await fc.assert(
          fc.asyncProperty(files, tail, fc.integer({ min: 1, max: 5000 }), async (entries, garbage, size) => {
            const tar = Buffer.concat([tarOf(entries), garbage]);
            await using layer = await store.register(inChunks(tar, size), undefined);
            expect(layer.diffID).toBe(digestOf(tar));
            expect((await tarOut(layer)).equals(tar)).toBe(true);
          }),
          { numRuns: 15 },
        );
      });

      test("keeps every kind of entry for the day when the tar is wanted back", async () => {
        const tar = tarOf(everyKind());
        const layer = await register(tar);
        expect((await tarOut(layer)).equals(tar)).toBe(true);
      });

      test.each([
        ["no bytes at all", Buffer.alloc(0)],
        ["one block of zeros", Buffer.alloc(512)],
        ["Docker's empty layer", Buffer.alloc(1024)],
        ["an entry without end blocks", base.subarray(0, 512)],
        ["megabytes of padding", Buffer.concat([base, Buffer.alloc(5 << 20)])],
      ])("takes %s", async (_, tar) => {
        const layer = await register(tar);
        expect(layer.diffID).toBe(digestOf(tar));
        expect((await tarOut(layer)).equals(tar)).toBe(true);
      });

      test("stores a chain once, and lends it to everybody who brings it", async () => {
        const first = await register(base);
        const before = bench.snapshot();
        const again = await register(base);
        expect(again.cacheID).toBe(first.cacheID);
        expect(bench.snapshot()).toEqual(before);
        await first.release();
        expect(bench.snapshot()).toEqual(before);
        expect(await again.release()).toHaveLength(1);
      });

      test("stores the same layer on another parent as another one", async () => {
        const [, onBase] = (await stack(base, third)) as [Layer, Layer];
        const alone = await register(third);
        expect(alone.diffID).toBe(onBase.diffID);
        expect(alone.chainID).not.toBe(onBase.chainID);
        expect(alone.cacheID).not.toBe(onBase.cacheID);
      });

      test("of one chain twice at once leaves one tree and two references", async () => {
        const [a, b] = (await Promise.all([register(base), register(base)])) as [Layer, Layer];
        expect(a.cacheID).toBe(b.cacheID);
        expect((await bench.driver()).ids()).toEqual([a.cacheID]);
        expect(await a.release()).toEqual([]);
        expect(await b.release()).toHaveLength(1);
      });

      test("of many layers at once keeps them apart", async () => {
        const bottom = await register(base);
        const tars = Array.from({ length: 8 }, (_, i) => tarOf([{ name: `f${i}`, content: `${i}`.repeat(i) }]));
        const layers = await Promise.all(tars.map((tar) => register(tar, bottom)));
        for (const [i, layer] of layers.entries()) expect((await tarOut(layer)).equals(tars[i]!)).toBe(true);
      });

      test("on an unknown parent is refused", async () => {
        await register(base);
        const before = bench.snapshot();
        await expect(store.register(inChunks(second), chainOf(second))).rejects.toMatchObject({
          code: "not-found",
          message: "layer does not exist",
        });
        expect(bench.snapshot()).toEqual(before);
      });

      test("goes up to 125 layers and no further", async () => {
        const layer = await register(base);
        const below = forgeStack(layer.chainID, MAX_DEPTH - 2);
        await store.refresh();
        const top = await store.register(inChunks(second), below);
        expect(top.depth).toBe(125);
        const before = bench.snapshot();
        await expect(register(third, top)).rejects.toMatchObject({ message: "max depth exceeded" });
        expect(bench.snapshot()).toEqual(before);
      });

      test("tells how far it is, and keeps where a foreign layer comes from", async () => {
        const told: number[] = [];
        const descriptor = { mediaType: "m", size: 3, digest: digestOf("blob"), urls: ["https://example.org/"] };
        const layer = await store.register(inChunks(base, 1000), undefined, {
          descriptor,
          onBytes: (total) => told.push(total),
        });
        expect(told.at(-1)).toBe(base.length);
        expect(told).toHaveLength(Math.ceil(base.length / 1000));
        expect(layer.descriptor).toEqual(descriptor);
        expect((await bench.store()).get(layer.chainID).descriptor).toEqual(descriptor);
      });

      describe("that fails leaves everything as it was", () => {
        let bottom: Layer;
        let before: unknown[];
        let open: number;
        beforeEach(async () => {
          bottom = await register(base);
          before = bench.snapshot();
          open = openDescriptors();
        });
        afterEach(async () => {
          expect(bench.snapshot()).toEqual(before);
          expect(openDescriptors()).toBe(open);
          expect([...store.map().keys()]).toEqual([bottom.chainID]);
          expect(bench.warnings).toEqual([]);
          const layer = await register(second, bottom);
          expect(await layer.release()).toHaveLength(1);
          expect(await bottom.release()).toHaveLength(1);
        });

        test.each([
          ["a tar that is cut short", base.subarray(0, 2000), "unexpected EOF"],
          ["something that is no tar", Buffer.from("no tar".repeat(100)), "invalid tar header"],
          [
            "a tar that names a file twice",
            tarOf([{ name: "x" }, { name: "./x" }]),
            "duplicates of file paths not supported",
          ],
        ])("with %s", async (_, tar, message) => {
          await expect(register(tar, bottom)).rejects.toMatchObject({
            code: "invalid-archive",
            message: expect.stringContaining(message),
          });
        });

        test("with a stream that fails", async () => {
          async function* broken(): ByteSource {
            yield base.subarray(0, 1500);
            throw new Error("the network is gone");
          }
          await expect(store.register(broken(), bottom.chainID)).rejects.toThrow("the network is gone");
        });

        test("with a listener that fails", async () => {
          const onBytes = (): never => {
            throw new Error("no ear");
          };
          await expect(store.register(inChunks(second), bottom.chainID, { onBytes })).rejects.toThrow("no ear");
        });

        test("when it is cancelled before, in the middle, or while it waits for a byte that never comes", async () => {
          const early = AbortSignal.abort();
          await expect(store.register(inChunks(second), bottom.chainID, { signal: early })).rejects.toMatchObject({
            code: "cancelled",
          });

          const middle = new AbortController();
          const options = { signal: middle.signal, onBytes: () => middle.abort() };
          await expect(store.register(inChunks(second, 512), bottom.chainID, options)).rejects.toMatchObject({
            code: "cancelled",
          });

          const late = new AbortController();
          async function* endless(): ByteSource {
            yield second.subarray(0, 512);
            setTimeout(() => late.abort(), 10);
            await new Promise(() => {});
          }
          await expect(store.register(endless(), bottom.chainID, { signal: late.signal })).rejects.toMatchObject({
            code: "cancelled",
          });
        });
      });

      test("whose last step fails after the layer appeared leaves it whole, for whoever comes next", async () => {
        let fails = true;
        const shaky = await bench.store({
          commit: async (work) => {
            const result = await work();
            if (fails) throw new Error("the lock is gone");
            return result;
          },
        });
        await expect(register(base, undefined, shaky)).rejects.toThrow("the lock is gone");
        fails = false;
        const found = shaky.get(digestOf(base));
        expect((await tarOut(found)).equals(base)).toBe(true);
        expect(await found.release()).toHaveLength(1);
        expect((await bench.driver()).ids()).toEqual([]);
      });

      test("survives the failure of each single call, and does not remember it", async () => {
        const faults = new Faults();
        const shaky = await bench.store({
          driver: faults.wrap(await bench.driver(), "driver"),
          metadata: faults.wrap(bench.metadata(), "metadata"),
        });
        const bottom = await register(base, undefined, shaky);
        const before = bench.snapshot();
        const struck: string[] = [];
        for (let call = 1; ; call++) {
          faults.failAt(call);
          const outcome = await register(second, bottom, shaky).catch((error: unknown) => error);
          faults.stop();
          if (faults.struck === undefined) {
            expect(await (outcome as Layer).release()).toHaveLength(1);
            break;
          }
          struck.push(faults.struck);
          expect(outcome).toMatchObject({ code: "no-space", message: `${faults.struck} failed on purpose` });
          expect(bench.snapshot(), faults.struck).toEqual(before);
          expect([...shaky.map().keys()]).toEqual([bottom.chainID]);
        }
        expect(struck).toEqual(expect.arrayContaining(["driver.create", "applier.finish", "beginLayer.commit"]));
        expect(bench.warnings).toEqual([]);
      });

      test("of a known chain survives the failure of each single call; what it could not remove goes later", async () => {
        const faults = new Faults();
        const shaky = await bench.store({
          driver: faults.wrap(await bench.driver(), "driver"),
          metadata: faults.wrap(bench.metadata(), "metadata"),
        });
        const known = await register(base, undefined, shaky);
        const before = bench.snapshot();
        let leftBehind = 0;
        for (let call = 1; ; call++) {
          faults.failAt(call);
          const outcome = await register(base, undefined, shaky).catch((error: unknown) => error);
          faults.stop();
          if (faults.struck === undefined) break;
          leftBehind += (await shaky.cleanup()).length;
          expect(bench.snapshot(), faults.struck).toEqual(before);
          if (outcome instanceof Error) continue;
          expect(await (outcome as Layer).release()).toEqual([]);
        }
        expect(leftBehind).toBeGreaterThan(0);
        expect(bench.warnings.length).toBeGreaterThanOrEqual(leftBehind);
        expect(await known.release()).toEqual([]);
      });
    });

    describe("reading back", () => {
      test("refuses a layer whose file was changed, whatever its length", async () => {
        const [bottom, layer] = (await stack(base, second)) as [Layer, Layer];
        for (const content of ["sec0nd", "short", "much longer"]) {
          rewrite(bench.home, "issue", content);
          await expect(tarOut(layer)).rejects.toMatchObject({
            code: "corrupt",
            message: expect.stringContaining('file integrity checksum failed for "etc/issue"'),
          });
        }
        rewrite(bench.home, "issue", "second");
        expect((await tarOut(layer)).equals(second)).toBe(true);
        expect((await tarOut(bottom)).equals(base)).toBe(true);
      });

      test("refuses a layer whose tar-split was changed", async () => {
        const layer = await register(base);
        const path = recordFile(layer.chainID, "tar-split.json.gz");
        const lines = gunzipSync(readFileSync(path)).toString().split("\n");
        // The first segment is the first header; another time in it makes another tar.
        const first = JSON.parse(lines[0]!) as { payload: string };
        const bytes = Buffer.from(first.payload, "base64");
        bytes[300] = 1;
        lines[0] = JSON.stringify({ ...first, payload: bytes.toString("base64") });
        writeFileSync(path, gzipSync(lines.join("\n")));
        await expect(tarOut(layer)).rejects.toMatchObject({ code: "corrupt" });

        writeFileSync(path, gzipSync(lines.slice(2).join("\n")));
        await expect(tarOut(layer)).rejects.toMatchObject({
          code: "corrupt",
          message: expect.stringContaining(`could not verify layer data for: ${layer.diffID}. This may be because`),
        });
        for (const broken of [Buffer.from("no gzip"), readFileSync(path).subarray(0, 40), gzipSync("{}\n")]) {
          writeFileSync(path, broken);
          await expect(tarOut(layer)).rejects.toMatchObject({ name: "VarveError" });
        }
      });

      test("refuses a layer whose file or tar-split is gone", async () => {
        const layer = await register(base);
        remove(bench.home, "motd");
        await expect(tarOut(layer)).rejects.toMatchObject({ name: "VarveError" });
        rmSync(recordFile(layer.chainID, "tar-split.json.gz"));
        await expect(tarOut(layer)).rejects.toMatchObject({ code: "not-found" });
      });

      test("stops when it is told to, and lets go of its files", async () => {
        const layer = await register(
          tarOf([
            { name: "a", content: "a".repeat(3 << 20) },
            { name: "b", content: "b" },
          ]),
        );
        const open = openDescriptors();
        const controller = new AbortController();
        const stream = layer.tarStream({ signal: controller.signal })[Symbol.asyncIterator]();
        await stream.next();
        controller.abort();
        await expect(stream.next()).rejects.toMatchObject({ code: "cancelled" });
        for await (const _ of layer.tarStream()) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(openDescriptors()).toBe(open);
      });

      test("gives the tar-split as it lies on disk, the files by name, and what the driver tells", async () => {
        const layer = await register(base);
        const raw = await collect(layer.splitStream(), 1 << 20);
        expect(raw.equals(readFileSync(recordFile(layer.chainID, "tar-split.json.gz")))).toBe(true);
        const content = await layer.content();
        const fd = content.open(fromText("etc/motd"));
        expect(readFileSync(fd, "utf8")).toBe("hello");
        content.close();
        expect(await layer.metadata()).toEqual(await (await bench.driver()).metadata(layer.cacheID));
      });
    });

    describe("references", () => {
      test("to the top keep all below; with the last one everything goes, top first, without a trace", async () => {
        await register(base).then((layer) => layer.release());
        const before = bench.snapshot();
        const open = openDescriptors();
        const layers = await stack(base, second, third);
        const expected = layers
          .map(({ chainID, diffID, cacheID, size }) => ({ chainID, diffID, cacheID, size }))
          .reverse();
        for (const layer of layers.slice(0, 2)) expect(await layer.release()).toEqual([]);
        expect(store.map().size).toBe(3);
        expect(await layers[2]!.release()).toEqual(expected);
        expect(store.map().size).toBe(0);
        expect(bench.snapshot()).toEqual(before);
        expect(openDescriptors()).toBe(open);
      });

      test("end where another child or handle still refers", async () => {
        const [bottom, left] = (await stack(base, second)) as [Layer, Layer];
        const right = await register(third, bottom);
        await bottom.release();
        expect((await left.release()).map(({ chainID }) => chainID)).toEqual([chainOf(base, second)]);
        const again = store.get(bottom.chainID);
        expect((await right.release()).map(({ chainID }) => chainID)).toEqual([chainOf(base, third)]);
        expect(await again.release()).toHaveLength(1);
      });

      test("are given back once, by hand or by leaving the block", async () => {
        const layer = await register(base);
        {
          await using other = store.get(layer.chainID);
          expect(other.chainID).toBe(layer.chainID);
        }
        {
          await using other = store.get(layer.chainID);
          await other.release();
        }
        expect(store.has(layer.chainID)).toBe(true);
        await layer.release();
        await expect(layer.release()).rejects.toMatchObject({ message: "layer not retained" });
        await expect(tarOut(layer)).rejects.toMatchObject({ message: "layer not retained" });
        expect(() => store.get(layer.chainID)).toThrow("layer does not exist");
      });

      test("that are forgotten delete nothing", async () => {
        const layer = await register(base);
        layer.forget();
        expect((await bench.store()).has(layer.chainID)).toBe(true);
        expect(() => layer.forget()).toThrow("layer not retained");
        expect(await (await register(base)).release()).toHaveLength(1);
      });

      test("of somebody out of sight count too", async () => {
        const held = new Set<ChainID>();
        const handedOut: ChainID[] = [];
        const polite = await bench.store({
          heldElsewhere: (chain) => held.has(chain),
          onHandOut: (chain) => handedOut.push(chain),
        });
        const bottom = await register(base, undefined, polite);
        const top = await register(second, bottom, polite);
        expect(handedOut).toEqual([bottom.chainID, top.chainID]);
        held.add(bottom.chainID);
        await bottom.release();
        expect((await top.release()).map(({ chainID }) => chainID)).toEqual([top.chainID]);
        expect(polite.has(bottom.chainID)).toBe(true);
      });

      test("that end inside a longer step take the trees along after it", async () => {
        const later: (() => Promise<void>)[] = [];
        const afterwards = async (work: () => Promise<void>): Promise<void> => void later.push(work);
        const patient = await bench.store({ afterwards });
        const layer = await register(base, undefined, patient);
        expect(await layer.release()).toMatchObject([{ cacheID: layer.cacheID }]);
        expect(patient.has(layer.chainID)).toBe(false);
        expect((await bench.store()).has(layer.chainID)).toBe(false);
        expect(await store.cleanup()).toEqual([]);
        expect((await bench.driver()).ids()).toEqual([layer.cacheID]);
        for (const work of later) await work();
        expect((await bench.driver()).ids()).toEqual([]);
      });

      test("whose tree resists are gone all the same, and the trees go later", async () => {
        const faults = new Faults();
        const shaky = await bench.store({ driver: faults.wrap(await bench.driver(), "driver") });
        const bottom = await register(base, undefined, shaky);
        const top = await register(second, bottom, shaky);
        await bottom.release();
        faults.failAt(1);
        const error = await top.release().catch((reason: unknown) => reason);
        expect(error).toMatchObject({ code: "no-space", details: { released: [{ diffID: digestOf(second) }, {}] } });
        expect(shaky.map().size).toBe(0);
        expect((await bench.driver()).ids()).toEqual([top.cacheID]);
        expect(await store.cleanup()).toMatchObject([{ trees: [top.cacheID] }]);
        expect((await bench.driver()).ids()).toEqual([]);
        expect(await store.cleanup()).toEqual([]);
      });
    });

    describe("opening", () => {
      test("finds what is there, and writes nothing", async () => {
        const [bottom, top] = (await stack(base, second)) as [Layer, Layer];
        const before = bench.snapshot();
        const next = await bench.store();
        expect(next.map()).toEqual(
          new Map(
            [bottom, top].map((layer) => [
              layer.chainID,
              expect.objectContaining({
                diffID: layer.diffID,
                cacheID: layer.cacheID,
                size: layer.size,
                depth: layer.depth,
                parent: layer.parent,
              }),
            ]),
          ),
        );
        expect(bench.snapshot()).toEqual(before);
        expect((await tarOut(next.get(top.chainID))).equals(second)).toBe(true);
      });

      test("passes over what is no layer", async () => {
        await register(base);
        const records = join(bench.layerdb, "sha256");
        for (const name of ["ABC", `${"a".repeat(64)}-${"b".repeat(64)}-removing`, "A".repeat(64)])
          renameInto(records, name);
        writeFileSync(join(records, "f".repeat(64)), "a file");
        const next = await bench.store();
        expect(next.map().size).toBe(1);
        expect(next.broken).toEqual([]);
      });

      const damages: [string, (chain: ChainID) => void, RegExp][] = [
        ["no diff", (chain) => rmSync(recordFile(chain, "diff")), /diff: it is missing/],
        [
          "an empty cache-id",
          (chain) => writeFileSync(recordFile(chain, "cache-id"), ""),
          /cache-id: invalid cache id/,
        ],
        ["a size with a newline", (chain) => writeFileSync(recordFile(chain, "size"), "5\n"), /size: invalid size/],
        ["a parent that is no digest", (chain) => writeFileSync(recordFile(chain, "parent"), "x"), /parent: invalid/],
        [
          "a parent that does not exist",
          (chain) => writeFileSync(recordFile(chain, "parent"), digestOf("none")),
          /its parent sha256:[0-9a-f]{64} cannot be used: its record does not exist/,
        ],
        ["itself as its parent", (chain) => writeFileSync(recordFile(chain, "parent"), chain), /lead back to it/],
        [
          "its child as its parent",
          (chain) => writeFileSync(recordFile(chain, "parent"), chainOf(base, second)),
          /lead back to it/,
        ],
      ];
      test.each(damages)(
        "leaves out a layer with %s, and what stands on it, until it is loaded again",
        async (_, damage, reason) => {
          const [bottom, middle, top] = (await stack(base, second, third)) as [Layer, Layer, Layer];
          const alone = await register(third);
          damage(bottom.chainID);
          bench.warnings.length = 0;

          const next = await bench.store();
          expect([...next.map().keys()]).toEqual([alone.chainID]);
          const reasons = new Map(next.broken.map(({ name, reason }) => [name, reason]));
          expect([...reasons.keys()].sort()).toEqual([bottom.chainID, middle.chainID, top.chainID].sort());
          expect(reasons.get(bottom.chainID)).toMatch(reason);
          expect(bench.warnings).toHaveLength(3);

          const healed = await register(base, undefined, next);
          expect((await tarOut(healed)).equals(base)).toBe(true);
          await next.refresh();
          expect(next.broken).toEqual([]);
          expect((await tarOut(next.get(top.chainID))).equals(third)).toBe(true);
          const kept = readdirSync(join(bench.layerdb, "tmp"));
          expect(kept).toEqual([expect.stringMatching(new RegExp(`^broken-${hexOf(bottom.chainID)}-[0-9]+$`))]);
          expect(await next.cleanup()).toEqual([]);
        },
      );

      test("is not led round by parents that form a ring", async () => {
        const layers = await stack(base, second, third);
        const [a, b, c] = layers.map(({ chainID }) => chainID) as [ChainID, ChainID, ChainID];
        writeFileSync(recordFile(a, "parent"), c);
        const next = await bench.store();
        expect(next.map().size).toBe(0);
        expect(next.broken.map(({ name }) => name).sort()).toEqual([a, b, c].sort());
        for (const { reason } of next.broken) expect(reason).toMatch(/lead back to it|cannot be used/);
      });

      test("takes a chain that is not the hash of what it stands for, as Docker does, and says so", async () => {
        const layer = await register(base);
        renameSync(recordFile(layer.chainID, "."), join(bench.layerdb, "sha256", "e".repeat(64)));
        const next = await bench.store();
        const odd: ChainID = `sha256:${"e".repeat(64)}`;
        expect(next.broken).toEqual([]);
        expect(bench.warnings).toEqual([expect.stringMatching(`layer ${odd}: .*another chain`)]);
        expect((await tarOut(next.get(odd))).equals(base)).toBe(true);
      });

      test("takes a stack that is higher than any that may be made, and says so", async () => {
        const layer = await register(base);
        const parent = forgeStack(layer.chainID, 130);
        bench.warnings.length = 0;
        const next = await bench.store();
        expect(next.broken).toEqual([]);
        expect(next.map().get(parent)?.depth).toBe(131);
        expect(bench.warnings).toEqual([expect.stringMatching(/number 126 of its stack/)]);
        await expect(next.register(sourceOf(base), parent)).rejects.toThrow("max depth exceeded");
      });

      function renameInto(records: string, name: string): void {
        const chain = hexOf(digestOf(base));
        renameSync(join(records, chain), join(records, name));
        const files = readdirSync(join(records, name));
        copyDirectory(join(records, name), join(records, chain), files);
      }
    });

    describe("beside other processes", () => {
      let other: LayerStore;
      beforeEach(async () => {
        other = await bench.store();
      });

      test("a store sees what they made and what they deleted once it looks again", async () => {
        const [bottom, top] = (await stack(base, second)) as [Layer, Layer];
        expect(other.has(top.chainID)).toBe(false);
        await other.refresh();
        const theirs = other.get(bottom.chainID);
        expect((await tarOut(theirs)).equals(base)).toBe(true);

        await bottom.release();
        await top.release();
        await expect(tarOut(theirs)).rejects.toMatchObject({
          code: "not-found",
          message: expect.stringContaining("another process deleted it"),
        });
        await other.refresh();
        expect(other.map().size).toBe(0);
        await expect(tarOut(theirs)).rejects.toMatchObject({
          code: "not-found",
          message: expect.stringContaining("another process deleted it"),
        });
        await expect(theirs.metadata()).rejects.toMatchObject({ code: "not-found" });
        expect(theirs.diffID).toBe(digestOf(base));
        expect(await theirs.release()).toEqual([]);
      });

      test("handles follow their chains when they delete them and make them again", async () => {
        const before = await stack(base, second);
        await other.refresh();
        const theirs = before.map(({ chainID }) => other.get(chainID)) as [Layer, Layer];
        for (const layer of before) await layer.release();
        const after = await stack(base, second);
        await other.refresh();
        expect(theirs.map(({ cacheID }) => cacheID)).toEqual(after.map(({ cacheID }) => cacheID));
        expect((await tarOut(theirs[1])).equals(second)).toBe(true);
        for (const layer of after) layer.forget();
        expect(await theirs[0].release()).toEqual([]);
        expect(await theirs[1].release()).toHaveLength(2);
      });

      test("a layer whose parent's record is lost is lost with it, and found with it", async () => {
        const [bottom, top] = (await stack(base, second)) as [Layer, Layer];
        const aside = join(bench.root, "aside");
        renameSync(recordFile(bottom.chainID, "."), aside);
        await store.refresh();
        expect(store.map().size).toBe(0);
        expect(store.broken).toMatchObject([{ name: top.chainID, reason: expect.stringContaining("does not exist") }]);
        await expect(tarOut(top)).rejects.toMatchObject({ code: "not-found" });
        renameSync(aside, recordFile(bottom.chainID, "."));
        await store.refresh();
        expect(store.broken).toEqual([]);
        expect((await tarOut(store.get(top.chainID))).equals(second)).toBe(true);
      });

      test("both bring one chain, and one tree stays", async () => {
        const [a, b] = (await Promise.all([register(base), register(base, undefined, other)])) as [Layer, Layer];
        expect(a.cacheID).toBe(b.cacheID);
        expect((await bench.driver()).ids()).toEqual([a.cacheID]);
        const c = await register(second, b, other);
        expect((await tarOut(c)).equals(second)).toBe(true);
      });

      test("a layer stays for the child or the writable layer that they put on it", async () => {
        const bottom = await register(base);
        await other.refresh();
        const top = await register(second, bottom, other);
        expect(await bottom.release()).toEqual([]);
        expect((await tarOut(other.get(top.chainID))).equals(second)).toBe(true);
        expect(store.has(top.chainID)).toBe(true);
      });

      test("a parent that they delete during the work fails it, and nothing stays", async () => {
        const bottom = await register(base);
        const before = bench.snapshot();
        await other.refresh();
        async function* meanwhile(): ByteSource {
          yield second;
          await bottom.release();
        }
        const outcome = other.register(meanwhile(), bottom.chainID);
        await expect(outcome).rejects.toMatchObject({ code: "conflict" });
        expect(bench.snapshot().length).toBeLessThan(before.length);
        expect((await bench.driver()).ids()).toEqual([]);
        expect(other.map().size).toBe(0);
      });

      test("a parent that they delete and make again during the work fails it too", async () => {
        const bottom = await register(base);
        await other.refresh();
        async function* meanwhile(): ByteSource {
          yield second;
          await bottom.release();
          await register(base);
        }
        await expect(other.register(meanwhile(), bottom.chainID)).rejects.toMatchObject({ code: "conflict" });
        expect((await bench.driver()).ids()).toHaveLength(1);
      });
    });

    describe("cleaning up", () => {
      test("takes what dead processes left, and not what living ones are at", async () => {
        const layer = await register(base);
        const before = bench.snapshot();
        const driver = await bench.driver();
        const metadata = bench.metadata();

        await driver.create("half-made", layer.cacheID);
        await (await metadata.beginLayer("half-made")).abandon();
        await driver.create("half-deleted");
        await driver.create("in-work");
        const living = await metadata.beginLayer("in-work");
        const gone = await register(third);
        const removal = await metadata.setLayerAside(gone.chainID);
        removal[Symbol.dispose]();

        const next = await bench.store();
        const reclaimed = await next.cleanup();
        expect(reclaimed.flatMap(({ trees }) => trees).sort()).toEqual(["half-made", gone.cacheID].sort());
        expect(driver.exists("in-work")).toBe(true);
        expect(driver.exists("half-deleted")).toBe(true);

        await living.cancel();
        await driver.remove("in-work");
        await driver.remove("half-deleted");
        expect(bench.snapshot()).toEqual(before);
      });

      test("never takes a tree that a layer uses, whatever a leftover says", async () => {
        const layer = await register(base);
        await (await bench.metadata().beginLayer(layer.cacheID)).abandon();
        expect(await store.cleanup()).toMatchObject([{ trees: [] }]);
        expect((await tarOut(layer)).equals(base)).toBe(true);
      });
    });

    writableLayerSuite(subject);
    adoptionSuite(subject);
  });
}

function everyKind(): TarEntry[] {
  return [
    { name: "dir/", mode: 0o1777 },
    { name: "dir/file", content: "content", mode: 0o4755 },
    { name: "dir/forbidden", content: "secret", mode: 0, uid: 1000, gid: 1000 },
    { name: "dir/hard", type: TYPE.hardLink, linkname: "dir/file" },
    { name: "closed/", mode: 0 },
    { name: "closed/inside", content: "dark", mode: 0o400 },
    { name: "empty" },
    { name: "../../climbed", content: "up" },
    { name: "tolink", type: TYPE.symlink, linkname: "real" },
    { name: "real/" },
    { name: "tolink/through", content: "linked" },
    { name: "fifo", type: TYPE.fifo },
    { name: "null", type: TYPE.charDevice, deviceMajor: 1, deviceMinor: 3 },
    { name: "attributes", content: "a", xattrs: { "user.mood": "good\0" } },
    { name: "dir/.wh.removed" },
    { name: "opaque/" },
    { name: "opaque/.wh..wh..opq" },
    { name: `${"long/".repeat(60)}name`, content: "far down" },
  ];
}

function copyDirectory(from: string, to: string, names: readonly string[]): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to);
  for (const name of names) writeFileSync(join(to, name), readFileSync(join(from, name)));
}

function findFile(directory: string, name: string): string {
  const found = readdirSync(directory, { recursive: true, withFileTypes: true }).find(
    (entry) => entry.name === name && entry.isFile(),
  );
  if (found === undefined) throw new Error(`no ${name} below ${directory}`);
  return join(found.parentPath, name);
}

function rewrite(directory: string, name: string, content: string): void {
  writeFileSync(findFile(directory, name), content);
}

function remove(directory: string, name: string): void {
  rmSync(findFile(directory, name));
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
