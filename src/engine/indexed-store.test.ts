import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type LargeRoot, makeLargeRoot } from "../../test/tools/large-root.ts";
import { digestOf, hexOf } from "../digest/digest.ts";
import { openStore } from "./store.ts";

/** A root that a Varve has worked on, so that it has an index; what is changed there is changed behind Varve's back. */
const DRIVER = "rootless";
let scratch: string;
let root: string;
let made: LargeRoot;
let roots = 0;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "varve-indexed-"));
});
afterAll(() => rmSync(scratch, { recursive: true }), 60_000);
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 }); // what was written just now has settled
});
afterEach(() => {
  vi.useRealTimers();
});

function makeRoot(): void {
  root = join(scratch, `${roots++}`);
  made = makeLargeRoot(root, { images: 29, driver: DRIVER, trees: false });
  mkdirSync(join(root, "varve"));
  for (const path of [layerFile(16, 3, "size"), content(19)]) utimesSync(path, LONG_AGO, LONG_AGO);
}

const indexFile = (): string => join(root, "varve", `index-${DRIVER}`);
const inImages = (...names: string[]): string => join(root, "image", DRIVER, ...names);
const layerFile = (image: number, depth: number, name = ""): string =>
  inImages("layerdb", "sha256", hexOf(made.images[image]!.chains[depth]!), name);
const content = (image: number): string => inImages("imagedb", "content", "sha256", hexOf(made.images[image]!.id));
const metadata = (image: number, key = ""): string =>
  inImages("imagedb", "metadata", "sha256", hexOf(made.images[image]!.id), key);

/** Everything that can be asked about all images and layers. */
async function seen(): Promise<object> {
  const warnings: string[] = [];
  await using store = await openStore({ root, driver: DRIVER, onWarning: (message) => void warnings.push(message) });
  const images = await store.images({ all: true });
  const layers = await Promise.all(images.map(({ id }) => store.layers(id)));
  const { broken } = await store.info();
  return { images, layers, broken: [...broken].sort(), warnings: warnings.sort() };
}

/** What is seen with the index is what is seen without one. @returns that */
async function seenAlike(): Promise<object> {
  const indexed = await seen();
  const aside = `${indexFile()}.aside`;
  if (existsSync(indexFile())) renameSync(indexFile(), aside);
  try {
    expect(indexed).toEqual(await seen());
  } finally {
    rmSync(aside, { force: true });
  }
  return indexed;
}

const CHANGES: readonly (readonly [string, () => void])[] = [
  ["a layer's size written anew", () => replaceFile(layerFile(0, 1, "size"), "2001")],
  ["a layer's size that is no number", () => replaceFile(layerFile(1, 1, "size"), "2oo1")],
  ["a layer's cache-id written in place", () => writeFileSync(layerFile(2, 3, "cache-id"), "x".repeat(64))],
  ["a layer's diff written anew", () => replaceFile(layerFile(3, 2, "diff"), digestOf("other"))],
  ["a layer's diff that is no digest", () => replaceFile(layerFile(4, 0, "diff"), "sha256:0")],
  ["a layer's parent written anew", () => replaceFile(layerFile(5, 3, "parent"), made.images[6]!.chains[2]!)],
  ["a layer's parent removed", () => rmSync(layerFile(6, 1, "parent"))],
  ["a parent given to a base layer", () => writeFileSync(layerFile(7, 0, "parent"), made.images[8]!.chains[3]!)],
  [
    "a descriptor given to a layer",
    () => writeFileSync(layerFile(8, 2, "descriptor.json"), '{"mediaType":"x","size":1,"digest":"sha256:0"}'),
  ],
  ["a descriptor that is no JSON", () => writeFileSync(layerFile(9, 2, "descriptor.json"), "{")],
  ["a layer's file removed", () => rmSync(layerFile(10, 2, "size"))],
  ["a layer removed", () => rmSync(layerFile(11, 1), { recursive: true })],
  ["a layer's directory replaced by a copy with its times", () => replaceByCopy(layerFile(12, 3))],
  ["a layer's directory replaced by another's", () => replaceBy(layerFile(13, 3), layerFile(14, 3))],
  ["a layer's file replaced by a link", () => replaceByLink(layerFile(15, 3, "size"))],
  [
    "a layer's file restored from a backup, with the old times",
    () => restore(layerFile(16, 3, "size"), () => replaceFile(layerFile(16, 3, "size"), "9999")),
  ],
  ["a config damaged in place", () => writeFileSync(content(17), damaged(readFileSync(content(17))))],
  ["a config cut off", () => writeFileSync(content(18), readFileSync(content(18)).subarray(1))],
  ["a config damaged, with the old times", () => damageQuietly(content(19))],
  ["an image removed", () => removeImage(20)],
  ["an image's content removed, its metadata left", () => rmSync(content(21))],
  ["an image given a parent", () => writeFileSync(metadata(22, "parent"), made.images[23]!.id)],
  ["an image given a parent, in a metadata directory of its own", () => newMetadata(24, made.images[25]!.id)],
  ["an image without its metadata", () => rmSync(metadata(26), { recursive: true })],
  ["an image tagged later", () => writeFileSync(metadata(27, "lastUpdated"), "2025-01-01T00:00:00Z")],
  ["a new image on old layers", () => addImage(28)],
  ["all tags removed", () => writeFileSync(inImages("repositories.json"), '{"Repositories":{}}')],
];

