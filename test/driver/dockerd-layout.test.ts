import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Driver } from "../../src/driver/driver.ts";
import { openDriver } from "../../src/driver/select.ts";
import { fileSource } from "../../src/io/byte-source.ts";
import { toText } from "../../src/sys/byte-string.ts";
import { applyTar } from "../../src/testing/feed-driver.ts";
import { compareTrees, listTree, type TreeRecord } from "../../src/testing/tree-listing.ts";
import { busyboxTar, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

describe.skipIf(lack).each(["overlay2", "vfs"])(`%s beside dockerd${lack ?? ""}`, (name) => {
  let scratch: string;
  let theirs: string;
  let ours: string;
  /** Bottom first. */
  let cacheIDs: string[];
  let mountID: string;
  let dockerDiff: string[];
  let dockerStatus: [string, string][] | null;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "driver-dockerd-"));
    theirs = join(scratch, "theirs");
    ours = join(scratch, "ours");
    const archive = await fillWithDockerd();
    await repeatWithVarve(archive);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test("every layer has the same files, modes, owners, times and attributes", () => {
    for (const id of cacheIDs) {
      const expected = listTree(treeOf(theirs, id));
      // A whiteout is as old as its unpacking, and so is the directory that everything was made in.
      const whiteouts = expected.filter(({ device }) => device === "0:0").map(({ path }) => `${path}:mtime`);
      expect(compareTrees(expected, listTree(treeOf(ours, id)), [".:mtime", ...whiteouts])).toEqual([]);
    }
  });

  test("the home has the same directories and files around the layers", () => {
    expect(furniture(theirs)).toEqual(furniture(ours));
  });

  const testStacks = name === "overlay2" ? test : () => {}; // vfs has whole trees
  testStacks("links and lowers lead to the same trees", () => {
    const linked = (root: string): unknown => {
      const read = (id: string, file: string): string => readFileSync(join(root, name, id, file), "utf8");
      const ids = [...cacheIDs, `${mountID}-init`, mountID];
      const idOf = new Map(ids.map((id) => [`l/${read(id, "link")}`, id]));
      return ids.slice(1).map((id) =>
        read(id, "lower")
          .split(":")
          .map((link) => idOf.get(link)),
      );
    };
    expect(linked(ours)).toEqual(linked(theirs));
  });

  test("Varve finds dockerd's root to be one of this driver, and the container's changes as dockerd does", async () => {
    const driver = await openDriver(theirs, { name: name === "vfs" ? name : undefined, durability: "none" });
    expect(driver.name).toBe(name);
    expect(driver.ids().sort()).toEqual([...cacheIDs, mountID, `${mountID}-init`].sort());
    const letters: Readonly<Record<string, string>> = { modified: "C", added: "A", deleted: "D" };
    const changes = await driver.changes(mountID, `${mountID}-init`);
    expect(changes.map(({ kind, path }) => `${letters[kind]} ${toText(path)}`).sort()).toEqual(dockerDiff);
    expect(driver.status()).toEqual(dockerStatus ?? []);
  });

  async function fillWithDockerd(): Promise<string> {
    await using daemon = await start({ root: theirs, driver: name });
    const commit = async (image: string, script: string, from: string): Promise<void> => {
      const run = ["run", "--name", "step", "--network", "none", from, "/bin/sh", "-c", script];
      await daemon.docker(run);
      await daemon.docker(["commit", "step", image]);
      await daemon.docker(["rm", "step"]);
    };
    await daemon.docker(["import", "-", "one"], { input: busyboxTar() });
    await commit("two", CHANGES, "one");
    await commit("three", DELETIONS, "two");
    await daemon.docker([
      "run",
      "--name",
      "changed",
      "--network",
      "none",
      "three",
      "/bin/sh",
      "-c",
      "touch /new; rm /bin/wc",
    ]);
    dockerDiff = (await daemon.docker(["diff", "changed"])).toString().trim().split("\n").sort();
    dockerStatus = JSON.parse((await daemon.docker(["info", "--format", "{{json .DriverStatus}}"])).toString());
    const archive = join(scratch, "three.tar");
    await daemon.docker(["save", "-o", archive, "three"]);
    return archive;
  }

  async function repeatWithVarve(archive: string): Promise<void> {
    const layerdb = join(theirs, "image", name, "layerdb");
    const records = readdirSync(join(layerdb, "sha256")).map((chain) => {
      const read = (file: string): string => readFileSync(join(layerdb, "sha256", chain, file), "utf8");
      const parent = readdirSync(join(layerdb, "sha256", chain)).includes("parent") ? read("parent") : undefined;
      return { chain: `sha256:${chain}`, cacheID: read("cache-id"), parent };
    });
    cacheIDs = [];
    for (let next = records.find(({ parent }) => parent === undefined); next !== undefined; ) {
      cacheIDs.push(next.cacheID);
      const { chain } = next;
      next = records.find(({ parent }) => parent === chain);
    }
    const [container = ""] = readdirSync(join(layerdb, "mounts"));
    mountID = readFileSync(join(layerdb, "mounts", container, "mount-id"), "utf8");

    const members = join(scratch, "members");
    mkdirSync(members);
    execFileSync("tar", ["-xf", archive, "-C", members]);
    const [{ Layers: layers }] = JSON.parse(readFileSync(join(members, "manifest.json"), "utf8"));
    const driver = await openDriver(ours, { name, durability: "layer" });
    for (const [index, id] of cacheIDs.entries()) {
      await driver.create(id, cacheIDs[index - 1]);
      await applyTar(driver, id, cacheIDs[index - 1], fileSource(join(members, layers[index])));
    }
    await writable(driver, `${mountID}-init`, cacheIDs.at(-1)!);
    await writable(driver, mountID, `${mountID}-init`);
  }

  async function writable(driver: Driver, id: string, parent: string): Promise<void> {
    await driver.createReadWrite(id, parent);
    await driver.get(id);
    await driver.put(id);
  }

  function treeOf(root: string, id: string): string {
    return name === "overlay2" ? join(root, name, id, "diff") : join(root, name, "dir", id);
  }

  /** The home without the content of the trees, which other tests look at, and without the quota probe's node. */
  function furniture(root: string): unknown {
    const inTree = name === "overlay2" ? /^[^/]+\/diff\// : /^dir\/[^/]+\//;
    const links = new Map<string, string>();
    const plain = ({ path, kind, mode, owner, size, target }: TreeRecord): unknown => {
      if (path.startsWith("l/")) links.set(path, target!);
      return [links.get(path) ?? path, kind, mode, owner, size];
    };
    return listTree(join(root, name))
      .filter(({ path }) => !inTree.test(path) && path !== "backingFsBlockDev")
      .map(plain)
      .sort();
  }
});

const CHANGES = `
  mkdir -p /etc/x /deep/er; echo hi > /etc/x/f; ln /etc/x/f /etc/x/hard; ln -s f /etc/x/soft; chown 5:6 /etc/x/f;
  chmod 4711 /etc/x/hard; chown -h 7:8 /etc/x/soft; rm /bin/vi; chmod 1777 /tmp; mkfifo /p; echo y > /deep/er/f`;

const DELETIONS = "rm -r /etc/x; mkdir /etc/x; echo z > /etc/x/z; rm -r /deep; touch -d 1999-12-31 /etc/x/z";
