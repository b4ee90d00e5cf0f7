import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fileSystemMagic, isOverlayMount, mount, mountIn, mountPointsBelow, unmount } from "../../src/sys/mount.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root", "mount");
const TMPFS_MAGIC = 0x01021994;
const MS_RDONLY = 1;

describe.skipIf(lack)(`mounts${lack ?? ""}`, () => {
  let path: string;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "varve-mount-"));
  });
  afterEach(() => {
    for (const point of mountPointsBelow(path).reverse()) unmount(point, { lazy: true });
    rmSync(path, { recursive: true });
  });

  function tmpfs(name: string, flags?: number): string {
    const target = join(path, name);
    mkdirSync(target);
    mount({ source: "tmpfs", target, type: "tmpfs", data: "size=1m", ...(flags === undefined ? {} : { flags }) });
    return target;
  }

  /** Two layers whose directories have these names. */
  function layers(lower: string, upper: string): void {
    for (const name of [lower, upper, "work", "merged"]) mkdirSync(join(path, name));
    writeFileSync(join(path, lower, "below"), "below");
    writeFileSync(join(path, upper, "above"), "above");
  }

  test("appear below a directory under any name, in the order in which they were made, and go in reverse", () => {
    const names = ["plain", "with space", "tab\tand\\back", "größe"];
    const targets = names.map((name) => tmpfs(name));
    mkdirSync(join(path, "plain/inner"));
    mount({ source: "tmpfs", target: join(path, "plain/inner"), type: "tmpfs", data: "" });
    expect(mountPointsBelow(path)).toEqual([...targets, join(path, "plain/inner")]);
    expect(mountPointsBelow(join(path, "plain"))).toEqual([join(path, "plain/inner")]);
    expect(fileSystemMagic(join(path, "plain"))).toBe(TMPFS_MAGIC);
    for (const point of mountPointsBelow(path).reverse()) unmount(point);
    expect(mountPointsBelow(path)).toEqual([]);
  });

  test("are spelled as the directory is, also when a link leads to it", () => {
    tmpfs("m");
    const link = `${path}-link`;
    symlinkSync(path, link);
    try {
      expect(mountPointsBelow(link)).toEqual([join(link, "m")]);
    } finally {
      rmSync(link);
    }
  });

  test("take flags, refuse a missing target and what is in use", () => {
    const target = tmpfs("ro", MS_RDONLY);
    expect(() => writeFileSync(join(target, "f"), "")).toThrow("EROFS");
    const request = { source: "tmpfs", target: join(path, "no"), type: "tmpfs", data: "" };
    expect(() => mount(request)).toThrow(expect.objectContaining({ code: "not-found" }));
    expect(() => unmount(path)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ errno: "EINVAL" }) }),
    );
  });

  test("an overlay is one exactly where it begins", () => {
    layers("lower", "upper");
    const at = (name: string) => join(path, name);
    const data = `lowerdir=${at("lower")},upperdir=${at("upper")},workdir=${at("work")}`;
    mount({ source: "overlay", target: at("merged"), type: "overlay", data });
    mkdirSync(at("merged/inside"));
    expect(isOverlayMount(at("merged"))).toBe(true);
    expect(isOverlayMount(at("merged/inside"))).toBe(false);
    expect(isOverlayMount(at("upper"))).toBe(false);
    unmount(at("merged"), { lazy: true });
    expect(isOverlayMount(at("merged"))).toBe(false);
  });

  test("mountIn takes options and a target that are relative, up to the limit of a page", () => {
    const lower = "l".repeat(200);
    layers(lower, "upper");
    for (let i = 0; i < 18; i++) mkdirSync(join(path, `${"m".repeat(200)}-${i}`));
    const lowers = Array.from({ length: 18 }, (_, i) => `${"m".repeat(200)}-${i}`).join(":");
    const data = `lowerdir=${lower}:${lowers},upperdir=upper,workdir=work`;
    expect(data.length).toBeGreaterThan(3800);
    mountIn(path, { source: "overlay", target: "merged", type: "overlay", data });
    expect(isOverlayMount(join(path, "merged"))).toBe(true);
    expect(readFileSync(join(path, "merged/below"), "utf8")).toBe("below");
    expect(readFileSync(join(path, "merged/above"), "utf8")).toBe("above");
  });

  test("mountIn tells why it failed", () => {
    mkdirSync(join(path, "merged"));
    const request = { source: "overlay", target: "merged", type: "overlay", data: "lowerdir=missing" };
    expect(() => mountIn(path, request)).toThrow(/^mount merged: .*(missing|bad option|not exist|special device)/s);
    expect(() => mountIn(join(path, "no"), request)).toThrow(expect.objectContaining({ code: "not-found" }));
    const long = { ...request, data: `lowerdir=${"x".repeat(5000)}` };
    expect(() => mountIn(path, long)).toThrow("argument list too long");
  });

  test("stop a removal before anything that was mounted is touched", () => {
    mkdirSync(join(path, "tree"));
    const target = tmpfs("tree/m");
    writeFileSync(join(target, "kept"), "kept");
    expect(() => removeTree(join(path, "tree"))).toThrow(expect.objectContaining({ code: "in-use" }));
    expect(() => removeTree(target)).toThrow(expect.objectContaining({ code: "in-use" }));
    expect(readFileSync(join(target, "kept"), "utf8")).toBe("kept");
    unmount(target);
    removeTree(join(path, "tree"));
    expect(existsSync(join(path, "tree"))).toBe(false);
  });
});
