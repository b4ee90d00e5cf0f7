import { describe, expect, test } from "vitest";
import { overlayMount } from "./mount-options.ts";

const home = "/var/lib/docker/overlay2";
const lower = "l/AAAA:l/BBBB";

describe("overlay mount options", () => {
  test("stack a writable tree in Docker's order, flags first", () => {
    expect(overlayMount({ home, id: "x", lower, readOnly: false, flags: ["index=off"] })).toEqual({
      options: `index=off,lowerdir=${home}/l/AAAA:${home}/l/BBBB,upperdir=${home}/x/diff,workdir=${home}/x/work`,
      from: undefined,
    });
  });

  test("of a read-only tree name its own files as the first lower", () => {
    expect(overlayMount({ home, id: "x", lower, readOnly: true, flags: [] }).options).toBe(
      `lowerdir=${home}/x/diff:${home}/l/AAAA:${home}/l/BBBB`,
    );
  });

  test("are absolute up to one page less a byte, and relative beyond", () => {
    const link = `l/${"A".repeat(26)}`;
    const absoluteLength = (id: string): number =>
      overlayMount({ home, id, lower: link, readOnly: true, flags: [] }).options.length;
    const room = 4096 - absoluteLength("i");
    const fitting = overlayMount({ home, id: "i".repeat(room), lower: link, readOnly: true, flags: [] });
    expect([fitting.options.length, fitting.from]).toEqual([4095, undefined]);
    const id = "i".repeat(room + 1);
    expect(overlayMount({ home, id, lower: link, readOnly: true, flags: [] })).toEqual({
      options: `lowerdir=${id}/diff:${link}`,
      from: home,
    });
  });

  test("are relative where the home's path has characters that separate options", () => {
    for (const odd of ["/data:1", "/a,b", "/back\\slash"])
      expect(overlayMount({ home: odd, id: "x", lower, readOnly: false, flags: [] })).toEqual({
        options: `lowerdir=${lower},upperdir=x/diff,workdir=x/work`,
        from: odd,
      });
  });

  test("hold 128 lowers of any home, and no more than a page", () => {
    const links = (count: number): string =>
      Array(count)
        .fill(`l/${"A".repeat(26)}`)
        .join(":");
    const id = "f".repeat(64);
    expect(overlayMount({ home, id, lower: links(128), readOnly: false, flags: ["index=off"] }).from).toBe(home);
    expect(() => overlayMount({ home, id, lower: links(140), readOnly: false, flags: [] })).toThrow(
      /cannot mount layer, mount label too large 4\d\d\d/,
    );
  });
});