describe("what is seen behind an index", () => {
  // Each change is another image's.
  beforeAll(makeRoot);

  test.each(CHANGES)("is %s", async (name, change) => {
    const before = await seenAlike();
    await seen();
    expect(existsSync(indexFile())).toBe(true);
    await tick();
    change();
    const after = await seenAlike();
    if (!/copy with its times|cache-id|tagged later|descriptor given|without its metadata/.test(name))
      expect(after).not.toEqual(before);
  });
});

describe("a root with an index", () => {
  beforeEach(makeRoot);

  test("is seen through it, so that nothing is read that is as it was", async () => {
    await seen();
    const bytes = readFileSync(indexFile());
    // To tell from where an answer comes, another one is put into the index.
    const at = bytes.indexOf("org.example.stage");
    bytes.write("org.example.STAGE", at);
    const start = 4 + bytes.readUInt32LE(0) + 4;
    bytes.writeUInt32LE(crc32(bytes.subarray(start)), start - 4);
    writeFileSync(indexFile(), bytes);
    expect(JSON.stringify(await seen())).toContain("org.example.STAGE");
    rmSync(indexFile());
    expect(JSON.stringify(await seen())).not.toContain("org.example.STAGE");
  });

  test("looks like one without", async () => {
    await seen();
    expect(await seenAlike()).toMatchObject({ broken: [], warnings: [] });
  });

  test("shows any changes, whatever index is there", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(CHANGES.length - 1), { maxLength: 8 }), async (picks) => {
        makeRoot();
        await seen();
        for (const pick of picks) {
          await tick();
          CHANGES[pick]![1]();
          await seen(); // the index goes along, or not
        }
        await seenAlike();
      }),
      { numRuns: 8 },
    );
  });

  test("shows what was changed while the index was being made, though the clock stood still", async () => {
    vi.useRealTimers();
    await seen();
    expect(existsSync(indexFile())).toBe(false); // nothing is old enough yet
    replaceFile(layerFile(0, 1, "size"), "2001");
    await seenAlike();
  });

  test("is indexed again after many changes, and not after few", async () => {
    await seen();
    const first = statSync(indexFile()).ino;
    replaceFile(layerFile(0, 1, "size"), "2001");
    await seen();
    expect(statSync(indexFile()).ino).toBe(first);
    for (let image = 0; image < made.images.length; image++)
      for (let depth = 0; depth < 4; depth++) replaceFile(layerFile(image, depth, "size"), "70000");
    await seen();
    expect(statSync(indexFile()).ino).not.toBe(first);
    await seenAlike();
  });
});

