import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { VfsDriver } from "../../src/driver/vfs/vfs.ts";
import { IdMap } from "../../src/fstree/id-map.ts";
import { TYPE } from "../../src/tar/header.ts";
import { driverSuite } from "../../src/testing/driver-suite.ts";
import { apply } from "../../src/testing/feed-driver.ts";
import { listTree } from "../../src/testing/tree-listing.ts";
import { lacking } from "../tools/dockerd.ts";
import { lackingLoop } from "./kernel-support.ts";

const lack = lacking("root");

describe.skipIf(lack)(`vfs${lack ?? ""}`, () => {
  driverSuite({ name: "vfs", stacks: true, open: (options) => new VfsDriver(options) });

  let root: string;
  let home: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "driver-vfs-"));
    home = join(root, "vfs");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const ranges = (host: number) => [{ container: 0, host, size: 65_536 }];

  test("keeps whole trees in dir/, with Docker's modes and owners, whatever the umask", async () => {
    const idMap = new IdMap(ranges(200_000), ranges(300_000));
    const driver = new VfsDriver({ home, durability: "none", idMap });
    const umask = process.umask(0o077);
    try {
      await driver.create("a");
      await apply(driver, "a", undefined, [{ path: "f", uid: 1000, gid: 1001, content: "x" }]);
      await driver.create("b", "a");
    } finally {
      process.umask(umask);
    }
    expect(Object.fromEntries(listTree(home).map(({ path, mode, owner }) => [path, `${mode} ${owner}`]))).toEqual({
      ".": "0710 0:300000",
      dir: "0710 0:300000",
      "dir/a": "0755 200000:300000",
      "dir/a/f": "0644 201000:301001",
      "dir/b": "0755 200000:300000",
      "dir/b/f": "0644 201000:301001",
    });
  });

  test("counts what headers say, and applies to the copy of the parent", async () => {
    const driver = new VfsDriver({ home, durability: "none" });
    await driver.create("a");
    expect(await apply(driver, "a", undefined, [{ path: "f", content: "12345" }])).toBe(5);
    await driver.create("b", "a");
    const entries = [
      { path: "hard", type: TYPE.hardLink, link: "f", size: 3 },
      { path: "./", type: TYPE.directory, mode: 0o700 },
    ];
    expect(await apply(driver, "b", "a", entries)).toBe(3);
    expect(readFileSync(join(home, "dir/b/hard"), "utf8")).toBe("12345");
    expect(lstatSync(join(home, "dir/b")).mode & 0o777).toBe(0o700);
    expect(lstatSync(join(home, "dir/a/f")).nlink).toBe(1);
  });
});

const btrfsLack = lackingLoop("mkfs.btrfs");

describe.skipIf(btrfsLack)(`vfs on btrfs${btrfsLack ?? ""}`, () => {
  const temporary = process.env.TMPDIR;
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), "driver-btrfs-"));
    const image = join(scratch, "image");
    writeFileSync(image, "");
    truncateSync(image, 256 << 20);
    execFileSync("mkfs.btrfs", ["-q", image], { env: { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` } });
    mkdirSync(join(scratch, "mounted"));
    execFileSync("mount", ["-o", "loop", image, join(scratch, "mounted")]);
    process.env.TMPDIR = join(scratch, "mounted");
  });
  afterAll(() => {
    if (temporary === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = temporary;
    execFileSync("umount", [join(scratch, "mounted")]);
    rmSync(scratch, { recursive: true });
  });

  driverSuite({ name: "vfs", stacks: true, open: (options) => new VfsDriver(options) });
});
