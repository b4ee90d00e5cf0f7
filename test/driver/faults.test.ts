import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Driver, DriverOptions } from "../../src/driver/driver.ts";
import { Overlay2Driver } from "../../src/driver/overlay2/overlay2.ts";
import { RootlessDriver } from "../../src/driver/rootless/rootless.ts";
import { VfsDriver } from "../../src/driver/vfs/vfs.ts";
import { isVarveError } from "../../src/errors.ts";
import { mount, unmount } from "../../src/sys/mount.ts";
import { TYPE } from "../../src/tar/header.ts";
import { apply } from "../../src/testing/feed-driver.ts";
import { listTree } from "../../src/testing/tree-listing.ts";
import { lackingOverlay } from "./kernel-support.ts";

const lack = lackingOverlay();
const MS_RDONLY = 1;
const MS_REMOUNT = 32;
const MS_BIND = 4096;

const drivers: [string, (options: DriverOptions) => Driver][] = [
  ["overlay2", (options) => new Overlay2Driver(options)],
  ["vfs", (options) => new VfsDriver(options)],
  ["rootless", (options) => new RootlessDriver(options)],
];

describe.skipIf(lack)(`a file system that fails${lack ?? ""}`, () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "driver-faults-"));
    mount({ source: "tmpfs", target: root, type: "tmpfs", data: "size=4m" });
  });
  afterEach(() => {
    unmount(root, { lazy: true });
    rmSync(root, { recursive: true });
  });

  /** Leaves room for so many new objects and no more. */
  function allowInodes(count: number): void {
    const { files, ffree } = statfsSync(root);
    const limit = `nr_inodes=${files - ffree + count}`;
    mount({ source: "tmpfs", target: root, type: "tmpfs", flags: MS_REMOUNT, data: limit });
  }

  async function homeWithBase(open: (options: DriverOptions) => Driver, name: string): Promise<Driver> {
    const driver = open({ home: join(root, name), durability: "layer" });
    await driver.create("base");
    await apply(driver, "base", undefined, [
      { path: "d/", type: TYPE.directory },
      { path: "d/f", content: "x" },
      { path: "s", type: TYPE.symlink, link: "d" },
    ]);
    return driver;
  }

  test.each(drivers)("at any object that %s makes for a tree, leaves the home as it was", async (name, open) => {
    const driver = await homeWithBase(open, name);
    const before = withoutTimes(root);
    let failures = 0;
    for (; ; failures++) {
      allowInodes(failures);
      const error = await driver.create("child", "base").catch((reason) => reason);
      if (error === undefined) break;
      expect(isVarveError(error, "no-space"), String(error)).toBe(true);
      expect(withoutTimes(root)).toEqual(before);
    }
    const made = statfsSync(root);
    expect(failures).toBeGreaterThanOrEqual(3);
    expect(made.ffree).toBe(0);
    await driver.remove("child");
  });

  test.each(drivers)("while %s makes its home, leaves nothing that a later create trips over", async (name, open) => {
    const driver = open({ home: join(root, name), durability: "layer" });
    for (let room = 0; ; room++) {
      allowInodes(room);
      const error = await driver.create("a").catch((reason) => reason);
      if (error === undefined) break;
      expect(isVarveError(error, "no-space"), String(error)).toBe(true);
      expect(driver.ids()).toEqual([]);
    }
    expect(driver.ids()).toEqual(["a"]);
  });

  test.each(drivers)("that is full stops a layer of %s, which can be removed then", async (name, open) => {
    const driver = await homeWithBase(open, name);
    const before = withoutTimes(root);
    await driver.create("big");
    const entries = [{ path: "big", content: "x".repeat(8 << 20) }];
    await expect(apply(driver, "big", undefined, entries)).rejects.toSatisfy((error) =>
      isVarveError(error, "no-space"),
    );
    await driver.remove("big");
    expect(withoutTimes(root)).toEqual(before);
  });

  test.each(drivers)("that is read-only lets %s be read and nothing else", async (name, open) => {
    const driver = await homeWithBase(open, name);
    mount({ source: "tmpfs", target: root, type: "tmpfs", flags: MS_REMOUNT | MS_RDONLY, data: "" });
    const before = withoutTimes(root);
    for (const call of [driver.create("child", "base"), driver.remove("base")])
      await expect(call).rejects.toSatisfy((error) => isVarveError(error, "permission"));
    expect(await driver.diffSize("base")).toBeGreaterThan(0);
    expect(readFileSync(join(await driver.get("base"), "d/f"), "utf8")).toBe("x");
    expect(driver.ids()).toEqual(["base"]);
    expect(withoutTimes(root)).toEqual(before);
  });

  test("at a mount leaves neither the mount point nor a lease", async () => {
    const driver = await homeWithBase((options) => new Overlay2Driver(options), "overlay2");
    await driver.createReadWrite("rw", "base");
    await driver.get("rw");
    await driver.put("rw");
    const before = withoutTimes(root);
    // The upper directory of a mount must be writable.
    const diff = join(root, "overlay2", "rw", "diff");
    mount({ source: diff, target: diff, type: "none", flags: MS_BIND, data: "" });
    mount({ source: diff, target: diff, type: "none", flags: MS_BIND | MS_REMOUNT | MS_RDONLY, data: "" });
    await expect(driver.get("rw")).rejects.toThrow();
    unmount(diff);
    expect(withoutTimes(root)).toEqual(before);
    mkdirSync(join(await driver.get("rw"), "works"));
    await driver.put("rw");
  });
});

function withoutTimes(directory: string): unknown {
  return listTree(directory).map(({ mtime, ...record }) => record);
}
