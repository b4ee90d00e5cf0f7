import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { openStore, type Store } from "../../src/engine/store.ts";
import { mountPointsBelow, unmount } from "../../src/sys/mount.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { dockerArchive } from "../fstree/docker-archive.ts";
import { varvePath } from "../tools/varve.ts";

/** How long the processes go on; more finds more. */
const SECONDS = Number(process.env.VARVE_SOAK_SECONDS ?? 12);
const driver = process.getuid?.() === 0 ? "overlay2" : "rootless";

/** Does one thing after the other with one open store, and says what failed with anything that is not to be expected. */
const WORKER = `
const [library, root, driver, archives, seconds] = process.argv.slice(2);
const { openStore } = await import(library);
const { mkdtempSync, readdirSync } = await import("node:fs");
const { join } = await import("node:path");
const EXPECTED = ["conflict", "not-found", "already-exists", "in-use"];
const MORE = { load: 6, create: 3, tag: 3, save: 2 };
const pick = (items) => items[Math.floor(Math.random() * items.length)];
const files = readdirSync(archives).map((name) => join(archives, name));
const tags = ["one", "two", "three", "mine:1", "mine:2"];
const drain = async (source) => {
  for await (const _ of source);
};
const actions = {
  load: (store) => store.load(pick(files)),
  save: (store) => drain(store.save([pick(tags)])),
  saveSome: async (store) => {
    for await (const _ of store.save([pick(tags)])) if (Math.random() < 0.2) break;
  },
  read: (store) => drain(store.read(pick(tags), "/0/0")),
  tag: (store) => store.tag(pick(tags), pick(tags)),
  remove: (store) => store.remove(pick(tags), { force: Math.random() < 0.3 }),
  removeByID: async (store) => {
    const image = pick(await store.images({ all: true }));
    if (image !== undefined) await store.remove(image.id, { force: Math.random() < 0.5 });
  },
  prune: (store) => store.prune({ all: Math.random() < 0.3 }),
  list: async (store) => {
    for (const { id } of await store.images({ all: true })) await store.inspect(id);
    await store.containers();
    await store.df();
  },
  ...(driver === "rootless"
    ? {}
    : {
        create: (store) => store.create(pick(tags), { config: { Cmd: ["x"] } }),
        commit: async (store) => {
          const container = pick(await store.containers());
          if (container !== undefined) await store.commit(container.id, { reference: "mine:1" });
        },
        size: (store) => store.containers({ size: true }),
        look: async (store) => {
          const container = pick(await store.containers());
          if (container !== undefined) await store.list(container.id, "/");
        },
        rm: async (store) => {
          const container = pick(await store.containers());
          if (container !== undefined) await store.removeContainer(container.id);
        },
      }),
};
const often = Object.keys(actions).flatMap((name) => Array(MORE[name] ?? 1).fill(name));
const counts = {};
const end = Date.now() + seconds * 1000;
while (Date.now() < end) {
  const store = await openStore({ root, driver, durability: "none" });
  for (let i = 0; i < 20 && Date.now() < end; i++) {
    const two = [pick(often), ...(Math.random() < 0.2 ? [pick(often)] : [])];
    await Promise.all(
      two.map(async (name) => {
        counts[name] ??= [0, 0];
        try {
          await actions[name](store);
          counts[name][0]++;
        } catch (error) {
          counts[name][1]++;
          if (!EXPECTED.includes(error.code)) console.log(JSON.stringify({ name, failure: error.stack, details: error.details }));
        }
      }),
    );
  }
}
console.log(JSON.stringify({ counts }));
`;

const scratch = mkdtempSync(join(tmpdir(), "varve-soak-"));
const root = join(scratch, "root");
afterAll(() => {
  for (const point of mountPointsBelow(root)) unmount(point, { lazy: true });
  removeTree(scratch);
});

