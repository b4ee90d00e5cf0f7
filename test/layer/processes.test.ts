import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { chainIDOf } from "../../src/digest/chain-id.ts";
import { digestOf } from "../../src/digest/digest.ts";
import type { Driver } from "../../src/driver/driver.ts";
import { openDriver } from "../../src/driver/select.ts";
import { FileMetadata } from "../../src/layer/file-metadata.ts";
import { LayerStore } from "../../src/layer/store.ts";
import { FileLock } from "../../src/sys/lock.ts";
import { tarOut } from "../../src/testing/layer-bench.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { BuiltProgram } from "../driver/built-program.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");

/** Opens a store as the test does, registers the tars of a directory as one stack, says which trees it got, and waits. */
const CHILD = `
import { readFileSync, readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { openDriver } from "./dist/driver/select.js";
import { FileMetadata } from "./dist/layer/file-metadata.js";
import { LayerStore } from "./dist/layer/store.js";
import { FileLock } from "./dist/sys/lock.js";
const [root, driverName, tars, stall] = process.argv.slice(2);
const commit = async (work) => {
  const lock = await FileLock.acquire(join(root, "lock"), "exclusive");
  try {
    return await work();
  } finally {
    lock.release();
  }
};
const store = await LayerStore.open({
  driver: await openDriver(root, { name: driverName, durability: "none" }),
  metadata: new FileMetadata(join(root, "image", driverName, "layerdb"), { sync: false }),
  commit,
});
async function* stream(bytes) {
  const half = bytes.length >> 1;
  yield bytes.subarray(0, half);
  if (stall) {
    console.log("half");
    await new Promise(() => setInterval(() => {}, 1000));
  }
  yield bytes.subarray(half);
}
console.log("ready");
for await (const _ of createInterface({ input: process.stdin })) break;
const layers = [];
for (const name of readdirSync(tars).sort())
  layers.push(await store.register(stream(readFileSync(join(tars, name))), layers.at(-1)?.chainID));
console.log(JSON.stringify(layers.map(({ chainID, cacheID }) => ({ chainID, cacheID }))));
`;

describe.skipIf(lack)(`processes${lack ?? ""}`, () => {
  let program: BuiltProgram;
  beforeAll(() => {
    program = new BuiltProgram(CHILD);
  });
  afterAll(() => program[Symbol.dispose]());

  describe.each(["overlay2", "vfs", "rootless"])("that share a root with %s", (driverName) => {
    let root: string;
    let tars: string;
    let driver: Driver;
    let store: LayerStore;
    const children: ChildProcess[] = [];
    const layers = [1, 2, 3].map((i) => tarOf([{ name: `f${i}`, content: `${i}`.repeat(100_000 * i) }]));

    beforeEach(async () => {
      root = mkdtempSync(join(tmpdir(), "layer-processes-"));
      tars = mkdtempSync(join(tmpdir(), "layer-tars-"));
      for (const [i, tar] of layers.entries()) writeFileSync(join(tars, `${i}.tar`), tar);
      writeFileSync(join(root, "lock"), "");
      driver = await openDriver(root, { name: driverName, durability: "none" });
      store = await LayerStore.open({
        driver,
        metadata: new FileMetadata(join(root, "image", driverName, "layerdb"), { sync: false }),
        commit: async (work) => {
          using _lock = await FileLock.acquire(join(root, "lock"), "exclusive");
          return await work();
        },
      });
    });
    afterEach(() => {
      for (const child of children.splice(0)) child.kill("SIGKILL");
      rmSync(root, { recursive: true });
      rmSync(tars, { recursive: true });
    });

    const drafts = (): string[] => {
      const path = join(root, "image", driverName, "layerdb/tmp");
      return existsSync(path) ? readdirSync(path) : [];
    };

    test("bring the same layers at once: all succeed, and each layer has one tree", async () => {
      const group = await Promise.all([1, 2, 3].map(() => begin()));
      for (const { child } of group) child.stdin!.write("go\n");
      const results = await Promise.all(group.map(({ said }) => said()));
      for (const result of results) expect(result).toBe(results[0]);

      await store.refresh();
      const stack = JSON.parse(results[0]!) as { chainID: ReturnType<typeof digestOf>; cacheID: string }[];
      expect([...store.map().keys()].sort()).toEqual(stack.map(({ chainID }) => chainID).sort());
      expect(driver.ids().sort()).toEqual(stack.map(({ cacheID }) => cacheID).sort());
      expect(drafts()).toEqual([]);
      const top = store.get(chainIDOf(layers.map((tar) => digestOf(tar)))!);
      expect((await tarOut(top)).equals(layers[2]!)).toBe(true);
      expect(await store.cleanup()).toEqual([]);
      expect(await top.release()).toHaveLength(3);
      expect(driver.ids()).toEqual([]);
    });

    test("that are killed in the middle leave what the next one clears away, once they are dead", async () => {
      const { child, said } = await begin("stall");
      child.stdin!.write("go\n");
      expect(await said()).toBe("half");
      const [tree] = driver.ids();
      expect(drafts()).toHaveLength(1);
      expect(await store.cleanup()).toEqual([]);
      expect(driver.ids()).toEqual([tree]);

      child.kill("SIGKILL");
      await once(child, "exit");
      expect(await store.cleanup()).toMatchObject([{ trees: [tree] }]);
      expect(driver.ids()).toEqual([]);
      expect(drafts()).toEqual([]);
      await store.refresh();
      expect(store.map().size).toBe(0);
    });

    async function begin(stall = ""): Promise<{ child: ChildProcess; said: () => Promise<string> }> {
      const child = spawn(process.execPath, [program.path, root, driverName, tars, stall], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      children.push(child);
      const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
      const said = async (): Promise<string> => {
        const { value, done } = await lines.next();
        if (done) throw new Error("the child ended early");
        return value;
      };
      expect(await said()).toBe("ready");
      return { child, said };
    }
  });
});
