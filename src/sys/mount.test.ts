import { expect, test } from "vitest";
import { fileSystemMagic, isOverlayMount, mount, mountPointsBelow, parseMountPoints } from "./mount.ts";

test("mount points are read with their white space and backslashes", () => {
  const mountinfo = [
    "22 27 0:20 / /proc rw,relatime shared:14 - proc proc rw",
    "30 27 0:25 / /mnt/a\\040b\\011c\\134d rw - tmpfs tmpfs rw",
    "31 27 0:26 / /mnt/\\012line rw - overlay overlay rw,lowerdir=x",
    "",
  ].join("\n");
  expect(parseMountPoints(mountinfo)).toEqual(["/proc", "/mnt/a b\tc\\d", "/mnt/\nline"]);
});

test("the mounts below a directory do not include itself, nor its neighbours", () => {
  expect(mountPointsBelow("/proc")).not.toContain("/proc");
  expect(mountPointsBelow("/")).toContain("/proc");
  expect(mountPointsBelow("/pro")).toEqual([]);
  expect(mountPointsBelow("/no/such/place")).toEqual([]);
});

test("file systems are told by their magic number", () => {
  expect(fileSystemMagic("/proc")).toBe(0x9fa0);
  expect(() => fileSystemMagic("/no/such/place")).toThrow(expect.objectContaining({ code: "not-found" }));
  expect(isOverlayMount("/proc")).toBe(false);
  expect(isOverlayMount("/no/such/place")).toBe(false);
});

test("options that the kernel would cut short are refused", () => {
  const request = { source: "overlay", target: "/no/such/place", type: "overlay", data: "x".repeat(4096) };
  expect(() => mount(request)).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ errno: "E2BIG" }) }),
  );
});
