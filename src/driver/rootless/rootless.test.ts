import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { IdMap } from "../../fstree/id-map.ts";
import { driverSuite } from "../../testing/driver-suite.ts";
import { apply } from "../../testing/feed-driver.ts";
import { RootlessDriver } from "./rootless.ts";

driverSuite({ name: "rootless", stacks: false, open: (options) => new RootlessDriver(options) });

describe("rootless trees", () => {
  test("keep deletions as the files that the tar spells them by", async () => {
    const root = mkdtempSync(join(tmpdir(), "rootless-"));
    try {
      const driver = new RootlessDriver({ home: join(root, "rootless"), durability: "none" });
      await driver.create("a");
      await driver.create("b", "a");
      await apply(driver, "b", "a", [{ path: ".wh.x" }, { path: "d/.wh..wh..opq" }]);
      for (const name of [".wh.x", "d/.wh..wh..opq"])
        expect(readFileSync(join(root, "rootless", "b", "diff", name), "utf8")).toBe("");
      expect(readFileSync(join(root, "rootless", "b", "parent"), "utf8")).toBe("a");
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  test("have no owners to map", () => {
    const ranges = [{ container: 0, host: 100_000, size: 65_536 }];
    expect(
      () => new RootlessDriver({ home: "/nowhere", durability: "none", idMap: new IdMap(ranges, ranges) }),
    ).toThrow("userns-remap");
  });
});
