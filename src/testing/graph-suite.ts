import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Digest } from "../digest/digest.ts";
import type { Driver } from "../driver/driver.ts";
import type { IdMap } from "../fstree/id-map.ts";
import type { GraphID } from "../graph/descriptor.ts";
import { Graph } from "../graph/graph.ts";
import type { GraphRegisterOptions } from "../graph/make-entry.ts";
import { type ByteSource, collect, sourceOf } from "../io/byte-source.ts";
import type { DriverUnderTest } from "./driver-suite.ts";
import { Faults, inChunks } from "./layer-bench.ts";
import { type TarEntry, tarOf } from "./tar-entries.ts";
import { listTree } from "./tree-listing.ts";

const idOf = (name: string): GraphID => name.repeat(64).slice(0, 64) as GraphID;
const [A, B, C, D] = ["a", "b", "c", "d"].map(idOf) as [GraphID, GraphID, GraphID, GraphID];

const BASE = tarOf([
  { name: "etc/", mode: 0o755 },
  { name: "etc/motd", content: "first" },
  { name: "bin/", mode: 0o755 },
  { name: "bin/sh", content: "x".repeat(70_000), mode: 0o755 },
] satisfies TarEntry[]);
const NEXT = tarOf([
  { name: "etc/", mode: 0o755 },
  { name: "etc/motd", content: "second" },
  { name: "bin/.wh.sh" },
] satisfies TarEntry[]);

/**
 * What the v1 graph promises, whatever the driver.
 *
 * @param idMap for a driver whose trees are a remapped root's
 */
