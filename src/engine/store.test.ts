import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../digest/digest.ts";
import { isVarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { tarOf } from "../testing/tar-entries.ts";
import { openStore, type Store } from "./store.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "varve-store-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const open = (options: { onWarning?: (message: string) => void; driver?: string } = {}): Promise<Store> =>
  openStore({ root, driver: "rootless", durability: "none", ...options });
const layers = [1, 2].map((i) => tarOf([{ name: `f${i}`, content: `${i}`.repeat(400_000) }]));

/** What `docker load` takes: images of some of the layers. */
function archiveOf(images: Readonly<Record<string, readonly Buffer[]>>): Buffer {
  const manifest = [];
  const members = new Map(layers.map((layer, i) => [`${i}.tar`, layer]));
  for (const [name, stack] of Object.entries(images)) {
    const diffIDs = stack.map((layer) => digestOf(layer));
    const config = Buffer.from(JSON.stringify({ os: "linux", rootfs: { type: "layers", diff_ids: diffIDs } }));
    members.set(`${digestOf(config).slice(7)}.json`, config);
    const names = stack.map((layer) => [...members].find(([, bytes]) => bytes === layer)?.[0] ?? "missing.tar");
    manifest.push({ Config: `${digestOf(config).slice(7)}.json`, RepoTags: [name], Layers: names });
  }
  return tarOf([
    { name: "manifest.json", content: JSON.stringify(manifest) },
    ...[...members].map(([name, content]) => ({ name, content })),
  ]);
}

async function* bytes(buffer: Uint8Array): ByteSource {
  yield buffer;
}

async function drain(source: AsyncIterator<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let next = await source.next(); !next.done; next = await source.next()) chunks.push(next.value);
  return Buffer.concat(chunks);
}

function trees(): string[] {
  return readdirSync(join(root, "rootless"));
}

function layerRecords(): string[] {
  return readdirSync(join(root, "image/rootless/layerdb/sha256"));
}

describe("an image that is removed while it is saved", () => {
  test.each(["another process", "the same one"])("by %s is saved whole, and its layers go in the end", async (who) => {
    const store = await open();
    await store.load(bytes(archiveOf({ "a:1": layers })));
    const whole = await drain(store.save(["a:1"])[Symbol.asyncIterator]());
    const remover = who === "the same one" ? store : await open();

    const saving = store.save(["a:1"])[Symbol.asyncIterator]();
    const first = await saving.next();
    const removed = await remover.remove("a:1");
    expect(removed.map((item) => Object.keys(item)[0])).toEqual(["untagged", "deleted"]);
    const rest = await drain(saving);
    expect(Buffer.concat([first.value, rest]).equals(whole)).toBe(true);

    // Whoever writes next.
    await remover.import(bytes(tarOf([{ name: "x", content: "x" }])));
    expect(layerRecords()).toHaveLength(1);
    expect(trees()).toHaveLength(1);
  });

  test("is no concern of the layers of other images", async () => {
    const [reader, writer] = [await open(), await open()];
    await writer.load(bytes(archiveOf({ "a:1": [layers[0]!], "b:1": [layers[1]!] })));
    const saving = reader.save(["a:1"])[Symbol.asyncIterator]();
    await saving.next();
    expect(await writer.remove("b:1")).toHaveLength(3);
    expect(trees()).toHaveLength(1);
    await saving.return?.();
    expect(await writer.remove("a:1")).toHaveLength(3);
    expect(trees()).toEqual([]);
  });
});

describe("a load", () => {
  test("that fails leaves the images before the bad one, with their events, and nothing else", async () => {
    const store = await open();
    const archive = archiveOf({ "a:1": [layers[0]!], "b:1": [layers[0]!, layers[1]!] });
    const at = archive.indexOf("2".repeat(1000));
    archive.write("3", at + 5);
    await expect(store.load(bytes(archive))).rejects.toMatchObject({ code: "invalid-archive" });
    const images = await store.images();
    expect(images.map(({ tags }) => tags)).toEqual([["a:1"]]);
    expect(layerRecords()).toHaveLength(1);
    expect(trees()).toHaveLength(1);
    const loaded: string[] = [];
    for await (const { action, id } of store.events({ since: 0n, until: BigInt(Date.now() + 1) * 1_000_000n }))
      loaded.push(`${action} ${id}`);
    expect(loaded).toEqual([`load ${images[0]!.id}`]);
    expect(readdirSync(join(root, "varve/doubts"))).toEqual([]);
  });
});

describe("a store", () => {
  test("is told of images that another driver has, when its own has none", async () => {
    await (await open()).load(bytes(archiveOf({ "a:1": [layers[0]!] })));
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    await open({ onWarning });
    expect(warnings).toEqual([]);
    await open({ driver: "vfs", onWarning });
    expect(warnings).toEqual([
      `${root} has no images of the driver vfs, but some of rootless: choose that with --driver`,
    ]);
  });

  test("that is only read leaves no trace", async () => {
    const store = await open();
    expect(await store.images()).toEqual([]);
    expect((await store.df()).images.total).toBe(0);
    await expect(store.remove("a:1", { dryRun: true })).rejects.toMatchObject({ code: "not-found" });
    expect(readdirSync(root)).toEqual([]);
  });

  test("says what a tag may not be", async () => {
    const store = await open();
    await store.load(bytes(archiveOf({ "a:1": [layers[0]!] })));
    for (const [target, message] of [
      [`x@sha256:${"a".repeat(64)}`, "refusing to create a tag with a digest reference"],
      ["sha256:x", "refusing to create an ambiguous tag using digest algorithm as name"],
    ] as const)
      await expect(store.tag("a:1", target)).rejects.toMatchObject({ code: "invalid-reference", message });
    await store.tag("a:1", "b");
    expect((await store.images())[0]?.tags).toEqual(["a:1", "b:latest"]);
  });

  test("sees at once what another one of the same root did", async () => {
    const [one, two] = [await open(), await open()];
    await one.load(bytes(archiveOf({ "a:1": layers })));
    expect(await two.images()).toHaveLength(1);
    await two.remove("a:1");
    expect(await one.images()).toEqual([]);
    await expect(one.inspect("a:1")).rejects.toSatisfy((error) => isVarveError(error, "not-found"));
    expect(existsSync(join(root, "image/rootless/repositories.json"))).toBe(true);
  });
});
