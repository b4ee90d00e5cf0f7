import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileLock } from "../sys/lock.ts";
import { defaultRoot, driversWithImages, locateDataRoot, makeDataRoot, refuseUnreadable } from "./data-root.ts";
import { databaseOfRunningDockerd, refuseRunningDockerd } from "./dockerd.ts";

let scratch: string;
beforeEach(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), "varve-data-root-")));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

describe("a data-root", () => {
  test("lies where the environment says, else where its user has such things", () => {
    expect(defaultRoot({ VARVE_ROOT: "/some/../root" })).toBe("/root");
    if (process.getuid?.() === 0) expect(defaultRoot({})).toBe("/var/lib/docker");
    else expect(defaultRoot({ XDG_DATA_HOME: "/data" })).toBe("/data/varve");
  });

  test("is known by its path without links, also before it is there", () => {
    mkdirSync(join(scratch, "real"));
    symlinkSync("real", join(scratch, "link"));
    expect(locateDataRoot(join(scratch, "link"), undefined).path).toBe(join(scratch, "real"));
    expect(locateDataRoot(join(scratch, "link/not/yet"), undefined).path).toBe(join(scratch, "real/not/yet"));
  });

  test("is neither nothing, as of a variable that is not set, nor a file", () => {
    expect(() => locateDataRoot("", undefined)).toThrow("the data-root's path is empty");
    writeFileSync(join(scratch, "file"), "");
    const file = locateDataRoot(join(scratch, "file"), undefined);
    expect(() => refuseUnreadable(file)).toThrow(`${file.path} is no data-root: not a directory`);
  });

  test("is made passable for its group, whatever the umask", () => {
    const before = process.umask(0o077);
    try {
      makeDataRoot(locateDataRoot(join(scratch, "a/b"), undefined));
    } finally {
      process.umask(before);
    }
    expect(statSync(join(scratch, "a/b")).mode & 0o777).toBe(0o710);
    expect(statSync(join(scratch, "a/b/varve")).mode & 0o777).toBe(0o700);
  });

  test("of a user or group that is not there is refused", () => {
    expect(() => locateDataRoot(scratch, "no such user")).toThrow('there is no "no such user" in /etc/passwd');
    expect(() => locateDataRoot(scratch, "root:no such group")).toThrow('there is no "no such group" in /etc/group');
  });

  test("has images under the drivers that have configs there", () => {
    expect(driversWithImages(scratch)).toEqual([]);
    for (const driver of ["vfs", "overlay2"])
      mkdirSync(join(scratch, "image", driver, "imagedb/content/sha256"), { recursive: true });
    writeFileSync(join(scratch, "image/vfs/imagedb/content/sha256", "a".repeat(64)), "{}");
    expect(driversWithImages(scratch)).toEqual(["vfs"]);
  });
});

describe("a running dockerd", () => {
  test.each(["volumes/metadata.db", "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db"])(
    "is known by its lock on %s",
    async (name) => {
      const database = join(scratch, name);
      expect(databaseOfRunningDockerd(scratch)).toBeUndefined();
      mkdirSync(dirname(database), { recursive: true });
      writeFileSync(database, "");
      expect(databaseOfRunningDockerd(scratch)).toBeUndefined();
      {
        using _lock = await FileLock.acquire(database, "exclusive");
        expect(databaseOfRunningDockerd(scratch)).toBe(database);
        expect(() => refuseRunningDockerd(scratch)).toThrow("a dockerd is running on");
      }
      refuseRunningDockerd(scratch);
    },
  );
});
