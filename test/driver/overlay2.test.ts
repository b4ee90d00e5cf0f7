import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mountFlags } from "../../src/driver/overlay2/kernel.ts";
import { Overlay2Driver } from "../../src/driver/overlay2/overlay2.ts";
import { isVarveError } from "../../src/errors.ts";
import { IdMap } from "../../src/fstree/id-map.ts";
import { type ByteString, fromText } from "../../src/sys/byte-string.ts";
import { CURRENT_DIRECTORY } from "../../src/sys/libc.ts";
import { mount, unmount } from "../../src/sys/mount.ts";
import { getXattrAt } from "../../src/sys/xattr.ts";
import { TYPE } from "../../src/tar/header.ts";
import { driverSuite } from "../../src/testing/driver-suite.ts";
import { apply, applyTar } from "../../src/testing/feed-driver.ts";
import { listTree } from "../../src/testing/tree-listing.ts";
import { lackingOverlay } from "./kernel-support.ts";

const lack = lackingOverlay();

describe.skipIf(lack)(`overlay2${lack ?? ""}`, () => {
  driverSuite({ name: "overlay2", stacks: true, open: (options) => new Overlay2Driver(options) });

  let root: string;
  let home: string;
  let driver: Overlay2Driver;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "driver-overlay2-"));
    home = join(root, "overlay2");
    driver = new Overlay2Driver({ home, durability: "none" });
  });
  afterEach(async () => {
    await driver.cleanup();
    rmSync(root, { recursive: true });
  });

  const text = (...names: string[]): string => readFileSync(join(home, ...names), "utf8");

  describe("layout", () => {
    test("has Docker's modes and owners, whatever the umask", async () => {
      const umask = process.umask(0o077);
      try {
        await driver.create("base");
        await driver.create("child", "base");
      } finally {
        process.umask(umask);
      }
      expect(modes(home)).toEqual({
        ".": "directory 0710 0:0",
        base: "directory 0710 0:0",
        "base/committed": "file 0600 0:0",
        "base/diff": "directory 0755 0:0",
        "base/link": "file 0644 0:0",
        child: "directory 0710 0:0",
        "child/diff": "directory 0755 0:0",
        "child/link": "file 0644 0:0",
        "child/lower": "file 0644 0:0",
        "child/work": "directory 0700 0:0",
        l: "directory 0700 0:0",
        [`l/${text("base", "link")}`]: "symlink 0777 0:0",
        [`l/${text("child", "link")}`]: "symlink 0777 0:0",
      });
    });

    test("gives what containers own to the mapped root and the rest to root", async () => {
      const ranges = (host: number) => [{ container: 0, host, size: 65_536 }];
      const idMap = new IdMap(ranges(200_000), ranges(300_000));
      driver = new Overlay2Driver({ home, durability: "none", idMap });
      await driver.create("base");
      await driver.createReadWrite("rw", "base");
      await apply(driver, "base", undefined, [
        { path: "mine", uid: 1000, gid: 1001 },
        { path: "implied/f" },
        { path: ".wh.x" },
      ]);
      const merged = await driver.get("rw");
      writeFileSync(join(merged, "new"), "");
      expect(modes(home)).toMatchObject({
        ".": "directory 0710 0:300000",
        base: "directory 0710 0:300000",
        "base/diff": "directory 0755 200000:300000",
        "base/diff/mine": "file 0644 201000:301001",
        "base/diff/implied": "directory 0755 200000:300000",
        "base/diff/x": "char 0000 200000:300000",
        "base/link": "file 0644 0:0",
        "base/committed": "file 0600 0:0",
        l: "directory 0700 0:0",
        "rw/lower": "file 0644 0:0",
        "rw/work": "directory 0700 200000:300000",
        "rw/work/work": "directory 0000 200000:300000",
        "rw/merged": "directory 0755 200000:300000",
      });
      await driver.put("rw");

      await driver.create("copy");
      await applyTar(driver, "copy", undefined, await driver.diff("base"));
      const ownerOf = (path: string): unknown => modes(join(home, "copy", "diff"))[path];
      expect(ownerOf("mine")).toBe("file 0644 201000:301001");
      expect(ownerOf("x")).toBe("char 0000 200000:300000");
    });

    test("links trees both ways and copies the parent's lowers", async () => {
      await driver.create("a");
      await driver.create("b", "a");
      await driver.create("c", "b");
      const [a, b, c] = ["a", "b", "c"].map((id) => text(id, "link"));
      for (const link of [a, b, c]) expect(link).toMatch(/^[A-Z2-7]{26}$/);
      expect(readlinkSync(join(home, "l", c!))).toBe("../c/diff");
      expect(text("c", "lower")).toBe(`l/${b}:l/${a}`);
      expect(["a", "b", "c"].map((id) => existsSync(join(home, id, "committed")))).toEqual([true, true, false]);
      expect(await driver.metadata("c")).toEqual({
        LowerDir: `${join(home, "b", "diff")}:${join(home, "a", "diff")}`,
        MergedDir: join(home, "c", "merged"),
        UpperDir: join(home, "c", "diff"),
        WorkDir: join(home, "c", "work"),
      });
      expect(Object.keys(await driver.metadata("a"))).not.toContain("LowerDir");
    });

    test("overlooks what Docker's drivers leave when they try the file system out", async () => {
      await driver.create("a");
      mkdirSync(join(home, "check-overlayfs-support123"));
      writeFileSync(join(home, "backingFsBlockDev"), "");
      expect(driver.ids()).toEqual(["a"]);
      expect(driver.exists("l")).toBe(false);
      for (const call of [driver.create("l"), driver.remove("l")])
        await expect(call).rejects.toSatisfy((error) => isVarveError(error, "invalid-argument"));
      expect(readdirSync(join(home, "l"))).toHaveLength(1);
    });

    test("stacks 129 trees, as Docker, and no more", async () => {
      const ids = Array.from({ length: 130 }, (_, index) => `tree${index}`);
      for (const [index, id] of ids.slice(0, 129).entries()) await driver.create(id, ids[index - 1]);
      await expect(driver.create("tree129", "tree128")).rejects.toThrow("max depth exceeded");
      expect(driver.exists("tree129")).toBe(false);
    });
  });

  describe("mounts", () => {
    const optionsOf = (path: string): string =>
      readFileSync("/proc/self/mounts", "utf8")
        .split("\n")
        .find((line) => line.split(" ")[1] === path)
        ?.split(" ")[3] ?? "not mounted";

    test("are read-only once a tree has children, also with the children of an old Docker", async () => {
      await driver.create("a");
      await driver.create("b", "a");
      const link = (id: string): string => join(home, "l", text(id, "link"));
      expect(optionsOf(await driver.get("b"))).toContain(
        `lowerdir=${link("a")},upperdir=${home}/b/diff,workdir=${home}/b/work`,
      );
      await driver.put("b");
      await driver.create("c", "b");
      rmSync(join(home, "b", "committed"));
      expect(optionsOf(await driver.get("b"))).toContain(`lowerdir=${home}/b/diff:${link("a")}`);
      await driver.put("b");
    });

    test("are read-only for who only wants to look", async () => {
      await driver.create("a");
      await driver.create("b", "a");
      const path = await driver.get("b", { readOnly: true });
      expect(() => writeFileSync(join(path, "f"), "")).toThrow("EROFS");
      await driver.put("b");
      writeFileSync(join(await driver.get("b"), "f"), "");
      await driver.put("b");
    });

    test("are on merged, which is there no longer than they are", async () => {
      await driver.create("a");
      await driver.createReadWrite("b", "a");
      const path = await driver.get("b");
      expect(path).toBe(join(home, "b", "merged"));
      expect(mountFlags(home)).toEqual(existsSync("/sys/module/overlay/parameters/index") ? ["index=off"] : []);
      await driver.put("b");
      expect(existsSync(path)).toBe(false);
    });

    test("show 102 layers through relative options, and can compare them", async () => {
      for (let index = 0; index <= 100; index++) {
        await driver.create(`tree${index}`, index === 0 ? undefined : `tree${index - 1}`);
        await apply(driver, `tree${index}`, index === 0 ? undefined : `tree${index - 1}`, [{ path: `file${index}` }]);
      }
      await driver.createReadWrite("top", "tree100");
      const path = await driver.get("top");
      expect(readdirSync(path)).toHaveLength(101);
      expect(optionsOf(path)).toContain(`,upperdir=top/diff,workdir=top/work`);
      writeFileSync(join(path, "own"), "");
      await driver.put("top");
      expect(await driver.changes("top", "tree100")).toEqual([{ kind: "added", path: "/own" }]);
    });

    test("work where the path of the root would break the options", async () => {
      const odd = new Overlay2Driver({ home: join(root, "a:b,c", "overlay2"), durability: "none" });
      await odd.create("a");
      await odd.createReadWrite("b", "a");
      const path = await odd.get("b");
      writeFileSync(join(path, "f"), "");
      await odd.put("b");
      expect(await odd.changes("b", "a")).toEqual([{ kind: "added", path: "/f" }]);
    });

    test("that a killed process left are one reference, taken down by put, remove or cleanup", async () => {
      await driver.create("a");
      const later = new Overlay2Driver({ home, durability: "none" });
      for (const end of [() => later.put("b"), () => later.remove("b"), () => later.cleanup()]) {
        await driver.createReadWrite("b", "a");
        const path = join(home, "b", "merged");
        mkdirSync(path);
        const data = `lowerdir=${home}/a/diff,upperdir=${home}/b/diff,workdir=${home}/b/work`;
        mount({ source: "overlay", target: path, type: "overlay", data });
        expect(await later.get("b")).toBe(path);
        await later.put("b");
        expect(optionsOf(path)).toContain("upperdir=");
        await end();
        expect(optionsOf(path)).toBe("not mounted");
        await later.remove("b");
      }
    });

    test("keep a tree from being removed", async () => {
      await driver.create("a");
      await driver.createReadWrite("b", "a");
      const other = new Overlay2Driver({ home, durability: "none" });
      await other.get("b");
      for (const each of [driver, other])
        await expect(each.remove("b")).rejects.toSatisfy((error) => isVarveError(error, "in-use"));
      await other.put("b");
      await driver.remove("b");
      expect(driver.exists("b")).toBe(false);
    });

    test("inside a tree are taken down before it is removed, and their content stays", async () => {
      await driver.create("a");
      const kept = join(root, "kept");
      mkdirSync(kept);
      writeFileSync(join(kept, "f"), "");
      mkdirSync(join(home, "a", "diff", "in"));
      mount({ source: kept, target: join(home, "a", "diff", "in"), type: "none", flags: 4096, data: "" });
      await driver.remove("a");
      expect(readdirSync(kept)).toEqual(["f"]);
    });

    test("for comparing are nobody else's business", async () => {
      await driver.create("a");
      await driver.createReadWrite("b", "a");
      const before = readFileSync("/proc/self/mounts", "utf8");
      for await (const _ of await driver.diff("b", undefined)) {
        expect(readFileSync("/proc/self/mounts", "utf8")).toBe(before);
        expect(existsSync(join(home, "b", "merged"))).toBe(false);
      }
      expect(readFileSync("/proc/self/mounts", "utf8")).toBe(before);
    });
  });

  describe("a layer that is not applied to its own parent", () => {
    beforeEach(async () => {
      await driver.create("base");
      await apply(driver, "base", undefined, [
        { path: "tmp/", type: TYPE.directory },
        { path: "link", type: TYPE.symlink, link: "/tmp" },
        { path: "old", content: "old" },
      ]);
      await driver.create("child", "base");
    });

    test("goes through the mounted stack, and is sized by its headers", async () => {
      const size = await apply(driver, "child", undefined, [
        { path: "hard", type: TYPE.hardLink, link: "old", size: 7 },
        { path: "link/f", content: "followed" },
        { path: ".wh.old" },
      ]);
      expect(size).toBe(15);
      expect(existsSync(join(home, "child", "merged"))).toBe(false);
      expect(lstatSync(join(home, "child", "diff", "tmp", "f")).size).toBe(8);
      expect(lstatSync(join(home, "child", "diff", "old")).isCharacterDevice()).toBe(true);
      expect(lstatSync(join(home, "child", "diff", "hard")).size).toBe(3);
    });

    test("finds its files again where links of the layers below led them", async () => {
      await apply(driver, "child", undefined, [{ path: "link/f", content: "followed" }]);
      const content = await driver.content("child");
      const fd = content.open(fromText("link/f"));
      expect(readFileSync(fd, "utf8")).toBe("followed");
      closeSync(fd);
      expect(() => content.open(fromText("link/missing"))).toThrow("no such file");
      content.close();
    });

    test("leaves no mount when only its end shows that it could not be rebuilt", async () => {
      const turned = [
        { path: "link/f", content: "followed" },
        { path: "link", type: TYPE.symlink, link: "/" },
      ];
      await expect(apply(driver, "child", undefined, turned)).rejects.toSatisfy((error) =>
        isVarveError(error, "invalid-archive"),
      );
      expect(existsSync(join(home, "child", "merged"))).toBe(false);
    });

    test("leaves no mount when it fails", async () => {
      await expect(apply(driver, "child", undefined, [{ path: "odd", type: "V" }])).rejects.toThrow("unhandled");
      expect(existsSync(join(home, "child", "merged"))).toBe(false);
      await driver.remove("child");
    });
  });

  describe("what another kernel setting left", () => {
    async function changed(options: string, change: (merged: string) => void): Promise<void> {
      await driver.create("base");
      await apply(driver, "base", undefined, [{ path: "dir/file", content: "content", mode: 0o600 }]);
      await driver.createReadWrite("rw", "base");
      const merged = join(home, "rw", "merged");
      mkdirSync(merged);
      const data = `${options},lowerdir=${home}/base/diff,upperdir=${home}/rw/diff,workdir=${home}/rw/work`;
      mount({ source: "overlay", target: merged, type: "overlay", data });
      try {
        change(merged);
      } finally {
        unmount(merged);
        rmSync(merged, { recursive: true });
      }
    }

    test("a directory renamed by redirection keeps its content in a diff", async () => {
      await changed("redirect_dir=on", (merged) => renameSync(join(merged, "dir"), join(merged, "moved")));
      expect(xattr(join(home, "rw", "diff", "moved"), "trusted.overlay.redirect")).toBe("dir");
      expect(await driver.diffSize("rw", "base")).toBe(7);
      await driver.create("copy", "base");
      await applyTar(driver, "copy", "base", await driver.diff("rw", "base"));
      expect(text("copy", "diff", "moved", "file")).toBe("content");
    });

    test("a file of which only the metadata was copied up keeps its content in a diff", async () => {
      await changed("metacopy=on", (merged) => chmodSync(join(merged, "dir", "file"), 0o644));
      expect(xattr(join(home, "rw", "diff", "dir", "file"), "trusted.overlay.metacopy")).toBeDefined();
      expect(text("rw", "diff", "dir", "file")).toBe("\0".repeat(7));
      await driver.create("copy", "base");
      await applyTar(driver, "copy", "base", await driver.diff("rw", "base"));
      expect(text("copy", "diff", "dir", "file")).toBe("content");
    });
  });
});

function modes(directory: string): Record<string, string> {
  return Object.fromEntries(
    listTree(directory).map(({ path, kind, mode, owner }) => [path, `${kind} ${mode} ${owner}`]),
  );
}

function xattr(path: string, name: string): string | undefined {
  return getXattrAt(CURRENT_DIRECTORY, fromText(path) as ByteString, name)?.toString();
}
