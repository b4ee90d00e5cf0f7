import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chainIDOf } from "../digest/chain-id.ts";
import { isVarveError } from "../errors.ts";
import { collect, sourceOf } from "../io/byte-source.ts";
import { parseNormalized } from "../reference/reference.ts";
import { ArchiveBench, dockerMembers, makeImage, makeLayer } from "../testing/archive-bench.ts";
import { type TarEntry, tarOf } from "../testing/tar-entries.ts";
import type { Stores } from "./archive.ts";
import { type LoadEvent, type LoadOptions, load } from "./load.ts";
import type { ArchiveInput } from "./open-archive.ts";

const base = makeLayer("base");
const middle = makeLayer("middle", "m".repeat(5000));
const top = makeLayer("top");
const parent = makeImage([base, middle], { history: [{ comment: "1" }, { comment: "2" }] });
const child = makeImage([base, middle, top], { history: [{ comment: "1" }, { comment: "2" }, { comment: "3" }] });
const other = makeImage([top]);

describe("load", () => {
  let bench: ArchiveBench;
  let stores: Stores;
  beforeEach(async () => {
    bench = new ArchiveBench();
    stores = await bench.stores();
  });
  afterEach(() => bench.dispose());

  function loadFrom(input: ArchiveInput, options: Partial<LoadOptions> = {}): ReturnType<typeof load> {
    return load(input, stores, { temporary: bench.temporary, ...options });
  }

  function loadMembers(members: readonly TarEntry[], options: Partial<LoadOptions> = {}): ReturnType<typeof load> {
    const path = bench.path("archive.tar");
    writeFileSync(path, tarOf(members));
    return loadFrom(path, options);
  }

  /** Loads what must be refused, and sees that it left nothing. */
  async function refused(members: readonly TarEntry[], options: Partial<LoadOptions> = {}): Promise<unknown> {
    const before = bench.snapshot();
    const error = await loadMembers(members, options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(bench.snapshot()).toEqual(before);
    expect(isVarveError(error)).toBe(true);
    return error;
  }

  async function expectWhole(image: typeof child): Promise<void> {
    await using tar = await (await bench.stores()).images.tarStream(image.id);
    expect((await collect(tar.stream(), 1 << 20)).equals(Buffer.concat(image.layers))).toBe(true);
  }

  test("takes images with their layers and tags in", async () => {
    const loaded = await loadMembers(
      dockerMembers([
        { image: parent, tags: ["app:1", "reg.local:5000/app:one"] },
        { image: other },
        { image: child, tags: ["docker.io/library/app:2"], parent: parent.id },
      ]),
    );
    expect(loaded).toEqual([
      { id: parent.id, references: ["app:1", "reg.local:5000/app:one"] },
      { id: other.id, references: [] },
      { id: child.id, references: ["app:2"] },
    ]);
    expect(stores.images.get(child.id).raw.equals(child.raw)).toBe(true);
    expect(stores.images.parent(child.id)).toBe(parent.id);
    expect(stores.references.get(parseNormalized("app:2"))).toBe(child.id);
    for (const image of [parent, other, child]) await expectWhole(image);
  });

  test("tells what happens, in order", async () => {
    await loadMembers(dockerMembers([{ image: parent, tags: ["app:1"] }]));
    const events: LoadEvent[] = [];
    const onEvent = (event: LoadEvent): void => void events.push(event);
    await loadMembers(dockerMembers([{ image: child, tags: ["app:1", "app:2"] }]), { onEvent });
    const label = child.diffIDs.map((diffID) => diffID.slice(7, 19));
    expect(events).toEqual([
      { kind: "layer-exists", label: label[0], diffID: child.diffIDs[0] },
      { kind: "layer-exists", label: label[1], diffID: child.diffIDs[1] },
      { kind: "layer", label: label[2], diffID: child.diffIDs[2], current: top.length, total: top.length },
      { kind: "renamed", reference: "app:1", previous: parent.id },
      { kind: "image", id: child.id, references: ["app:1", "app:2"] },
    ]);
  });

  test("counts progress in bytes as they are stored", async () => {
    const stored = gzipSync(base);
    const path = `${other.diffIDs[0]!.slice(7)}/layer.tar`;
    const members = dockerMembers([{ image: makeImage([base]) }]).map((member) =>
      member.name === `${makeImage([base]).diffIDs[0]!.slice(7)}/layer.tar` ? { ...member, content: stored } : member,
    );
    expect(members.some(({ name }) => name === path)).toBe(false);
    const events: LoadEvent[] = [];
    await loadMembers(members, { onEvent: (event) => void events.push(event) });
    expect(events[0]).toMatchObject({ kind: "layer", current: stored.length, total: stored.length });
  });

  test("reads no layer that is there: an archive may leave it out", async () => {
    await loadMembers(dockerMembers([{ image: parent }]));
    const thin = dockerMembers([{ image: child, tags: ["app:2"] }]).filter(
      ({ content }) => content !== base && content !== middle,
    );
    expect(thin).toHaveLength(3);
    expect(await loadMembers(thin)).toEqual([{ id: child.id, references: ["app:2"] }]);
    await expectWhole(child);
  });

  test("takes a layer that is left out from an image of the same archive", async () => {
    const twin = makeImage([base, middle], { author: "twin" });
    const members = dockerMembers([{ image: parent }, { image: twin, item: { Layers: ["none", "none"] } }]);
    expect(await loadMembers(members)).toHaveLength(2);
  });

  test("refuses an archive without a layer that is not there either, before anything changes", async () => {
    const thin = dockerMembers([{ image: other }, { image: child }]).filter(({ content }) => content !== middle);
    expect(await refused(thin)).toMatchObject({
      code: "invalid-archive",
      message: `invalid archive: layer ${child.diffIDs[1]} of image ${child.id} is neither in it nor in the store`,
    });
  });

  test("finds the layer behind a link, and the config behind another", async () => {
    const members = dockerMembers([{ image: other, item: { Config: "c/link", Layers: ["a/b/link"] } }]);
    const [layer, config] = members.map(({ name }) => name);
    const links = [
      { name: "a/b/link", type: "2", linkname: `../../${layer}` },
      { name: "c/link", type: "2", linkname: `/${config}` },
    ];
    expect(await loadMembers([...members, ...links])).toHaveLength(1);
  });

  test.each<[string, () => TarEntry[], string]>([
    ["no images' list", () => [{ name: "a", content: "" }], "does not contain a manifest.json"],
    [
      "null for a list",
      () => [{ name: "manifest.json", content: "null" }],
      "invalid manifest, manifest cannot be null",
    ],
    ["a list that is none", () => [{ name: "manifest.json", content: "{}" }], "json: cannot unmarshal object"],
    ["a list that is cut", () => [{ name: "manifest.json", content: '[{"Config":"' }], "unexpected end of JSON input"],
    ["no config", () => dockerMembers([{ image: other, item: { Config: "none" } }]), "open none: no such file"],
    ["a config that is none", () => withConfig("{"), "unexpected end of JSON input"],
    ["a config without layers", () => withConfig("{}"), "invalid image JSON, no RootFS key"],
    [
      "fewer layers than the config has",
      () => dockerMembers([{ image: other, item: { Layers: [] } }]),
      "invalid manifest, layers length mismatch: expected 0, got 1",
    ],
    [
      "a DiffID that is none",
      () => withConfig(JSON.stringify({ rootfs: { type: "layers", diff_ids: ["x"] } })),
      'invalid diffID for layer 0: "x" is no digest',
    ],
    [
      "more history than layers",
      () => dockerMembers([{ image: makeImage([top], { history: [{}, {}] }) }]),
      "too many non-empty layers in History section",
    ],
    [
      "another system",
      () => dockerMembers([{ image: makeImage([top], { os: "windows" }) }]),
      "cannot load windows image on linux",
    ],
    ["126 layers", () => dockerMembers([{ image: makeImage(Array(126).fill(top)) }]), "max depth exceeded"],
    ["a tag that is none", () => dockerMembers([{ image: other, tags: ["app"] }]), 'invalid tag "app"'],
    [
      "a tag that cannot be",
      () => dockerMembers([{ image: other, tags: ["UPPER:1"] }]),
      "repository name must be lowercase",
    ],
    ["a digest for a tag", () => dockerMembers([{ image: other, tags: [`app:1@${other.id}`] }]), "invalid tag"],
    [
      "a parent that is none",
      () => dockerMembers([{ image: parent }, { image: other, parent: parent.id }]),
      `image ${parent.id} is not a valid parent for ${other.id}`,
    ],
    ["parents in a circle", circle, "is its own ancestor"],
    [
      "a fifo for a layer",
      () => replaced(dockerMembers([{ image: other }]), "layer.tar", { type: "6" }),
      "is a fifo, not a file",
    ],
    [
      "a device for a config",
      () => replaced(dockerMembers([{ image: other }]), ".json", { type: "3", deviceMajor: 1, deviceMinor: 5 }),
      "is a device, not a file",
    ],
    [
      "a link out of the archive for a layer",
      () => replaced(dockerMembers([{ image: other }]), "layer.tar", { type: "2", linkname: "../../../../etc/passwd" }),
      "is neither in it nor in the store",
    ],
  ])("refuses %s", async (_, members, message) => {
    expect(await refused(members())).toMatchObject({ message: expect.stringContaining(message) });
  });

  test("what is refused is closed", async () => {
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 5; i++) await refused([{ name: "manifest.json", content: "null" }]);
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });

  test.each<[string, Buffer, string]>([
    ["other bytes than its DiffID", makeLayer("evil"), 'invalid diffID for layer 1: expected "'],
    ["a cut tar", middle.subarray(0, 2000), "unexpected EOF"],
    ["cut gzip", gzipSync(middle).subarray(0, 60), "unexpected EOF"],
    ["no tar", Buffer.alloc(1024, "x"), "archive/tar: invalid tar header"],
    ["a file twice", tarOf([{ name: "a" }, { name: "./a" }]), "duplicates of file paths not supported"],
  ])("a layer with %s leaves nothing of its image", async (_, bytes, message) => {
    const members = dockerMembers([{ image: child, tags: ["app:2"] }]);
    const spoiled = members.map((member) => (member.content === middle ? { ...member, content: bytes } : member));
    expect(await refused(spoiled)).toMatchObject({ message: expect.stringContaining(message) });
    expect(await loadMembers(members)).toHaveLength(1);
  });

  test("images before the bad one stay, and what they share with it", async () => {
    const members = dockerMembers([
      { image: parent, tags: ["app:1"] },
      { image: child, tags: ["app:1"] },
    ]);
    const spoiled = members.map((member) => (member.content === top ? { ...member, content: "x" } : member));
    await expect(loadMembers(spoiled)).rejects.toMatchObject({ code: "invalid-archive" });
    expect([...stores.images.map().keys()]).toEqual([parent.id]);
    expect(stores.references.get(parseNormalized("app:1"))).toBe(parent.id);
    expect(stores.layers.map().size).toBe(2);
    await expectWhole(parent);
  });

  test("a parent may come after its child, and one that is not there is passed over", async () => {
    await loadMembers(
      dockerMembers([
        { image: child, parent: parent.id },
        { image: parent, parent: `sha256:${"0".repeat(64)}` },
      ]),
    );
    expect(stores.images.parent(child.id)).toBe(parent.id);
    expect(stores.images.parent(parent.id)).toBeUndefined();
  });

  test("the same archive again changes nothing", async () => {
    const members = dockerMembers([{ image: child, tags: ["app:2"] }, { image: parent }]);
    await loadMembers(members);
    const before = bench.snapshot();
    expect(await loadMembers(members)).toHaveLength(2);
    expect(bench.snapshot()).toEqual(before);
  });

  test("an image without layers is loaded", async () => {
    const nothing = makeImage([]);
    expect(await loadMembers(dockerMembers([{ image: nothing, tags: ["nothing:1"] }]))).toHaveLength(1);
  });

  test("from a directory, from a pipe, and compressed as a whole", async () => {
    const tar = tarOf(dockerMembers([{ image: child, tags: ["app:2"] }]));
    const expected = [{ id: child.id, references: ["app:2"] }];
    writeFileSync(bench.path("archive.tar.gz"), gzipSync(tar));
    mkdirSync(bench.path("unpacked"));
    execFileSync("tar", ["-xf", "-", "-C", bench.path("unpacked")], { input: tar });
    execFileSync("mkfifo", [bench.path("fifo")]);
    spawn("sh", ["-c", 'exec gzip -dc "$0" > "$1"', bench.path("archive.tar.gz"), bench.path("fifo")], {
      stdio: "ignore",
    });
    const inputs = [
      bench.path("unpacked"),
      bench.path("fifo"),
      bench.path("archive.tar.gz"),
      sourceOf(tar),
      sourceOf(gzipSync(tar)),
    ];
    for (const input of inputs) expect(await loadFrom(input)).toEqual(expected);
    expect(readdirSync(bench.temporary)).toEqual([]);
  });

  test("a file that is not there, and one that is empty", async () => {
    await expect(loadFrom(bench.path("none"))).rejects.toMatchObject({ code: "not-found" });
    writeFileSync(bench.path("empty"), "");
    await expect(loadFrom(bench.path("empty"))).rejects.toThrow("invalid archive: it is empty");
    await expect(loadFrom(sourceOf())).rejects.toThrow("invalid archive: it is empty");
    mkdirSync(bench.path("folder"));
    await expect(loadFrom(bench.path("folder"))).rejects.toThrow("does not contain a manifest.json");
  });

  test("limits stop what would cost too much", async () => {
    const bomb = gzipSync(tarOf([{ name: "zeros", content: Buffer.alloc(1 << 20) }]));
    const image = makeImage([bomb]);
    const members = dockerMembers([{ image }]);
    expect(await refused(members, { limits: { layerBytes: 1 << 16 } })).toMatchObject({ code: "too-large" });
    expect(await refused(members, { limits: { documentBytes: 100 } })).toMatchObject({ code: "too-large" });
    expect(await refused(members, { limits: { members: 2 } })).toMatchObject({ code: "too-large" });
    const piped = loadFrom(sourceOf(gzipSync(tarOf(members))), { limits: { spoolBytes: 1000 } });
    await expect(piped).rejects.toMatchObject({ code: "too-large" });
    expect(readdirSync(bench.temporary)).toEqual([]);
  });

  test("documents may not take much together either", async () => {
    const padded = Array.from({ length: 20 }, (_, i) => ({ image: makeImage([top], { author: `${i}`.padEnd(4000) }) }));
    const tooMuch = await refused(dockerMembers(padded), { limits: { documentBytes: 6000 } });
    expect(tooMuch).toMatchObject({ code: "too-large", message: expect.stringContaining("together") });
    expect(await loadMembers(dockerMembers(padded), { limits: { documentBytes: 12_000 } })).toHaveLength(20);
  });

  test("a signal ends it and nothing stays", async () => {
    const controller = new AbortController();
    const onEvent = (event: LoadEvent): void => {
      if (event.kind === "layer" && event.diffID === child.diffIDs[2]) controller.abort();
    };
    const members = dockerMembers([{ image: child, tags: ["app:2"] }]);
    expect(await refused(members, { signal: controller.signal, onEvent })).toMatchObject({ code: "cancelled" });
    expect(await refused(members, { signal: AbortSignal.abort() })).toMatchObject({ code: "cancelled" });
    const never = (async function* () {
      yield tarOf(members).subarray(0, 600);
      await new Promise(() => undefined);
    })();
    await expect(loadFrom(never, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: "cancelled" });
    expect(readdirSync(bench.temporary)).toEqual([]);
  });

  /** A store one of whose methods fails. */
  function failing<T extends object>(store: T, method: keyof T & string): T {
    return new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (key === method) return () => failWithoutSpace();
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  test.each([
    [
      "tags that cannot be moved take the image with them",
      () => ({ references: failing(stores.references, "moveTags") }),
    ],
    [
      "a parent that cannot be noted takes image and tags with it",
      () => ({ images: failing(stores.images, "setParent") }),
    ],
  ])("%s", async (_, fail) => {
    await loadMembers(dockerMembers([{ image: parent, tags: ["app:1"] }]));
    const before = bench.snapshot();
    const image = { image: child, tags: ["app:1", "app:new"], parent: parent.id };
    writeFileSync(bench.path("archive.tar"), tarOf(dockerMembers([{ image: parent }, image])));
    const loading = load(bench.path("archive.tar"), { ...stores, ...fail() }, { temporary: bench.temporary });
    await expect(loading).rejects.toThrow("no space");
    expect(bench.snapshot()).toEqual(before);
  });

  test("a layer that another process deletes meanwhile is read again", async () => {
    await loadMembers(dockerMembers([{ image: parent }]));
    const elsewhere = await bench.stores();
    let deleted = false;
    const onEvent = async (event: LoadEvent): Promise<void> => {
      if (event.kind !== "layer-exists" || deleted) return;
      deleted = true;
      await elsewhere.images.delete(parent.id);
    };
    const pending: Promise<void>[] = [];
    await loadMembers(dockerMembers([{ image: child }]), { onEvent: (event) => void pending.push(onEvent(event)) });
    await Promise.all(pending);
    await expectWhole(child);
  });

  test("nothing but a VarveError comes of an archive with one byte changed", async () => {
    const tar = tarOf(dockerMembers([{ image: child, tags: ["app:2"] }, { image: parent }]));
    await fc.assert(
      fc.asyncProperty(fc.nat(tar.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const spoiled = Buffer.from(tar);
        spoiled[at]! ^= change;
        try {
          await loadFrom(sourceOf(spoiled));
        } catch (error) {
          expect(isVarveError(error)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
    expect(await loadFrom(sourceOf(tar))).toHaveLength(2);
    await expectWhole(child);
  });

  test("the stack of an image's chain is what its config says", async () => {
    await loadMembers(dockerMembers([{ image: child }]));
    expect(stores.layers.has(chainIDOf(child.diffIDs)!)).toBe(true);
  });
});

function withConfig(config: string): TarEntry[] {
  return replaced(dockerMembers([{ image: other }]), ".json", { content: config });
}

/** The first member whose name ends so, with other fields. */
function replaced(members: readonly TarEntry[], ending: string, fields: Partial<TarEntry>): TarEntry[] {
  let done = false;
  return members.map((member) => {
    if (done || !member.name.endsWith(ending)) return member;
    done = true;
    return fields.content === undefined ? { name: member.name, ...fields } : { ...member, ...fields };
  });
}

/** Only images without a history can name each other. */
function circle(): TarEntry[] {
  const [a, b] = [makeImage([top], { author: "a" }), makeImage([top], { author: "b" })];
  return dockerMembers([
    { image: a, parent: b.id },
    { image: b, parent: a.id },
  ]);
}

function failWithoutSpace(): never {
  throw new Error("no space");
}
