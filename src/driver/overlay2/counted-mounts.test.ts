import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isVarveError } from "../../errors.ts";
import { CountedMounts, type Mountable } from "./counted-mounts.ts";

/** Each `CountedMounts` has descriptors of its own, so that two of them exclude each other as two processes do. */
let directory: string;
let first: CountedMounts;
let second: CountedMounts;
let log: string[];
let mounted: boolean;
const target: Mountable = {
  name: "tree",
  isMounted: () => mounted,
  mount() {
    mounted = true;
    log.push("mount");
  },
  unmount() {
    mounted = false;
    log.push("unmount");
  },
};

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), "counted-mounts-")), "mounts");
  first = new CountedMounts(directory);
  second = new CountedMounts(directory);
  log = [];
  mounted = false;
});
afterEach(() => rmSync(join(directory, ".."), { recursive: true }));

describe("counted mounts", () => {
  test("mount for the first user and unmount after the last", async () => {
    await first.hold(target);
    await first.hold(target);
    await first.release(target);
    expect(log).toEqual(["mount"]);
    await first.release(target);
    expect(log).toEqual(["mount", "unmount"]);
    expect(readdirSync(directory)).toEqual(["section"]);
  });

  test("count users that come at the same time", async () => {
    await Promise.all(Array.from({ length: 20 }, () => first.hold(target)));
    await Promise.all(Array.from({ length: 19 }, () => first.release(target)));
    expect(log).toEqual(["mount"]);
    await first.release(target);
    expect(log).toEqual(["mount", "unmount"]);
  });

  test.each([
    ["who mounted", () => [first, second]],
    ["who joined", () => [second, first]],
  ])("stay for the other process when the one %s goes", async (_, order) => {
    await first.hold(target);
    await second.hold(target);
    const [early, late] = order() as [CountedMounts, CountedMounts];
    await early.release(target);
    expect(mounted).toBe(true);
    await late.release(target);
    expect(log).toEqual(["mount", "unmount"]);
  });

  test("count one that was left behind as a reference, which any process may give back", async () => {
    mounted = true;
    await first.hold(target);
    await second.hold(target);
    await first.release(target);
    await second.release(target);
    expect(mounted).toBe(true);
    await second.release(target);
    expect(log).toEqual(["unmount"]);
  });

  test("leave a mount whose left-behind reference is given back to those who use it", async () => {
    mounted = true;
    await first.hold(target);
    await second.release(target);
    expect(mounted).toBe(true);
    await first.release(target);
    expect(log).toEqual(["unmount"]);
  });

  test("know nothing of a left-behind mount that has gone meanwhile", async () => {
    mounted = true;
    await first.hold(target);
    await first.release(target);
    mounted = false;
    await first.hold(target);
    await first.release(target);
    expect(log).toEqual(["mount", "unmount"]);
  });

  test("have nothing to do for a release that nobody is owed", async () => {
    await first.release(target);
    expect(log).toEqual([]);
  });

  test("forget a mount that failed", async () => {
    const failing = { ...target, mount: () => expect.fail("no such device") };
    await expect(first.hold(failing)).rejects.toThrow("no such device");
    expect(readdirSync(directory)).toEqual(["section"]);
    await second.clear(target);
    await first.hold(target);
    expect(log).toEqual(["mount"]);
  });

  test("are cleared when nobody uses them, and refuse while somebody does", async () => {
    await first.hold(target);
    for (const process of [first, second])
      await expect(process.clear(target)).rejects.toSatisfy((error) => isVarveError(error, "in-use"));
    await first.release(target);
    mounted = true;
    await second.clear(target);
    expect(log).toEqual(["mount", "unmount", "unmount"]);
  });

  test("are all given back by clearAll, except those of other processes", async () => {
    await first.hold(target);
    await second.hold(target);
    await first.clearAll([target]);
    expect(mounted).toBe(true);
    await second.clearAll([target]);
    expect(mounted).toBe(false);
  });
});
