import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ChainID, DiffID } from "../digest/chain-id.ts";
import { digestOf, hexOf } from "../digest/digest.ts";
import { compareTimes, parseTime, timeOf } from "../json/go-time.ts";
import { END_OF_ARCHIVE } from "../tar/writer.ts";
import { MemoryLayers } from "../testing/memory-layers.ts";
import { FileBackend } from "./file-backend.ts";
import type { ImageID } from "./image.ts";
import { ImageStore } from "./store.ts";

const BASE: DiffID = digestOf(END_OF_ARCHIVE);
const TOP_TAR = Buffer.concat([END_OF_ARCHIVE, END_OF_ARCHIVE]);
const TOP: DiffID = digestOf(TOP_TAR);

let directory: string;
let backend: FileBackend;
let layers: MemoryLayers;
let base: ChainID;
let top: ChainID;
let warnings: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-images-"));
  backend = new FileBackend(directory, { sync: false });
  layers = new MemoryLayers();
  base = layers.add(END_OF_ARCHIVE);
  top = layers.add(TOP_TAR, base);
  warnings = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (from = layers) =>
  ImageStore.open({ backend, layers: from, onWarning: (message) => void warnings.push(message) });

/** The bytes of an image, told from others by its comment. */
function config(comment: string, diffIDs: readonly string[] = [BASE, TOP], more: object = {}): Buffer {
  return Buffer.from(JSON.stringify({ comment, rootfs: { type: "layers", diff_ids: diffIDs }, ...more }));
}
const contentOf = (id: ImageID) => join(directory, "content/sha256", hexOf(id));
const metadataOf = (id: ImageID, key = "") => join(directory, "metadata/sha256", hexOf(id), key);

