import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import type { Driver } from "./driver.ts";
import { openDriver } from "./select.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "driver-select-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const open = (name?: string): Promise<Driver> => openDriver(root, { name, durability: "none" });

function leaveTree(driver: string): void {
  mkdirSync(join(root, driver, "a-tree"), { recursive: true });
}

describe("choosing a driver", () => {
  test.each(["overlay2", "rootless"])("takes %s where it has left trees", async (name) => {
    leaveTree(name);
    leaveTree("vfs");
    const driver = await open();
    expect([driver.name, driver.home]).toEqual([name, join(root, name)]);
  });

  test("does not count a directory that is empty or no directory", async () => {
    leaveTree("overlay2");
    mkdirSync(join(root, "btrfs"));
    writeFileSync(join(root, "zfs"), "");
    expect((await open()).name).toBe("overlay2");
  });

  test("refuses to guess between two, in Docker's words, unless one is named", async () => {
    leaveTree("overlay2");
    leaveTree("rootless");
    leaveTree("btrfs");
    await expect(open()).rejects.toThrow(
      `${root} contains several valid graphdrivers: btrfs, overlay2, rootless; Please cleanup or explicitly choose storage driver (-s <DRIVER>)`,
    );
    expect((await open("rootless")).name).toBe("rootless");
  });

  test("refuses a driver that Varve has not, whether named or found", async () => {
    await expect(open("toString")).rejects.toThrow("driver not supported: toString");
    leaveTree("fuse-overlayfs");
    await expect(open()).rejects.toSatisfy((error) => isVarveError(error, "unsupported"));
  });

  test("leaves a fresh root as it was, also one that does not exist", async () => {
    const fresh = join(root, "not", "yet");
    const driver = await openDriver(fresh, { durability: "layer" });
    expect(driver.home).toBe(join(fresh, driver.name));
    expect(driver.ids()).toEqual([]);
    expect(driver.exists("x")).toBe(false);
    expect(driver.status()).toBeInstanceOf(Array);
    expect(existsSync(join(root, "not"))).toBe(false);
    expect(readdirSync(root)).toEqual([]);
  });
});
