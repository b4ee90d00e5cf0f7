/** What a store promises to who uses it, wherever it is. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoadEvent } from "../../src/archive/load.ts";
import { digestOf } from "../../src/digest/digest.ts";
import type { AnyStore } from "../../src/engine/any-store.ts";
import type { StoreEvent } from "../../src/engine/events.ts";
import { VarveError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/io/byte-source.ts";
import { METHODS } from "../../src/remote/methods.ts";
import { fromBytes, toText } from "../../src/sys/byte-string.ts";
import { readTar, tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { archiveOf, type Bench, LAYERS, type MakeBench, ODD_NAME, pieces } from "./bench.ts";

const ARCHIVE = archiveOf({ "a:1": LAYERS.slice(0, 1), "b:1": LAYERS });

export function storeSuite(way: string, make: MakeBench): void {
  const called = new Set<string>();

  describe(`a store ${way}`, () => {
    let bench: Bench;
    let store: AnyStore;
    beforeAll(async () => {
      bench = await make({ driver: "rootless" });
      store = noting(bench.store, called);
      writeFileSync(join(bench.directory, "images.tar"), ARCHIVE);
    });
    afterAll(async () => {
      await bench[Symbol.asyncDispose]();
    });
    const path = (name: string): string => join(bench.directory, name);
    const failure = (work: Promise<unknown>): Promise<unknown> =>
      work.then(
        () => undefined,
        (error) => error,
      );

    test("tells where it is and which driver it has", () => {
      expect([store.root, store.driver]).toEqual([bench.root, "rootless"]);
    });

    describe("loads", () => {
      test("an archive at a path, and tells how it goes", async () => {
        const events: LoadEvent[] = [];
        const loaded = await store.load(path("images.tar"), { onEvent: (event) => void events.push(event) });
        expect(loaded.map(({ references }) => references)).toEqual([["a:1"], ["b:1"]]);
        const ends = events.filter((event) => event.kind !== "layer" || event.current === event.total);
        expect(ends.map(({ kind }) => kind)).toEqual(["layer", "image", "layer-exists", "layer", "image"]);
        expect(ends[1]).toEqual({ kind: "image", ...loaded[0] });
      });

      test("a stream, and tells what is renamed", async () => {
        const events: LoadEvent[] = [];
        const other = archiveOf({ "old:1": LAYERS.slice(1) });
        const [before] = await store.load(pieces(other));
        const config = JSON.stringify({ os: "linux", rootfs: { type: "layers", diff_ids: [] } });
        const manifest = JSON.stringify([{ Config: "c.json", RepoTags: ["old:1"], Layers: [] }]);
        const empty = tarOf([
          { name: "c.json", content: config },
          { name: "manifest.json", content: manifest },
        ]);
        await store.load(pieces(empty), { onEvent: (event) => void events.push(event) });
        expect(events[0]).toEqual({ kind: "renamed", reference: "old:1", previous: before!.id });
        expect((await store.remove("old:1")).length).toBeGreaterThan(0);
        expect(await store.remove(before!.id)).toContainEqual({ deleted: before!.id });
      });

      test("a directory", async () => {
        mkdirSync(path("layout"));
        const archive = await buffer(store.save(["b:1"], { format: "oci" }));
        execFileSync("tar", ["-x", "-C", path("layout")], { input: archive });
        expect(await store.load(path("layout"))).toEqual([
          { id: (await store.inspect("b:1")).Id, references: ["b:1"] },
        ]);
      });

      test("nothing that is not there", async () => {
        expect(await failure(store.load(path("missing")))).toMatchObject({
          ...{ code: "not-found", message: `open ${path("missing")}: no such file or directory` },
          details: { path: path("missing") },
        });
        expect(await failure(store.import(path("missing")))).toMatchObject({ code: "not-found" });
      });

      test("no damaged archive, and says why", async () => {
        const layer = tarOf([{ name: "f", content: "f".repeat(5000) }]);
        const damaged = archiveOf({ "c:1": [layer] });
        damaged.write("g", damaged.indexOf("f".repeat(1000)) + 100);
        const error = await failure(store.load(pieces(damaged)));
        expect(error).toMatchObject({ code: "invalid-archive", details: { expected: digestOf(layer) } });
        expect((error as Error).message).toContain("invalid diffID for layer 0");
        expect(await failure(store.load(pieces(Buffer.from("no tar"))))).toMatchObject({ code: "invalid-archive" });
        expect((await store.images()).length).toBe(2);
      });

      test("not on when the source fails, with the source's own error", async () => {
        const fault = new Error("the disk of the caller is gone");
        const failing = async function* (): ByteSource {
          yield ARCHIVE.subarray(0, 20_000);
          throw fault;
        };
        expect(await failure(store.load(failing()))).toBe(fault);
        expect(await failure(store.import(failing()))).toBe(fault);
      });

      test("not what is no bytes", async () => {
        const numbers = async function* (): AsyncGenerator<unknown> {
          yield 7;
        };
        expect(await failure(store.load(numbers() as unknown as ByteSource))).toBeInstanceOf(TypeError);
      });

      test("not on when who listens fails", async () => {
        const fault = new Error("cannot draw");
        const onEvent = (): void => {
          throw fault;
        };
        await using other = await make({ driver: "rootless" });
        expect(await failure(other.store.load(pieces(ARCHIVE), { onEvent }))).toBe(fault);
      });

      test("not on when it is cancelled, and leaves nothing", async () => {
        const controller = new AbortController();
        const stuck = async function* (): ByteSource {
          yield archiveOf({ "e:1": [tarOf([{ name: "e", content: "e" }])] }).subarray(0, 3000);
          controller.abort();
          await new Promise(() => {});
        };
        const { signal } = controller;
        expect(await failure(store.load(stuck(), { signal }))).toMatchObject({
          ...{ code: "cancelled", message: "the operation was cancelled", cause: signal.reason },
        });
        expect(await failure(store.load(path("images.tar"), { signal }))).toMatchObject({ code: "cancelled" });
        await eventually(() => readdirSync(join(bench.root, "tmp")).length === 0);
      });
    });

    describe("saves", () => {
      test.each(["docker", "docker-25", "oci"] as const)(
        "in the format %s, to a reader, a file and a stream",
        async (format) => {
          const steps: number[] = [];
          const archive = await buffer(
            store.save(["a:1", "b:1"], { format, onEvent: ({ current, total }) => void steps.push(current / total) }),
          );
          expect(Math.max(...steps)).toBe(1);
          await using file = await open(path("saved.tar"), "w");
          expect(await store.saveTo(file.fd, ["a:1", "b:1"], { format })).toBe(archive.length);
          expect(readFileSync(path("saved.tar")).equals(archive)).toBe(true);
          const chunks: Buffer[] = [];
          const write = (chunk: Buffer, _: unknown, done: () => void): void => {
            chunks.push(Buffer.from(chunk));
            done();
          };
          expect(await store.saveTo(new Writable({ write }), ["a:1", "b:1"], { format })).toBe(archive.length);
          expect(Buffer.concat(chunks).equals(archive)).toBe(true);
        },
      );

      test("as far as it is read", async () => {
        for await (const chunk of store.save(["b:1"])) {
          expect(chunk.length).toBeGreaterThan(0);
          break;
        }
      });

      test("nothing that is not there", async () => {
        const wanted = { code: "not-found", message: "No such image: nope", details: { prefix: "nope" } };
        expect(await failure(buffer(store.save(["a:1", "nope"])))).toMatchObject(wanted);
        const file = openSync(path("nothing"), "w");
        expect(await failure(store.saveTo(file, ["nope"]))).toMatchObject(wanted);
        expect(writeSync(file, "still open")).toBe(10);
        closeSync(file);
        const full = openSync("/dev/full", "w");
        expect(await failure(store.saveTo(full, ["b:1"]))).toMatchObject({ code: "no-space" });
        closeSync(full);
        expect(await failure(store.saveTo(99_999, ["b:1"]))).toMatchObject({ code: "system" });
      });

      test("no layer that is damaged, also when half the archive is out", async () => {
        await using other = await make({ driver: "rootless" });
        await other.store.load(pieces(archiveOf({ "b:1": LAYERS })));
        const layers = await other.store.layers("b:1");
        const file = join(other.root, "rootless", layers[1]!.cacheID, "diff/big");
        writeFileSync(file, "y".repeat(300_000));
        let seen = 0;
        const reading = (async () => {
          for await (const chunk of other.store.save(["b:1"])) seen += chunk.length;
        })();
        expect(await failure(reading)).toMatchObject({ code: "corrupt" });
        expect(seen).toBeGreaterThan(0);
      });

      test("until it is cancelled", async () => {
        const controller = new AbortController();
        const reading = async (): Promise<void> => {
          for await (const _ of store.save(["b:1"], { signal: controller.signal })) controller.abort();
        };
        expect(await failure(reading())).toMatchObject({ code: "cancelled" });
      });
    });

    describe("imports", () => {
      test("a tar of files, with what is said about it", async () => {
        const tar = tarOf([{ name: "only", content: "o".repeat(10_000) }]);
        writeFileSync(path("files.tar"), tar);
        let last = 0;
        const id = await store.import(path("files.tar"), {
          ...{ reference: "imported:1", message: "from a test", changes: ["USER app", 'CMD ["x"]'] },
          onBytes: (total) => {
            last = total;
          },
        });
        expect(last).toBe(tar.length);
        expect(await store.inspect("imported:1")).toMatchObject({
          Id: id,
          Comment: "from a test",
          Config: { User: "app", Cmd: ["x"] },
        });
        expect(await store.import(pieces(tar))).toMatch(/^sha256:/);
      });

      test("no directory, and nothing by a name that is none", async () => {
        expect(await failure(store.import(bench.directory))).toMatchObject({ details: { errno: "EISDIR" } });
        expect(await failure(store.import(path("files.tar"), { reference: "NO" }))).toMatchObject({
          code: "invalid-reference",
        });
      });
    });

    describe("tells", () => {
      test("its images, by every filter", async () => {
        const tags = async (filters: object, all = false): Promise<string[]> =>
          (await store.images({ all, filters })).flatMap((image) => image.tags).sort();
        expect(await tags({})).toEqual(["a:1", "b:1", "imported:1"]);
        expect(await tags({ label: ["name=b:1"] })).toEqual(["b:1"]);
        expect(await tags({ reference: ["a", "imp*"] }, true)).toEqual(["a:1", "imported:1"]);
        expect(await tags({ before: "imported:1", dangling: false })).toEqual(["a:1", "b:1"]);
        expect(await tags({ since: "a:1" })).toEqual(["imported:1"]);
        expect(await tags({ until: "2026-02-01" })).toEqual(["a:1", "b:1"]);
        expect(await tags({ dangling: true })).toEqual([]);
        const [image] = await store.images({ filters: { reference: ["a"] } });
        expect(image).toStrictEqual({
          ...{
            id: image!.id,
            parent: undefined,
            tags: ["a:1"],
            digests: [],
            created: "2026-01-01T00:00:00.123456789Z",
          },
          ...{ size: 13, labels: { name: "a:1" }, containers: 0 },
        });
        expect(await failure(store.images({ filters: { reference: ["[x"] } }))).toMatchObject({
          code: "invalid-argument",
        });
      });

      test("an image's documents", async () => {
        const { Id, RootFS } = await store.inspect("b:1");
        const config = await store.config("b:1");
        expect([Buffer.isBuffer(config), digestOf(config)]).toEqual([true, Id]);
        expect((await store.history("b:1")).map(({ createdBy }) => createdBy)).toEqual(["layer 1", "layer 0"]);
        expect((await store.layers(Id)).map(({ diffID }) => diffID)).toEqual(RootFS.Layers);
        for (const work of [store.inspect("x"), store.config("x"), store.history("x"), store.layers("x")])
          expect(await failure(work)).toMatchObject({ code: "not-found", message: "No such image: x:latest" });
      });

      test("an image's files, whatever they are called", async () => {
        const top = await store.list("a:1", "/");
        expect(top.map(({ name }) => toText(name)).sort()).toEqual(["caf\ufffd", "etc"]);
        const odd = await store.stat("a:1", Buffer.concat([Buffer.from("/"), ODD_NAME]));
        expect(odd).toMatchObject({ kind: "file", size: 3, name: fromBytes(ODD_NAME), mtime: { nanoseconds: 0 } });
        expect(odd.xattrs).toEqual(new Map([["user.a", "\xff\0b"]]));
        expect((await store.stat("a:1", "/etc/link")).linkTarget).toBe("motd");
        expect((await store.stat("a:1", "/etc/link", { follow: true })).size).toBe(6);
        expect((await buffer(store.read("a:1", "/etc/motd"))).toString()).toBe("hello\n");
        const tar = readTar(await buffer(store.archive("a:1", "/etc")));
        expect(tar.map(({ header }) => header.name)).toEqual(["etc/", "etc/link", "etc/motd"]);
        const missing = { code: "not-found", message: "/nope: no such file or directory" };
        expect(await failure(store.stat("a:1", "/nope"))).toMatchObject(missing);
        expect(await failure(store.list("a:1", "/etc/motd"))).toMatchObject({ code: "invalid-argument" });
        expect(await failure(buffer(store.read("a:1", "/nope")))).toMatchObject(missing);
        expect(await failure(buffer(store.archive("a:1", "/nope")))).toMatchObject(missing);
      });

      test("how much room it takes, and what it is", async () => {
        const { images, containers } = await store.df();
        expect(await store.volumes({ filters: { dangling: ["true"] }, size: true })).toEqual([]);
        expect([images.total, containers.total]).toEqual([4, 0]);
        expect(await store.info()).toMatchObject({ root: bench.root, driver: "rootless", images: 4, broken: [] });
        expect([await store.containers(), await store.inspectContainers()]).toEqual([[], []]);
      });
    });

    describe("changes", () => {
      test("names", async () => {
        await store.tag("a:1", "more:2");
        expect((await store.inspect("more:2")).RepoTags).toEqual(["a:1", "more:2"]);
        expect(await failure(store.tag("a:1", "A B"))).toMatchObject({ code: "invalid-reference" });
      });

      test("what there is, and says before what would go", async () => {
        expect(await store.remove("more:2", { dryRun: true })).toEqual([{ untagged: "more:2" }]);
        const plan = await store.previewRemoval(["more:2", "more:2", "b:1"], { force: false });
        expect(plan[0]).toEqual([{ untagged: "more:2" }]);
        expect(plan[1]).toBeInstanceOf(VarveError);
        expect(plan[1]).toMatchObject({ code: "not-found", message: "No such image: more:2" });
        expect(plan[2]).toHaveLength(3);
        const { id } = (await store.images({ filters: { reference: ["a"] } }))[0]!;
        expect(await failure(store.remove(id.slice(7, 19)))).toMatchObject({ code: "conflict" });
        expect(await store.remove("more:2")).toEqual([{ untagged: "more:2" }]);
        expect(await store.prune({ dryRun: true })).toMatchObject({ removed: [{ deleted: expect.any(String) }] });
        expect(await store.prune({ filters: { until: "1h" } })).toEqual({ removed: [], reclaimed: 0 });
        expect((await store.prune({ filters: { "label!": ["keep"] } })).removed).toHaveLength(1);
        expect(await failure(store.remove("a:1", { signal: AbortSignal.abort() }))).toMatchObject({
          code: "cancelled",
        });
      });
    });

    describe("follows", () => {
      test("what has happened, up to a moment", async () => {
        const events: StoreEvent[] = [];
        const until = BigInt(Date.now() + 1000) * 1_000_000n;
        for await (const event of store.events({ since: 0n, until: BigInt(Date.now()) * 1_000_000n }))
          events.push(event);
        expect(events.map(({ action }) => action)).toContain("untag");
        expect(events.every(({ timeNano }) => BigInt(timeNano) < until)).toBe(true);
      });

      test("what happens, until it is told not to", async () => {
        const controller = new AbortController();
        const { signal } = controller;
        const tagging = (async () => {
          while (!signal.aborted) {
            await store.tag("a:1", "followed:1");
            await sleep(50);
          }
        })();
        const seen: string[] = [];
        for await (const { attributes } of store.events({ signal })) {
          seen.push(`${attributes.name}`);
          controller.abort();
        }
        await tagging;
        expect(seen).toContain("followed:1");
        for await (const event of store.events({ signal })) expect(event).toBeUndefined();
      });
    });
  });

  const lack = lacking("root");
  describe.skipIf(lack)(`containers of a store ${way}${lack ?? ""}`, () => {
    let bench: Bench;
    let store: AnyStore;
    let id: string;
    beforeAll(async () => {
      bench = await make({});
      store = noting(bench.store, called);
      await store.load(pieces(ARCHIVE));
      const config = { Labels: { stage: "prod" }, Env: ["A=b"] };
      id = await store.create("b:1", { name: "web", config, hostConfig: { Memory: 0 } });
    });
    afterAll(async () => {
      await bench[Symbol.asyncDispose]();
    });
    const failure = (work: Promise<unknown>): Promise<unknown> =>
      work.then(
        () => undefined,
        (error) => error,
      );

    test("are made, listed and looked at", async () => {
      expect(await store.containers()).toMatchObject([{ id, name: "web", image: "b:1", status: "created" }]);
      expect((await store.containers({ size: true }))[0]!.size).toBe(0);
      expect(
        await store.containers({ filters: { label: ["stage=prod"], status: ["created"] }, limit: 1 }),
      ).toHaveLength(1);
      expect(await store.containers({ filters: { name: ["other"] } })).toEqual([]);
      expect(await store.containers({ all: false })).toEqual([]);
      expect(await failure(store.containers({ filters: { status: ["odd"] } }))).toMatchObject({
        code: "invalid-argument",
      });
      expect(await store.inspectContainer("web")).toMatchObject({ Id: id, Name: "/web", State: { Running: false } });
      expect(await store.inspectContainer("web")).toMatchObject({ Config: { Env: expect.arrayContaining(["A=b"]) } });
      expect(await store.inspectContainers()).toEqual([await store.inspectContainer(id.slice(0, 12))]);
      expect(await failure(store.create("b:1", { name: "web" }))).toMatchObject({ code: "conflict" });
      expect(await failure(store.inspectContainer("nope"))).toMatchObject({
        ...{ code: "not-found", message: "No such container: nope" },
      });
    });

    test("take files, show what was changed, and become images", async () => {
      await store.copyIn("web", "/etc", pieces(tarOf([{ name: "new", content: "new file" }])), {
        noOverwriteDirNonDir: true,
      });
      expect(await store.diff("web")).toEqual([
        { kind: "C", path: "/etc" },
        { kind: "A", path: "/etc/new" },
      ]);
      expect((await buffer(store.read("web", "/etc/new"))).toString()).toBe("new file");
      const names = readTar(await buffer(store.export("web"))).map(({ header }) => header.name);
      expect(names).toEqual(expect.arrayContaining(["etc/new", "big"]));
      const image = await store.commit("web", { reference: "made:1", author: "me", message: "m", changes: ["USER u"] });
      expect(await store.inspect("made:1")).toMatchObject({ Id: image, Author: "me", Config: { User: "u" } });
      expect(await failure(store.copyIn("web", "/nope", pieces(tarOf([]))))).toMatchObject({ code: "not-found" });
      expect(await failure(store.copyIn("web", "/etc", pieces(Buffer.from("x".repeat(600)))))).toMatchObject({
        code: "invalid-archive",
      });
      expect(await failure(store.diff("nope"))).toMatchObject({ code: "not-found" });
    });

    test("are called otherwise", async () => {
      await store.rename("web", "site");
      expect(await failure(store.rename("web", "x"))).toMatchObject({ code: "not-found" });
      expect(await failure(store.rename("site", "a b"))).toMatchObject({ code: "invalid-argument" });
      await store.rename(id, "web");
    });

    test("are mounted and unmounted", async () => {
      const mounted = await store.mount("web");
      expect(statSync(join(mounted, "etc/new")).size).toBe(8);
      expect(await failure(store.removeContainer("web"))).toMatchObject({ code: "in-use" });
      await store.unmount("web");
      expect(await failure(store.mount("nope"))).toMatchObject({ code: "not-found" });
    });

    test("have volumes", async () => {
      const user = await store.create("a:1", { hostConfig: { Binds: ["kept:/kept", "/tmp:/host"] } });
      expect(await store.volumes({ size: true })).toEqual([
        {
          ...{ name: "kept", path: join(store.root, "volumes/kept/_data"), created: expect.any(String) },
          ...{ labels: null, options: null, containers: 1, size: 0 },
        },
      ]);
      await store.removeContainer(user, { volumes: true });
      expect(await store.volumes()).toEqual([expect.objectContaining({ name: "kept", containers: 0 })]);
    });

    test("go", async () => {
      expect(await store.removeContainer("web", { dryRun: true })).toBe(id);
      expect(await store.removeContainer("web", { force: true, volumes: true })).toBe(id);
      const other = await store.create("a:1");
      expect((await store.pruneContainers({ dryRun: true })).removed).toEqual([other]);
      expect(await store.pruneContainers({ filters: { label: ["stage"] } })).toEqual({ removed: [], reclaimed: 0 });
      expect((await store.pruneContainers()).removed).toEqual([other]);
      expect(await store.containers()).toEqual([]);
    });

    test("have called every method by now", () => {
      expect(Object.keys(METHODS).filter((name) => !called.has(name))).toEqual([]);
    });
  });
}

/** The store, noting what of it is used. */
function noting(store: AnyStore, called: Set<string>): AnyStore {
  return new Proxy(store, {
    get(target, name) {
      called.add(String(name));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}
