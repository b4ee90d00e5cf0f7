import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore, type Store } from "../../src/engine/store.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");

describe.skipIf(lack)(`what is mounted to copy into a container${lack ?? ""}`, () => {
  let scratch: string;
  let root: string;
  let store: Store;
  beforeEach(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-mounts-"));
    root = join(scratch, "root");
    mkdirSync(join(scratch, "bound/sub"), { recursive: true });
    store = await openStore({ root, driver: "overlay2" });
    await store.import(one(tarOf([{ name: "to/" }])), { reference: "base:1" });
  });
  afterEach(async () => {
    await store.close();
    for (const point of mounts(scratch).reverse()) execFileSync("umount", ["-l", point]);
    rmSync(scratch, { recursive: true, force: true });
  });

  async function* one(bytes: Buffer): AsyncIterable<Uint8Array> {
    yield bytes;
  }

  function mounts(below: string): string[] {
    return readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[1] ?? "")
      .filter((point) => point.startsWith(`${below}/`));
  }

  async function make(name: string): Promise<void> {
    const config = { Cmd: ["x"], Volumes: { "/own": {} } };
    await store.create("base:1", {
      name,
      config,
      hostConfig: { Binds: [`${scratch}/bound:/bound`, "data:/own/data"] },
    });
  }

  /** A command that is in the midst of copying, and dies. */
  async function dieCopying(name: string): Promise<void> {
    const command = [process.argv[0]!, [join(import.meta.dirname, "../../dist/cli/main.js")]] as const;
    const child = spawn(command[0], [...command[1], "--root", root, "cp", "-", `${name}:/own`], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.stdin.on("error", () => {});
    child.stdin.write(tarOf([{ name: "file", content: "x".repeat(5000) }]).subarray(0, 2000));
    while (mounts(join(root, "varve")).length < 4) await sleep(20);
    child.kill("SIGKILL");
    await once(child, "close");
    expect(mounts(join(root, "varve")).length).toBe(4);
  }

  test("and is left by a process that was killed goes with the next copy", async () => {
    await make("box");
    await dieCopying("box");
    await store.copyIn("box", "/own/data", one(tarOf([{ name: "in", content: "x" }])));
    expect(readdirSync(join(root, "volumes/data/_data"))).toEqual(["in"]);
    expect(mounts(join(root, "varve"))).toEqual([]);
    expect(readdirSync(join(root, "varve/copying"))).toEqual([]);
  });

  test("and is left by a process that was killed does not keep an unmounted container from being deleted", async () => {
    await make("box");
    await dieCopying("box");
    await store.unmount("box"); // its own mount is left too, and may be somebody else's
    await store.removeContainer("box", { volumes: true });
    expect(readdirSync(join(root, "volumes"))).toEqual(["data"]);
    expect(mounts(root)).toEqual([]);
    expect(readdirSync(join(root, "varve/copying"))).toEqual([]);
  });

  test("does not take with it what is mounted below a bind, also where that is shared", async () => {
    const shared = join(scratch, "bound");
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", shared]);
    execFileSync("mount", ["--make-shared", shared]);
    mkdirSync(join(shared, "sub"));
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", join(shared, "sub")]);
    writeFileSync(join(shared, "sub/file"), "");
    await make("box");
    await store.copyIn("box", "/bound/sub", one(tarOf([{ name: "in", content: "x" }])));
    expect(readdirSync(join(shared, "sub"))).toEqual(["file", "in"]);
    expect(mounts(scratch)).toEqual([shared, join(shared, "sub")]);
  });
});