describe("an index that is of no use", () => {
  beforeEach(makeRoot);

  test.each<[string, (bytes: Buffer) => void]>([
    ["is empty", () => writeFileSync(indexFile(), "")],
    ["was cut off", (bytes) => writeFileSync(indexFile(), bytes.subarray(0, bytes.length / 2))],
    ["was damaged", (bytes) => writeFileSync(indexFile(), damaged(bytes))],
    ["is of another version", (bytes) => writeFileSync(indexFile(), bytes.fill("9", 16, 17))],
    ["is something else", () => writeFileSync(indexFile(), "#!/bin/sh\n".repeat(1000))],
  ])("because it %s makes no difference, and is made anew", async (_, change) => {
    const before = await seen();
    const good = readFileSync(indexFile());
    change(Buffer.from(good));
    expect(await seen()).toEqual(before);
    expect(readFileSync(indexFile()).length).toBe(good.length);
    await seenAlike();
  });

  test("because it is of another root makes no difference", async () => {
    await seen();
    const other = indexFile();
    makeRoot();
    for (let image = 0; image < made.images.length; image++) writeFileSync(layerFile(image, 0, "size"), "7");
    copyFileSync(other, indexFile());
    await seenAlike();
  });

  test("because nobody can write it is told, and stops nothing", async () => {
    mkdirSync(indexFile());
    expect(await seen()).toMatchObject({ warnings: [expect.stringContaining("could not be written: EISDIR")] });
  });
});

describe("no index is written", () => {
  beforeEach(makeRoot);

  test("where no Varve has changed anything: looking leaves no trace", async () => {
    rmSync(join(root, "varve"), { recursive: true });
    const before = readdirSync(root, { recursive: true });
    await seen();
    expect(readdirSync(root, { recursive: true })).toEqual(before);
  });

  test("of few images", async () => {
    root = join(scratch, `${roots++}`);
    makeLargeRoot(root, { images: 5, driver: DRIVER, trees: false });
    mkdirSync(join(root, "varve"));
    await seen();
    expect(readdirSync(join(root, "varve"))).toEqual([]);
  });
});

/** Longer than a tick of the file system's clock. */
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 15));

function damaged(bytes: Buffer): Buffer {
  const middle = bytes.length >> 1;
  bytes[middle]! ^= 1;
  return bytes;
}

/** To what `makeRoot` set them. */
function restore(path: string, change: () => void): void {
  const { mtimeMs } = statSync(path);
  change();
  utimesSync(path, LONG_AGO, LONG_AGO);
  expect(statSync(path).mtimeMs).toBe(mtimeMs);
}

/** Whole seconds, so that setting them again is exact. */
const LONG_AGO = 1_600_000_000;

/** As everybody writes a record: not in place. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function damageQuietly(path: string): void {
  restore(path, () => writeFileSync(path, damaged(readFileSync(path))));
}

function replaceByCopy(path: string): void {
  cpSync(path, `${path}-copy`, { recursive: true, preserveTimestamps: true });
  rmSync(path, { recursive: true });
  renameSync(`${path}-copy`, path);
}

function replaceBy(path: string, other: string): void {
  rmSync(path, { recursive: true });
  renameSync(other, path);
}

function replaceByLink(path: string): void {
  renameSync(path, `${path}-target`);
  symlinkSync(`${path}-target`, path);
}

function removeImage(image: number): void {
  rmSync(metadata(image), { recursive: true });
  rmSync(content(image));
}

function newMetadata(image: number, parent: string): void {
  rmSync(metadata(image), { recursive: true });
  mkdirSync(metadata(image));
  writeFileSync(metadata(image, "parent"), parent);
}

function addImage(like: number): void {
  const raw = readFileSync(content(like), "utf8").replace("20.10.24", "20.10.25");
  writeFileSync(inImages("imagedb", "content", "sha256", hexOf(digestOf(raw))), raw);
}