describe("creating an image", () => {
  test("keeps its bytes and a reference to its layers", async () => {
    const store = open();
    const raw = config("a");
    const id = await store.create(raw);
    expect(id).toBe(digestOf(raw));
    expect(readFileSync(contentOf(id))).toEqual(raw);
    expect(store.get(id)).toMatchObject({ id, raw, diffIDs: [BASE, TOP], chainID: top });
    expect(store.size(id)).toBe(END_OF_ARCHIVE.length + TOP_TAR.length);
    expect(layers.references(top)).toBe(1);
    expect(await store.create(raw)).toBe(id);
    expect(layers.references(top)).toBe(1);
    expect(store.has(id)).toBe(true);
  });

  test("goes without layers, history or an operating system", async () => {
    const store = open();
    const id = await store.create(config("a", []));
    expect(store.size(id)).toBe(0);
    expect(await store.delete(id)).toEqual([]);
    await store.create(config("b", [], { os: "windows" }));
    await store.create(config("c", [BASE], { os: "LINUX", history: [{ empty_layer: true }] }));
  });

  test.each([
    ["no JSON", "invalid-archive", "invalid character 'o' in literal null (expecting 'u')"],
    ["{}", "invalid-archive", "invalid image JSON, no RootFS key"],
    [config("a", [BASE], { history: [{}, {}] }), "invalid-archive", "too many non-empty layers in History section"],
    [config("a", [BASE], { os: "windows" }), "unsupported", "operating system is not supported"],
    [config("a", [TOP]), "not-found", `failed to get layer ${TOP}: layer does not exist`],
    [config("a", ["../../etc"]), "not-found", "failed to get layer ../../etc: layer does not exist"],
    [config("a", [BASE, "nonsense"]), "not-found", "failed to get layer"],
    ["", "invalid-archive", "unexpected end of JSON input"],
  ])("refuses %s and leaves the store as it was", async (raw, code, message) => {
    const store = open();
    await expect(store.create(Buffer.from(raw))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    expect(readdirSync(directory)).toEqual([]);
    expect(layers.references(top)).toBe(0);
    expect(layers.references(base)).toBe(1);
    expect(store.map().size).toBe(0);
  });

  test("lets the layers go when the bytes cannot be written", async () => {
    const store = open();
    writeFileSync(join(directory, "content"), "");
    await expect(store.create(config("a"))).rejects.toMatchObject({ name: "VarveError" });
    expect(layers.references(top)).toBe(0);
    expect(layers.has(top)).toBe(true);
  });
});

describe("finding an image", () => {
  test("by a prefix needs one that is unique", async () => {
    const store = open();
    const ids: ImageID[] = [];
    for (let i = 0; i < 40; i++) ids.push(await store.create(config(`${i}`)));
    for (const id of ids) {
      expect(store.search(id)).toBe(id);
      expect(store.search(hexOf(id))).toBe(id);
      expect(store.search(hexOf(id).slice(0, 12))).toBe(id);
      expect(store.search(id.slice(0, 19))).toBe(id);
    }
    const shared = hexOf(ids[0]!).slice(0, 1);
    const matches = ids.filter((id) => hexOf(id).startsWith(shared)).sort();
    if (matches.length > 1)
      expect(() => store.search(shared)).toThrow(
        expect.objectContaining({ code: "ambiguous", details: { prefix: shared, matches } }),
      );
    for (const prefix of [
      "",
      "sha256:",
      "sha256",
      "x",
      `:${shared}`,
      "SHA256:",
      `sha512:${shared}`,
      hexOf(ids[0]!).toUpperCase(),
    ])
      expect(() => store.search(prefix)).toThrow(
        expect.objectContaining({ code: "not-found", message: `No such image: ${prefix}` }),
      );
  });

  test("agrees with a search through the whole list", async () => {
    const store = open();
    const ids: ImageID[] = [];
    for (let i = 0; i < 30; i++) ids.push(await store.create(config(`${i}`)));
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-f]{1,3}$/), (prefix) => {
        const matches = ids.filter((id) => hexOf(id).startsWith(prefix));
        if (matches.length === 1) expect(store.search(prefix)).toBe(matches[0]);
        else expect(() => store.search(prefix)).toThrow(matches.length === 0 ? "No such image" : "ambiguous");
      }),
    );
  });

  test("by its full id works for one whose layers are gone, and a prefix does not", async () => {
    const id = await open().create(config("a"));
    const store = open(new MemoryLayers());
    expect(store.get(id).config.comment).toBe("a");
    expect(store.has(id)).toBe(false);
    expect(() => store.search(hexOf(id))).toThrow("No such image");
    expect(() => store.get(digestOf("x"))).toThrow(expect.objectContaining({ code: "not-found" }));
  });
});

