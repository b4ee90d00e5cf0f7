import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { randomID } from "../../src/digest/random-id.ts";
import type { GraphID } from "../../src/graph/descriptor.ts";
import { migrateGraph, openGraph } from "../../src/index.ts";
import { sourceOf } from "../../src/io/byte-source.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { makeV1Graph } from "../../src/testing/v1-graph.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");
const BASE = "1".repeat(64) as GraphID;

describe.skipIf(lack)(`openGraph${lack ?? ""}`, () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "varve-open-graph-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const make = (driver: "overlay2" | "vfs"): unknown =>
    makeV1Graph(root, { driver, images: [{ id: BASE, layer: tarOf([{ name: "f" }]) }], tags: { app: { one: BASE } } });

  test("finds the driver by the file of tags, and changes outlive it", async () => {
    make("vfs");
    const id = randomID() as GraphID;
    {
      using old = await openGraph({ root });
      expect([old.root, old.driver.name, old.tags.get("app", "one")]).toEqual([root, "vfs", BASE]);
      const json = Buffer.from(JSON.stringify({ id, parent: BASE, created: "2015-11-02T10:00:00Z" }));
      await old.graph.register(id, json, sourceOf(tarOf([{ name: "g", content: "new" }])));
      old.tags.set({ repository: "app", key: "two", id }, { force: false });
    }
    using again = await openGraph({ root, driver: "vfs" });
    expect(again.graph.get(id).parent).toBe(BASE);
    expect(again.tags.of(id)).toEqual([{ repository: "app", key: "two", id }]);
    again[Symbol.dispose]();
    expect((await migrateGraph({ root })).tags.map(({ name }) => name)).toEqual(["app:one", "app:two"]);
  });

  test("lets one have it at a time, a migration too", async () => {
    make("overlay2");
    using old = await openGraph({ root });
    await expect(openGraph({ root })).rejects.toMatchObject({ code: "locked" });
    await expect(migrateGraph({ root })).rejects.toMatchObject({ code: "locked" });
    expect(existsSync(join(root, "image"))).toBe(false);
    old[Symbol.dispose]();
    using next = await openGraph({ root });
    expect(next.graph.map().size).toBe(1);
  });

  test("asks which driver when there are several, and refuses one that Varve has not", async () => {
    make("overlay2");
    makeV1Graph(root, { driver: "vfs", images: [] });
    await expect(openGraph({ root })).rejects.toMatchObject({ code: "conflict" });
    using old = await openGraph({ root, driver: "vfs" });
    expect(old.driver.name).toBe("vfs");
    await expect(openGraph({ root, driver: "aufs" })).rejects.toMatchObject({ code: "unsupported" });
  });

  test("makes a graph where there is none, for its owner alone", async () => {
    mkdirSync(join(root, "new"));
    using old = await openGraph({ root: join(root, "new"), driver: "vfs" });
    expect(old.graph.map().size).toBe(0);
    expect(statSync(join(root, "new", "graph")).mode & 0o777).toBe(0o700);
  });

  test("says that there is nothing to migrate", async () => {
    await expect(migrateGraph({ root })).rejects.toMatchObject({
      code: "not-found",
      message: `there is no v1 graph in ${root}`,
    });
  });
});
