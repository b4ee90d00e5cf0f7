import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { migrateGraph, openStore } from "../../src/index.ts";
import { readTar } from "../../src/testing/tar-entries.ts";
import { listTree } from "../../src/testing/tree-listing.ts";
import { makeV1Graph } from "../../src/testing/v1-graph.ts";
import { harmV1Image } from "../../src/testing/v1-harm.ts";
import { type V1Driver, v1TreeOf } from "../../src/testing/v1-trees.ts";
import { lacking, start } from "../tools/dockerd.ts";
import {
  CONTAINERS,
  copyTree,
  KEPT_TAGS,
  migrationGraph,
  migrationImages,
  OLD,
  OTHER,
  oldStore,
  RUN,
  rootWithoutSide,
  SAME,
  SMALL_BASE,
  TOP,
} from "./migration-fixture.ts";

const lack = lacking("root", "dockerd", "docker");

describe.skipIf(lack).each<V1Driver>(["overlay2", "vfs"])(
  `the old graph on %s, once it is across${lack ?? ""}`,
  (driver) => {
    const scratch = mkdtempSync(join(tmpdir(), "varve-removal-"));
    const whole = join(scratch, "whole");
    let root: string;
    let roots = 0;

    beforeAll(() => {
      makeV1Graph(whole, migrationGraph(driver));
    });
    beforeEach(() => {
      root = join(scratch, `root-${roots++}`);
      copyTree(whole, root);
    });
    afterAll(() => rmSync(scratch, { recursive: true, force: true }));

    const trees = (): string[] => {
      const home = driver === "vfs" ? join(root, "vfs/dir") : join(root, "overlay2");
      return readdirSync(home)
        .filter((name) => name !== "l")
        .sort();
    };
    const needed = (): string[] =>
      [
        ...migrationImages(SMALL_BASE)
          .map(({ id }) => id)
          .filter((id) => !NEEDLESS.includes(id)),
        ...CONTAINERS.flatMap(({ id, init = true }) => (init ? [id, `${id}-init`] : [id])),
      ].sort();

    async function expectAllThere(): Promise<void> {
      await using store = await openStore({ root, driver });
      const images = new Map(
        (await store.images({ all: true })).flatMap(({ id, tags }) => tags.map((tag) => [tag, id])),
      );
      expect([...images.keys()].sort()).toEqual(
        Object.keys(KEPT_TAGS)
          .filter((name) => !name.includes("@"))
          .sort(),
      );
      for (const id of new Set(images.values())) for await (const _ of store.save([id]));
      expect((await store.containers()).map(({ id }) => id).sort()).toEqual(CONTAINERS.map(({ id }) => id));
      expect(await store.diff(RUN)).toHaveLength(3);
    }

    function expectNothingOld(): void {
      expect(readdirSync(root).sort()).toEqual(["containers", driver, "image", "varve"].sort());
      for (const { id } of CONTAINERS)
        expect(readdirSync(join(root, "containers", id)).sort()).toEqual(["config.v2.json", "hostconfig.json"]);
      expect(trees()).toEqual(needed());
    }

    test("goes, with the trees that nothing stands on, and a dockerd has all the rest", async () => {
      const before = new Map(trees().map((id) => [id, listTree(v1TreeOf(root, driver, id))]));
      const report = await migrateGraph({ root, removeOld: true });
      expect(report.images).toHaveLength(8);
      expect([...report.removed].sort()).toEqual(
        [
          join(root, "graph"),
          join(root, `repositories-${driver}`),
          join(root, ".migration-v1-images.json"),
          join(root, ".migration-v1-tags"),
          ...CONTAINERS.map(({ id }) => join(root, "containers", id, "config.json")),
          ...NEEDLESS.map((id) => (driver === "vfs" ? v1TreeOf(root, driver, id) : join(root, driver, id))),
        ].sort(),
      );
      expectNothingOld();
      for (const id of needed()) expect(listTree(v1TreeOf(root, driver, id))).toEqual(before.get(id));
      await expectAllThere();
      await expect(migrateGraph({ root })).rejects.toMatchObject({ code: "not-found" });

      await using daemon = await start({ driver, root });
      const docker = async (...args: string[]): Promise<string> => (await daemon.docker(args)).toString();
      expect(new Set((await docker("images", "-aq", "--no-trunc")).trim().split("\n"))).toEqual(
        new Set(report.images.map(({ image }) => image)),
      );
      for (const id of [OLD, TOP, OTHER]) await docker("save", report.images.find((image) => image.id === id)!.image!);
      const exported = readTar(await daemon.docker(["export", RUN])).map(({ header: { name } }) => name as string);
      expect(exported).toContain("twin");
      expect(exported).toContain("added");
      expect(exported).not.toContain("data/a");
      await docker("rm", ...CONTAINERS.map(({ id }) => id));
      await docker("image", "prune", "-af");
      expect(await docker("images", "-aq")).toBe("");
    });

    test("stays whole while an image or a container is not across", async () => {
      const before = oldStore(root, driver);
      await harmed(async () => {
        await expect(migrateGraph({ root, removeOld: true })).rejects.toMatchObject({
          code: "conflict",
          message: expect.stringContaining(OTHER),
        });
      });
      expect(oldStore(root, driver)).toEqual(before);
      const tree = v1TreeOf(root, driver, RUN);
      renameSync(driver === "vfs" ? tree : join(tree, ".."), join(root, "moved"));
      const moved = oldStore(root, driver);
      await expect(migrateGraph({ root, removeOld: true })).rejects.toMatchObject({
        code: "conflict",
        message: expect.stringContaining(`container ${RUN}`),
      });
      expect(oldStore(root, driver)).toEqual(moved);
      renameSync(join(root, "moved"), driver === "vfs" ? tree : join(tree, ".."));
      await migrateGraph({ root, removeOld: true });
      expectNothingOld();
    });

    test("stays in a dry run", async () => {
      await migrateGraph({ root });
      const before = rootWithoutSide(root);
      const report = await migrateGraph({ root, removeOld: true, dryRun: true });
      expect(report.removed).toEqual([]);
      expect(rootWithoutSide(root)).toEqual(before);
    });

    test("goes later, too, and without an image that has been removed since", async () => {
      await migrateGraph({ root });
      const store = await openStore({ root, driver });
      await store.removeContainer(RUN);
      await store.remove(`host:5000/app@sha256:${"d".repeat(64)}`, { noPrune: true });
      await store[Symbol.asyncDispose]();
      // It is the old graph's as well.
      expect(trees()).toContain(TOP);
      const { removed, left } = await migrateGraph({ root, removeOld: true });
      expect(left.map(({ what }) => what)).toEqual(["tag", "tag", "tag"]);
      expect(removed).toContain(join(root, "graph"));
      // Only the tree that it stood on was in the way of this one.
      expect(trees()).not.toContain(TOP);
      expect(trees()).not.toContain(OTHER);
      expect(existsSync(join(root, "graph"))).toBe(false);
    });

    test("goes on going where a removal ended", async () => {
      await migrateGraph({ root });
      renameSync(join(root, "graph"), join(root, ".migration-v1-removing"));
      rmSync(join(root, ".migration-v1-removing", SAME), { recursive: true });
      await migrateGraph({ root, removeOld: true });
      expect(existsSync(join(root, ".migration-v1-removing"))).toBe(false);
      expect(readdirSync(root).sort()).toEqual(["containers", driver, "image", "varve"].sort());
      await expectAllThere();
    });

    /** Does something while an image of the graph is not to be read. */
    async function harmed(work: () => Promise<void>): Promise<void> {
      const json = join(root, "graph", OTHER, "json");
      copyTree(json, join(root, "json"));
      const bytes = readFileSync(json);
      harmV1Image(root, driver, OTHER, "json-cut");
      await work();
      expect(readFileSync(json).equals(bytes)).toBe(false);
      rmSync(json);
      renameSync(join(root, "json"), json);
    }
  },
);

/** Trees of images that have the same layers as others, unless the tree of another image stands on them. */
const NEEDLESS: readonly string[] = [SAME];