describe("restoring", () => {
  test("takes in what can be used and names what cannot", async () => {
    const first = open();
    const good = await first.create(config("good"));
    const noLayer = backend.set(config("no layer", [TOP]));
    const windows = backend.set(config("windows", [BASE], { os: "windows" }));
    const noImage = backend.set(Buffer.from("x"));
    const tampered = backend.set(config("tampered"));
    writeFileSync(contentOf(tampered), "y");
    mkdirSync(contentOf(digestOf("directory")));
    writeFileSync(join(directory, "content/sha256/README"), "no image");

    const store = open();
    expect([...store.map().keys()]).toEqual([good]);
    expect(layers.references(top)).toBe(2);
    const reasons = Object.fromEntries(store.broken.map(({ id, reason }) => [id, reason]));
    expect(reasons).toEqual({
      [noLayer]: `failed to get layer ${TOP}: layer does not exist`,
      [windows]: "operating system is not supported: windows",
      [noImage]: "invalid character 'x' looking for beginning of value",
      [tampered]: `failed to verify: ${tampered}`,
      [digestOf("directory")]: `${contentOf(digestOf("directory"))} is not a regular file`,
    });
    expect(warnings).toHaveLength(5);
    store.refresh();
    expect(warnings).toHaveLength(5);
  });

  test("sees what other processes did, and lets go of what they deleted", async () => {
    const store = open();
    const other = open();
    const [a, b] = [await other.create(config("a")), await other.create(config("b"))];
    other.setParent(b, a);
    store.refresh();
    expect(store.parent(b)).toBe(a);
    expect(store.children(a)).toEqual([b]);
    expect(layers.references(top)).toBe(4);
    await other.delete(b);
    store.refresh();
    expect(store.has(b)).toBe(false);
    expect(store.children(a)).toEqual([]);
    expect(layers.references(top)).toBe(2);
  });

  test("holds layers as they are now, not as they were", async () => {
    const store = open();
    const id = await store.create(config("a"));
    const handle = layers.get(top);
    await store.delete(id);
    await handle.release();
    base = layers.add(END_OF_ARCHIVE);
    top = layers.add(TOP_TAR, base);
    backend.set(config("a"));
    store.refresh();
    store.refresh();
    expect(layers.references(top)).toBe(1);
    layers.drop(top);
    store.refresh();
    expect(store.has(id)).toBe(false);
    expect(store.broken.map((image) => image.id)).toEqual([id]);
    store.refresh();
    expect(warnings).toHaveLength(1);
  });

  test("tries broken images again", async () => {
    const id = backend.set(config("a", [TOP]));
    const store = open();
    expect(store.broken).toHaveLength(1);
    layers.add(TOP_TAR);
    store.refresh();
    expect(store.broken).toEqual([]);
    expect(store.has(id)).toBe(true);
  });

  test("creating an image heals a broken one", async () => {
    const id = backend.set(config("a"));
    writeFileSync(contentOf(id), "y");
    const store = open();
    expect(store.broken).toHaveLength(1);
    await store.create(config("a"));
    expect(store.broken).toEqual([]);
    expect(open().has(id)).toBe(true);
  });

  test("ignores parents that are unknown, no ids, or in a circle, and keeps what is recorded", async () => {
    const first = open();
    const [a, b, c] = [
      await first.create(config("a")),
      await first.create(config("b")),
      await first.create(config("c")),
    ];
    const gone = digestOf("gone");
    for (const [id, parent] of [
      [a, gone],
      [b, c],
      [c, b],
    ] as const)
      backend.setMetadata(id, "parent", Buffer.from(parent));
    const store = open();
    expect(store.parent(a)).toBe(gone);
    expect([store.parent(b), store.parent(c)].filter((parent) => parent !== undefined)).toHaveLength(1);
    expect(store.heads().size).toBe(2);
    expect(warnings).toEqual([expect.stringContaining("it would be its own ancestor")]);
    backend.setMetadata(a, "parent", Buffer.from(`${b}\n`));
    backend.setMetadata(b, "parent", Buffer.from(b));
    expect(open().parent(a)).toBeUndefined();
    expect(readFileSync(metadataOf(a, "parent"), "utf8")).toBe(`${b}\n`);
  });
});