test("four processes that load, save, remove and make things at random, and some that die there, leave a whole store", async () => {
  const archives = join(scratch, "archives");
  makeArchives(archives);
  const script = join(scratch, "worker.mjs");
  writeFileSync(script, WORKER);
  const library = join(dirname(varvePath()), "../index.js");
  const run = (): Worker => startWorker([script, library, root, driver, archives, `${SECONDS}`]);
  const workers = [run(), run(), run()];
  const doomed: Worker[] = [];
  for (const end = Date.now() + SECONDS * 1000; Date.now() < end; ) {
    const victim = run();
    doomed.push(victim);
    await sleep(500 + Math.random() * 1500);
    victim.child.kill("SIGKILL");
  }
  const said = await Promise.all([...workers, ...doomed].map(({ said }) => said));
  const lines = said.flatMap((text) => text.split("\n").filter(Boolean)).map((line) => JSON.parse(line));
  expect(lines.filter((line) => "failure" in line)).toEqual([]);
  for (const { counts } of lines) console.log(JSON.stringify(counts));

  await using store = await openStore({ root, driver });
  // The first writer after the dead clears away what they left.
  await store.load(join(archives, "one.tar"));
  await expectWhole(store);
  for (const { id } of await store.containers()) await store.removeContainer(id);
  await store.prune({ all: true });
  expect(readdirSync(layerdb("sha256"))).toEqual([]);
  expect(trees()).toEqual([]);
});

/** Every image saves, nothing is half-made, and nothing is there that nothing refers to. */
async function expectWhole(store: Store): Promise<void> {
  JSON.parse(readFileSync(join(root, "image", driver, "repositories.json"), "utf8"));
  const images = await store.images({ all: true });
  expect(images.length).toBeGreaterThan(0);
  for (const { id } of images) for await (const _ of store.save([id]));
  expect((await store.info()).broken).toEqual([]);
  const layers = readdirSync(layerdb("sha256"));
  const mounts = existsSync(layerdb("mounts")) ? readdirSync(layerdb("mounts")) : [];
  const used = await Promise.all(images.map(({ id }) => store.layers(id)));
  const chains = used.flatMap((stack) => stack.map(({ chainID }) => chainID.slice("sha256:".length)));
  const parents = mounts.flatMap((name) => stackBelow(join(layerdb("mounts"), name)));
  expect([...layers].sort()).toEqual([...new Set([...chains, ...parents])].sort());
  const named = [
    ...layers.map((name) => read(layerdb("sha256"), name, "cache-id")),
    ...mounts.flatMap((name) => [read(layerdb("mounts"), name, "mount-id"), read(layerdb("mounts"), name, "init-id")]),
  ];
  expect(trees().sort()).toEqual(named.sort());
  // Who died between the two leaves a container that can be seen and removed, never a layer that cannot.
  const containers = (await store.containers()).map(({ id }) => id);
  expect(mounts.filter((name) => !containers.includes(name))).toEqual([]);
  expect(readdirSync(layerdb("tmp"))).toEqual([]);
  for (const directory of ["tmp", "varve/doubts"])
    if (existsSync(join(root, directory))) expect(readdirSync(join(root, directory))).toEqual([]);
  if (driver === "overlay2") expect(readdirSync(join(root, driver, "l"))).toHaveLength(named.length);
}

/** The chains below a record, nearest first. */
function stackBelow(record: string): string[] {
  const path = join(record, "parent");
  if (!existsSync(path)) return [];
  const chain = readFileSync(path, "utf8").slice("sha256:".length);
  return [chain, ...stackBelow(join(layerdb("sha256"), chain))];
}

function layerdb(name: string): string {
  return join(root, "image", driver, "layerdb", name);
}

function read(...path: string[]): string {
  return readFileSync(join(...path), "utf8");
}

function trees(): string[] {
  return readdirSync(join(root, driver)).filter((name) => name !== "l");
}

/** Three images that share layers. */
function makeArchives(directory: string): void {
  mkdirSync(directory);
  const layer = (name: number): Buffer =>
    tarOf(Array.from({ length: 30 }, (_, i) => ({ name: `${name}/${i}`, content: `${name}`.repeat(3000) })));
  const images = { one: [0, 1, 2], two: [0, 1, 3], three: [0] };
  for (const [name, layers] of Object.entries(images))
    writeFileSync(join(directory, `${name}.tar`), dockerArchive(name, layers.map(layer)));
}

interface Worker {
  readonly child: ChildProcess;
  /** All that it printed. */
  readonly said: Promise<string>;
}

function startWorker(args: readonly string[]): Worker {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  return { child, said: text(child.stdout) };
}