export function graphSuite(subject: DriverUnderTest, { idMap }: { readonly idMap?: IdMap } = {}): void {
  describe(`the v1 graph on ${subject.name}${idMap === undefined ? "" : " with id maps"}`, () => {
    test("is empty where there is none, and opening makes none", async () => {
      await using bench = new GraphBench(subject, idMap);
      const graph = await bench.open();
      expect([graph.map().size, graph.heads(), graph.broken]).toEqual([0, [], []]);
      expect(existsSync(bench.directory)).toBe(false);
    });

    test("takes in images and gives their layers back to the byte, also when it is opened again", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      for (const graph of [bench.graph, await bench.open()]) {
        expect([...graph.map().keys()].sort()).toEqual([A, B]);
        expect(graph.get(B)).toMatchObject({ id: B, parent: A, image: { author: "me" } });
        expect((await bytesOf(graph.tarStream(A))).equals(BASE)).toBe(true);
        expect((await bytesOf(graph.tarStream(B))).equals(NEXT)).toBe(true);
        expect(graph.json(B).toString()).toBe(jsonOf(B, A));
      }
      const path = await bench.driver.get(B);
      expect(readFileSync(join(path, "etc/motd"), "utf8")).toBe("second");
      expect(existsSync(join(path, "bin/sh"))).toBe(false);
      await bench.driver.put(B);
    });

    test("keeps its files as Docker did, for the mapped root alone", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const owner = process.getuid?.() === 0 ? (idMap?.root ?? { uid: 0, gid: 0 }) : undefined;
      for (const path of ["", "_tmp", A, B].map((name) => join(bench.directory, name))) {
        const { mode, uid, gid } = statSync(path);
        expect(mode & 0o7777).toBe(0o700);
        if (owner !== undefined) expect({ uid, gid }).toEqual(owner);
      }
      expect(readdirSync(join(bench.directory, A)).sort()).toEqual(["json", "layersize", "tar-data.json.gz"]);
      for (const name of readdirSync(join(bench.directory, A)))
        expect(statSync(join(bench.directory, A, name)).mode & 0o7777).toBe(0o600);
      expect(readdirSync(join(bench.directory, "_tmp"))).toEqual([]);
    });

    test("finds images by the beginning of their ids", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const near = `${"a".repeat(63)}0` as GraphID;
      await bench.register(near, undefined, BASE);
      expect(bench.graph.lookup("b")).toBe(B);
      expect(bench.graph.lookup("BB")).toBe(B);
      expect(bench.graph.lookup(A)).toBe(A);
      expect(() => bench.graph.lookup("aa")).toThrow("Multiple IDs found with provided prefix: aa");
      for (const missing of ["c", "", "../b", idOf("e")])
        expect(() => bench.graph.lookup(missing)).toThrow(expect.objectContaining({ code: "not-found" }));
      expect(() => bench.graph.get("c")).toThrow("no such id: c");
    });

    test("knows parents, children and heads", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      await bench.register(C, A, NEXT);
      for (const graph of [bench.graph, await bench.open()]) {
        expect(graph.heads().map(({ id }) => id)).toEqual([B, C]);
        expect(graph.children(A).map(({ id }) => id)).toEqual([B, C]);
        expect([...graph.byParent()].map(([id, children]) => [id, children.length])).toEqual([[A, 2]]);
        expect([graph.hasChildren(A), graph.hasChildren(B)]).toEqual([true, false]);
      }
    });

    test("counts a size once, where it is missing", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const size = await bench.graph.size(A);
      expect(size).toBeGreaterThanOrEqual(70_005);
      rmSync(join(bench.directory, A, "layersize"));
      expect(await bench.graph.size(A)).toBeGreaterThanOrEqual(70_005);
      writeFileSync(join(bench.directory, A, "layersize"), "7");
      expect(await bench.graph.size(A)).toBe(7);
    });

    test("gives a layer without a tar-split as the driver's difference", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      rmSync(join(bench.directory, B, "tar-data.json.gz"));
      const tar = await bytesOf(bench.graph.tarStream(B));
      expect(tar.includes("second")).toBe(true);
      expect(tar.includes(".wh.sh")).toBe(true);
    });

    test("gives an error instead of a layer whose file is another one", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const path = await bench.driver.get(A);
      writeFileSync(join(path, "etc/motd"), "fifth");
      await bench.driver.put(A);
      await expect(bytesOf(bench.graph.tarStream(A))).rejects.toMatchObject({ code: "corrupt" });
    });

    test("puts a layer's tar on the disk to tell its length, and nothing stays", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const told: number[] = [];
      const buffered = await bench.graph.bufferedTar(A, { onBytes: (current) => told.push(current) });
      expect([buffered.size, told.at(-1)]).toEqual([BASE.length, BASE.length]);
      expect(readdirSync(join(bench.directory, "_tmp"))).toEqual([]);
      expect((await bytesOf(buffered.stream)).equals(BASE)).toBe(true);
      const unread = await bench.graph.bufferedTar(A);
      unread[Symbol.dispose]();
      await expect(bytesOf(unread.stream)).rejects.toThrow();
    });

    test("keeps digests and what manifests said", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      expect(() => bench.graph.digest(A)).toThrow("digest is not set for layer");
      const digest = `sha256:${"e".repeat(64)}` as Digest;
      bench.graph.setDigest(A, digest);
      bench.graph.setV1Compatibility(A, Buffer.from('{"id":"old"}'));
      const graph = await bench.open();
      expect(graph.digest(A)).toBe(digest);
      expect(`${graph.v1Compatibility(A)}`).toBe('{"id":"old"}');
      expect(JSON.parse(`${graph.v1Compatibility(B)}`)).toMatchObject({ id: B, parent: A, author: "me" });
      expect(existsSync(join(bench.directory, B, "v1Compatibility"))).toBe(true);
    });

    test("makes v1Compatibility for all ancestors, with ids where the JSON has digests", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const json = Buffer.from(JSON.stringify({ layer_id: `sha256:${A}`, parent_id: `sha256:${A}`, author: "you" }));
      await bench.graph.register(C, json, sourceOf(NEXT));
      expect(JSON.parse(`${bench.graph.v1Compatibility(C)}`)).toMatchObject({ id: C, parent: A, author: "you" });
      expect(existsSync(join(bench.directory, A, "v1Compatibility"))).toBe(true);
    });

    test("writes a parent's file where the JSON does not tell, and only there", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const json = Buffer.from(JSON.stringify({ parent_id: `sha256:${D}` }));
      await bench.graph.register(C, json, sourceOf(NEXT), { parent: A });
      expect(readFileSync(join(bench.directory, C, "parent"), "utf8")).toBe(A);
      expect(existsSync(join(bench.directory, B, "parent"))).toBe(false);
      expect((await bench.open()).get(C).parent).toBe(A);
    });

    test("creates images under ids of its own", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const about = { parent: B, container: D, comment: "made here", author: "us" };
      const { id } = await bench.graph.create(sourceOf(NEXT), about);
      const other = await bench.graph.create(sourceOf(NEXT), about);
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      expect(other.id).not.toBe(id);
      expect(JSON.parse(`${bench.graph.json(id)}`)).toMatchObject({ id, ...about, os: "linux" });
      expect((await bench.open()).get(id).parent).toBe(B);
    });

    test("leaves an image that is there as it is, and does not read the layer", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      async function* never(): ByteSource {
        yield await Promise.reject(new Error("read"));
      }
      const again = await bench.graph.register(A, Buffer.from('{"author":"other"}'), never());
      expect(again.image.author).toBe("me");
    });

    test("registers one id once and different ids at a time", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.open();
      const gates = [deferred(), deferred()];
      async function* gated(gate: number): ByteSource {
        yield BASE.subarray(0, 1000);
        gates[gate]!.reached();
        await gates[gate]!.open;
        yield BASE.subarray(1000);
      }
      const first = bench.graph.register(A, Buffer.from(jsonOf(A)), gated(0));
      const twin = bench.graph.register(A, Buffer.from('{"author":"late"}'), sourceOf(BASE));
      const other = bench.graph.register(B, Buffer.from(jsonOf(B)), gated(1));
      await Promise.all(gates.map(({ there }) => there));
      for (const { release } of gates) release();
      expect([await first, await twin, await other].map(({ id, image }) => [id, image.author])).toEqual([
        [A, "me"],
        [A, "me"],
        [B, "me"],
      ]);
    });

    test("clears what another driver or a crash left of an id before it takes the image in", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.open();
      for (const name of [A, `_tmp/${A}`]) {
        mkdirSync(join(bench.directory, name), { recursive: true });
        writeFileSync(join(bench.directory, name, "json"), "stale");
      }
      await bench.driver.create(A);
      await bench.register(A, undefined, BASE);
      expect((await bytesOf(bench.graph.tarStream(A))).equals(BASE)).toBe(true);
    });

    test("deletes an image, but none that is held or stood upon", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      await expect(bench.graph.delete(A)).rejects.toMatchObject({ code: "conflict" });
      bench.graph.retain("pull 1", [A, B]);
      bench.graph.retain("build 2", [B]);
      bench.graph.release("pull 1", [A, B]);
      expect([bench.graph.isHeld(A), bench.graph.isHeld(B)]).toEqual([false, true]);
      await expect(bench.graph.delete(B)).rejects.toMatchObject({ code: "in-use", message: /build 2$/ });
      bench.graph.release("build 2", [B]);
      await bench.graph.delete("b");
      expect(bench.graph.hasChildren(A)).toBe(false);
      await bench.graph.delete(A);
      expect([bench.graph.map().size, bench.driver.ids()]).toEqual([0, []]);
      expect(readdirSync(bench.directory)).toEqual(["_tmp"]);
      await expect(bench.graph.delete(A)).rejects.toMatchObject({ code: "not-found" });
    });

    test("does not delete a parent while a child is being made", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.open();
      await bench.register(A, undefined, BASE);
      const gate = deferred();
      async function* gated(): ByteSource {
        gate.reached();
        await gate.open;
        yield NEXT;
      }
      const child = bench.graph.register(B, Buffer.from(jsonOf(B, A)), gated());
      await gate.there;
      await expect(bench.graph.delete(A)).rejects.toMatchObject({ code: "in-use" });
      gate.release();
      await child;
    });

    test.each([
      ["no JSON", "{", BASE, "corrupt"],
      ["another image's JSON", jsonOf(D), BASE, "corrupt"],
      ["a parent that is not there", jsonOf(C, D), BASE, "not-found"],
      ["a layer that is cut off", jsonOf(C, A), NEXT.subarray(0, 700), "invalid-archive"],
    ])("is as it was after %s", async (_, json, tar, code) => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const before = bench.snapshot();
      await expect(bench.graph.register(C, Buffer.from(json), inChunks(tar, 100))).rejects.toMatchObject({ code });
      expect(bench.snapshot()).toEqual(before);
      expect(bench.graph.map().has(C)).toBe(false);
    });

    test("is as it was after a registration that was cancelled", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const before = bench.snapshot();
      const controller = new AbortController();
      const options = { signal: controller.signal, onBytes: () => controller.abort() };
      await expect(bench.register(C, A, NEXT, options)).rejects.toMatchObject({ name: /Error/ });
      expect(bench.snapshot()).toEqual(before);
    });

    test("survives a driver that fails at any call", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const faults = new Faults();
      const graph = await bench.open(faults.wrap(bench.driver, "driver"));
      const before = bench.snapshot();
      const works: [() => Promise<unknown>, () => void][] = [
        [
          () => graph.register(C, Buffer.from(jsonOf(C, A)), inChunks(NEXT)),
          () => expect(graph.map().has(C)).toBe(false),
        ],
        [() => graph.delete(B), () => expect(graph.map().has(B)).toBe(true)],
      ];
      for (const [work, check] of works) {
        let failures = 0;
        for (; ; failures++) {
          faults.failAt(failures + 1);
          const outcome = await work().then(
            () => undefined,
            (error: unknown) => error,
          );
          faults.stop();
          if (outcome === undefined) break;
          expect(outcome).toMatchObject({ code: "no-space" });
          check();
          await graph.cleanup();
          expect(bench.snapshot(), faults.struck).toEqual(before);
        }
        expect(failures).toBeGreaterThan(0);
        if (graph.map().has(C)) await graph.delete(C);
      }
    });

    test("reports what is broken, and keeps the rest", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      const spoil = (id: string, json: string): void => {
        mkdirSync(join(bench.directory, id), { recursive: true });
        writeFileSync(join(bench.directory, id, "json"), json);
      };
      for (const id of [C, D, idOf("e"), idOf("f")]) await bench.driver.create(id);
      spoil(C, "{");
      spoil(D, jsonOf(A));
      spoil(idOf("e"), jsonOf(idOf("e"), idOf("f")));
      spoil(idOf("f"), jsonOf(idOf("f"), idOf("e")));
      spoil("not-an-id", "{}");
      spoil(idOf("1"), "{"); // of another driver
      const graph = await bench.open();
      expect([...graph.map().keys()].sort()).toEqual([A, B]);
      expect(graph.broken.map(({ name }) => name).sort()).toEqual([C, D, idOf("e"), idOf("f"), "not-an-id"]);
      expect(bench.warnings).toHaveLength(5);
    });

    test("keeps an image whose parent is missing, and says so", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      rmSync(join(bench.directory, A), { recursive: true });
      const graph = await bench.open();
      expect(graph.get(B).parent).toBe(A);
      expect(bench.warnings).toEqual([`image ${B}: its parent ${A} is not there`]);
      expect(JSON.parse(`${graph.v1Compatibility(B)}`)).toMatchObject({ id: B });
    });

    test("clears away what the dead left", async () => {
      await using bench = new GraphBench(subject, idMap);
      await bench.pair();
      await bench.driver.create(C, A);
      await bench.driver.create(D, A);
      mkdirSync(join(bench.directory, D)); // broken, but there
      for (const id of [A, C, D]) mkdirSync(join(bench.directory, "_tmp", id));
      writeFileSync(join(bench.directory, "_tmp/buffered"), "");
      const graph = await bench.open();
      expect((await graph.cleanup()).sort()).toEqual([A, "buffered", C, D]);
      expect(bench.driver.ids().sort()).toEqual([A, B, D]);
      expect(readdirSync(join(bench.directory, "_tmp"))).toEqual([]);
    });
  });
}