describe("parents and children", () => {
  test("are recorded and can be changed, but never in a circle", async () => {
    const store = open();
    const [a, b, c] = [
      await store.create(config("a")),
      await store.create(config("b")),
      await store.create(config("c")),
    ];
    store.setParent(b, a);
    store.setParent(c, b);
    expect(readFileSync(metadataOf(c, "parent"), "utf8")).toBe(b);
    expect([store.parent(a), store.parent(b), store.parent(c)]).toEqual([undefined, a, b]);
    expect([...store.heads().keys()]).toEqual([c]);
    for (const [id, parent] of [
      [a, c],
      [a, a],
    ] as const)
      expect(() => store.setParent(id, parent)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    store.setParent(c, a);
    expect(store.children(a)).toEqual([b, c].sort());
    expect(store.children(b)).toEqual([]);
    expect(() => store.setParent(a, digestOf("x"))).toThrow(`unknown parent image ID ${digestOf("x")}`);
    expect(() => store.setParent(digestOf("x"), a)).toThrow(expect.objectContaining({ code: "not-found" }));
    expect(open().children(a)).toEqual([b, c].sort());
  });

  test("keep what they were when a link cannot be written", async () => {
    const store = open();
    const [a, b, c] = [
      await store.create(config("a")),
      await store.create(config("b")),
      await store.create(config("c")),
    ];
    store.setParent(c, a);
    rmSync(contentOf(b));
    rmSync(contentOf(c));
    for (const id of [b, c])
      expect(() => store.setParent(id, b === id ? a : b)).toThrow(expect.objectContaining({ code: "not-found" }));
    expect(store.parent(b)).toBeUndefined();
    expect(store.parent(c)).toBe(a);
    expect(store.children(b)).toEqual([]);
  });
});

describe("deleting", () => {
  test("removes an image, its metadata, its children's links and the layers that nobody else needs", async () => {
    const store = open();
    const parent = await store.create(config("parent", [BASE]));
    const image = await store.create(config("image"));
    const child = await store.create(config("child", [BASE]));
    store.setParent(image, parent);
    store.setParent(child, image);
    store.setLastUpdated(child);
    const released = await store.delete(image);
    expect(released.map(({ chainID }) => chainID)).toEqual([top]);
    expect(existsSync(contentOf(image))).toBe(false);
    expect(existsSync(metadataOf(image))).toBe(false);
    expect(existsSync(metadataOf(child, "parent"))).toBe(false);
    expect(existsSync(metadataOf(child, "lastUpdated"))).toBe(true);
    expect(store.parent(child)).toBeUndefined();
    expect(store.children(parent)).toEqual([]);
    expect(() => store.search(image)).toThrow("No such image");
    await expect(store.delete(image)).rejects.toMatchObject({
      code: "not-found",
      message: `unrecognized image ID ${image}`,
    });
    expect(await store.delete(parent)).toEqual([]);
    expect((await store.delete(child)).map(({ chainID }) => chainID)).toEqual([base]);
  });
});

describe("lastUpdated", () => {
  test("is absent until the image is tagged", async () => {
    const store = open();
    const id = await store.create(config("a"));
    expect(store.lastUpdated(id)).toBeUndefined();
    const date = new Date("2026-11-20T17:42:39.440Z");
    const zone = process.env.TZ;
    process.env.TZ = "Asia/Kolkata";
    store.setLastUpdated(id, date);
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
    expect(compareTimes(store.lastUpdated(id)!, timeOf(date))).toBe(0);
    expect(readFileSync(metadataOf(id, "lastUpdated"), "utf8")).toBe("2026-11-20T23:12:39.44+05:30");
    store.setLastUpdated(id);
    expect(compareTimes(store.lastUpdated(id)!, timeOf(date))).not.toBe(0);
    expect(() => store.setLastUpdated(digestOf("x"))).toThrow(expect.objectContaining({ code: "not-found" }));
  });

  test("is read as dockerd wrote it, and reported when it is no time", async () => {
    const store = open();
    const id = await store.create(config("a"));
    const write = (text: string) => backend.setMetadata(id, "lastUpdated", Buffer.from(text));
    write("2026-11-20T18:42:39.4401978+01:00");
    expect(store.lastUpdated(id)).toEqual(parseTime("2026-11-20T18:42:39.4401978+01:00"));
    write("");
    expect(store.lastUpdated(id)).toBeUndefined();
    write("yesterday");
    expect(() => store.lastUpdated(id)).toThrow(expect.objectContaining({ code: "corrupt" }));
  });
});

describe("the tar of an image", () => {
  test("is all its layers", async () => {
    const store = open();
    const id = await store.create(config("a"));
    {
      await using tar = await store.tarStream(id);
      expect(tar.size).toBe(END_OF_ARCHIVE.length + TOP_TAR.length);
      expect(layers.references(top)).toBe(2);
    }
    await using again = await store.tarStream(id);
    expect(await again.read(0, again.size)).toEqual(Buffer.concat([END_OF_ARCHIVE, TOP_TAR]));
    expect(layers.splitReads).toBe(2);
    await expect(store.tarStream(digestOf("x"))).rejects.toMatchObject({ code: "not-found" });
  });
});
