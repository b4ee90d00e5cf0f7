import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { type LargeRoot, makeLargeRoot } from "../tools/large-root.ts";
import { said, varve } from "../tools/varve.ts";

/** The index of a root, between processes: many at once, some that may not write, and a dockerd. */
const scratch = mkdtempSync(join(tmpdir(), "varve-index-"));
const IMAGES = 60;
const FORMAT = "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}";
let root: string;
let made: LargeRoot;
let roots = 0;

afterAll(() => rmSync(scratch, { recursive: true }));
beforeEach(async () => {
  chmodSync(scratch, 0o755);
  root = join(scratch, `${roots++}`);
  made = makeLargeRoot(root, { images: IMAGES, driver: "overlay2" });
  mkdirSync(join(root, "varve"), { mode: 0o700 });
  await sleep(2100); // what was changed just now is not indexed
});

const side = (): string[] => readdirSync(join(root, "varve")).sort();
const list = (): Promise<string> =>
  said(["--root", root, "--driver", "overlay2", "images", "-a", "--no-trunc", "--format", FORMAT]);

describe("processes that share an index", () => {
  test("all see the same, and leave one index and nothing else", async () => {
    const lists = await Promise.all(Array.from({ length: 6 }, list));
    expect(new Set(lists).size).toBe(1);
    expect(lists[0]!.trim().split("\n")).toHaveLength(IMAGES);
    expect(side()).toEqual(["index-overlay2"]);
    writeFileSync(join(root, "varve/index-overlay2"), readFileSync(join(root, "varve/index-overlay2")).fill(0, 5000));
    expect(await Promise.all(Array.from({ length: 6 }, list))).toEqual(lists);
    expect(side()).toEqual(["index-overlay2"]);
    expect(await list()).toBe(lists[0]);
  });

  test("see what another one changed since", async () => {
    const before = await list();
    await said(["--root", root, "tag", made.images[7]!.tag, "renamed:1"]);
    await said(["--root", root, "rmi", made.images[8]!.tag]);
    const after = await list();
    rmSync(join(root, "varve/index-overlay2"));
    expect(await list()).toBe(after);
    expect(after).not.toBe(before);
    expect(after).toContain("renamed:1");
    expect(after).not.toContain(made.images[8]!.tag);
  });
});

const rootLack = lacking("root", "mount", "umount");

describe.skipIf(rootLack)(`where no index can be written${rootLack ?? ""}`, () => {
  test("a full disk stops nothing and keeps nothing", async () => {
    const expected = await list();
    rmSync(join(root, "varve/index-overlay2"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", join(root, "varve")]);
    try {
      expect(await varve(["--root", root, "images", "-a", "--no-trunc", "--format", FORMAT])).toMatchObject({
        status: 0,
        error: "",
        output: Buffer.from(expected),
      });
      expect(side()).toEqual([]);
    } finally {
      execFileSync("umount", [join(root, "varve")]);
    }
  });

  test("a read-only file system stops nothing", async () => {
    const expected = await list();
    rmSync(join(root, "varve/index-overlay2"));
    execFileSync("mount", ["--bind", root, root]);
    try {
      execFileSync("mount", ["-o", "remount,bind,ro", root]);
      expect(await list()).toBe(expected);
      expect(side()).toEqual([]);
    } finally {
      execFileSync("umount", [root]);
    }
  });

  test("a user who may only read sees all of it", async () => {
    const expected = await list();
    for (const mode of [0o700, 0o755]) {
      chmodSync(join(root, "varve"), mode);
      const ran = await varve(["--root", root, "images", "-a", "--no-trunc", "--format", FORMAT], { user: 65534 });
      expect(ran).toMatchObject({ status: 0, error: "", output: Buffer.from(expected) });
    }
    expect(side()).toEqual(["index-overlay2"]);
  });
});

const lack = lacking("root", "dockerd", "docker");

describe.skipIf(lack)(`a root that a dockerd changes between two commands${lack ?? ""}`, () => {
  const listed = async ({ docker }: Dockerd): Promise<string> =>
    (await docker(["images", "-a", "--no-trunc", "--format", FORMAT])).toString();
  const sorted = (text: string): string[] => text.trim().split("\n").sort();

  test("looks as the dockerd says, while it runs and after", async () => {
    const before = await list();
    expect(side()).toEqual(["index-overlay2"]);
    let told: string;
    {
      await using daemon = await start({ root });
      const { docker } = daemon;
      expect(sorted(await listed(daemon))).toEqual(sorted(before));
      await docker(["rmi", made.images[3]!.tag, made.images[4]!.tag]);
      await docker(["tag", made.images[5]!.tag, "moved:1"]);
      await docker(["rmi", made.images[5]!.tag]);
      await docker(["import", "-c", "LABEL a=b", "-", "imported:1"], { input: Buffer.alloc(10240) });
      await docker(["build", "-q", "-t", "built:1", "-"], { input: "FROM imported:1\nLABEL built=yes\n" });
      told = await listed(daemon);
      expect(sorted(await list())).toEqual(sorted(told));
      rmSync(join(root, "varve/index-overlay2"));
      expect(sorted(await list())).toEqual(sorted(told));
      // The root is the daemon's now: nothing is written there.
      expect(side()).toEqual([]);
    }
    expect(sorted(await list())).toEqual(sorted(told));
    expect(existsSync(join(root, "varve/index-overlay2"))).toBe(true);
    expect(sorted(await list())).toEqual(sorted(told));
    expect(told).toContain("built:1");
    expect(told).not.toContain(made.images[3]!.tag);
  });
});