class GraphBench implements AsyncDisposable {
  readonly warnings: string[] = [];
  readonly #root = mkdtempSync(join(tmpdir(), "graph-suite-"));
  readonly #subject: DriverUnderTest;
  readonly #idMap: IdMap | undefined;
  #driver: Driver | undefined;
  #graph: Graph | undefined;

  constructor(subject: DriverUnderTest, idMap: IdMap | undefined) {
    this.#subject = subject;
    this.#idMap = idMap;
  }

  get directory(): string {
    return join(this.#root, "graph");
  }
  get driver(): Driver {
    return this.#driver as Driver;
  }
  get graph(): Graph {
    return this.#graph as Graph;
  }

  async open(driver?: Driver): Promise<Graph> {
    const { name, open } = this.#subject;
    this.#driver ??= await open({ home: join(this.#root, name), idMap: this.#idMap, durability: "none" });
    const onWarning = (message: string): void => void this.warnings.push(message);
    this.#graph = Graph.open({ directory: this.directory, driver: driver ?? this.#driver, sync: false, onWarning });
    return this.#graph;
  }

  /** Images A and, on it, B. */
  async pair(): Promise<void> {
    await this.open();
    await this.register(A, undefined, BASE);
    await this.register(B, A, NEXT);
  }

  async register(id: GraphID, parent: GraphID | undefined, tar: Buffer, options?: GraphRegisterOptions): Promise<void> {
    await this.graph.register(id, Buffer.from(jsonOf(id, parent)), inChunks(tar), options);
  }

  /** All but times, the mark that overlay2 leaves on a parent for good, and what drivers keep for themselves. */
  snapshot(): unknown[] {
    return listTree(this.#root)
      .filter(({ path }) => !path.endsWith("/committed") && !/^varve(\/|$)/.test(path))
      .map(({ mtime, ...record }) => record);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#driver?.cleanup();
    rmSync(this.#root, { recursive: true, force: true });
  }
}

function jsonOf(id: string, parent?: string): string {
  return JSON.stringify({ id, ...(parent && { parent }), created: "2015-11-02T10:00:00Z", author: "me" });
}

function bytesOf(source: ByteSource): Promise<Buffer> {
  return collect(source, 1 << 24);
}

/** A place that somebody reaches, and waits at until he is released. */
function deferred(): { reached(): void; release(): void; there: Promise<void>; open: Promise<void> } {
  let [reached, release] = [(): void => {}, (): void => {}];
  const there = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const open = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { reached, release, there, open };
}
