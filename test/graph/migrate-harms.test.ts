import { cpSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { type MigrationEvent, type MigrationReport, migrateGraph, openStore } from "../../src/index.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { listTree } from "../../src/testing/tree-listing.ts";
import { harmV1Image, litterV1Graph, tieV1Images, type V1Harm } from "../../src/testing/v1-harm.ts";
import { type V1Driver, v1TreeOf } from "../../src/testing/v1-trees.ts";
import { lacking } from "../tools/dockerd.ts";
import {
  BASE,
  CONTAINERS,
  copyTree,
  FILES,
  GONE,
  LEFT_TAGS,
  migrated,
  migrationImages,
  migrationRoots,
  OTHER,
  oldStore,
  RUN,
  rootWithoutSide,
  SMALL_BASE,
  TOP,
} from "./migration-fixture.ts";

const lack = lacking("root");

/** What cannot come across without `OTHER`. */
const ON_OTHER = [
  `image ${OTHER}`,
  `image ${TOP}`,
  `container ${RUN}`,
  "tag twins:other",
  `tag host:5000/app@sha256:${"d".repeat(64)}`,
];
const ALWAYS_LEFT = LEFT_TAGS.map((name) => `tag ${name}`);

describe.skipIf(lack).each<V1Driver>(["overlay2", "vfs"])(
  `a v1 graph on %s with something wrong${lack ?? ""}`,
  (driver) => {
    const { whole, reference, fresh } = migrationRoots(driver);
    let root: string;
    beforeEach(() => {
      root = fresh();
    });

    /** Puts back what belongs to one image. */
    function mend(id: string): void {
      const tree = v1TreeOf("", driver, id);
      for (const path of [join("graph", id), driver === "vfs" ? tree : dirname(tree)]) {
        rmSync(join(root, path), { recursive: true, force: true });
        copyTree(join(whole, path), join(root, path));
      }
    }

    test.each<[V1Harm, RegExp]>([
      ["json-cut", /JSON/],
      ["json-missing", /no such id/],
      ["other-id", /has wrong id/],
      ["parent-missing", /its parent 0+1 is not there/],
      ["own-parent", /its own ancestor/],
      ["tree-missing", /has no tree/],
    ])("leaves what is harmed (%s), and what stands on it, until it is mended", async (harm, reason) => {
      harmV1Image(root, driver, OTHER, harm);
      const before = oldStore(root, driver);
      const report = await migrateGraph({ root });
      expect(oldStore(root, driver)).toEqual(before);
      expect(leftOf(report)).toEqual([...ON_OTHER, ...ALWAYS_LEFT].sort());
      for (const left of report.left) expect(left.reason).toMatch(/^.+$/);
      expect(report.left.find(({ name }) => name === OTHER)!.reason).toMatch(reason);
      expect(report.images).toHaveLength(6);
      expect(report.containers).toHaveLength(2);
      expect(report.tags).toHaveLength(6);

      mend(OTHER);
      const again = await migrateGraph({ root });
      expect(leftOf(again)).toEqual([...ALWAYS_LEFT].sort());
      expect(newOf(again.images)).toEqual([OTHER, TOP]);
      expect(newOf(again.containers)).toEqual([RUN]);
      expect(
        again.tags
          .filter(({ before }) => !before)
          .map(({ name }) => `tag ${name}`)
          .sort(),
      ).toEqual(ON_OTHER.slice(3).sort());
      expect(migrated(root, driver)).toEqual(migrated(reference, driver));
    });

    test("leaves images that are each other's parents, and litter", async () => {
      tieV1Images(root, OTHER, TOP);
      litterV1Graph(root);
      const report = await migrateGraph({ root });
      const litter = ["not-an-id", "A".repeat(64), "a".repeat(63)].map((name) => `image ${name}`);
      expect(leftOf(report)).toEqual([...ON_OTHER, ...ALWAYS_LEFT, ...litter].sort());
    });

    test.each<V1Harm>(["file-changed", "tar-data-cut", "tar-data-strange"])(
      "takes a layer as it is now when it is not what it was (%s), and says so",
      async (harm) => {
        harmV1Image(root, driver, OTHER, harm);
        const warnings: string[] = [];
        const report = await migrateGraph({ root, onWarning: (message) => warnings.push(message) });
        expect(leftOf(report)).toEqual([...ALWAYS_LEFT].sort());
        expect(report.changed.map(({ id }) => id)).toEqual([OTHER]);
        expect(warnings).toHaveLength(1);
        expect(warnings[0]).toContain(OTHER);
        const [ours, theirs] = [root, reference].map((path) => migrated(path, driver));
        expect(ours![`graph/${OTHER}/.migration-diffid`]).not.toBe(theirs![`graph/${OTHER}/.migration-diffid`]);
        expect(ours![`graph/${TOP}/.migration-diffid`]).toBe(theirs![`graph/${TOP}/.migration-diffid`]);
        await using store = await openStore({ root, driver });
        for await (const _ of store.save([report.images.find(({ id }) => id === TOP)!.image!]));
      },
    );

    test("does not mind a size that is none", async () => {
      harmV1Image(root, driver, OTHER, "layersize-strange");
      await migrateGraph({ root });
      expect(migrated(root, driver)).toEqual(migrated(reference, driver));
    });

    test("leaves containers without a tree, an image, or a record that can be read", async () => {
      const [idle, bare] = [CONTAINERS[2]!.id, CONTAINERS[1]!.id];
      const record = (id: string): string => join(root, "containers", id, "config.json");
      const tree = v1TreeOf(root, driver, idle);
      rmSync(driver === "vfs" ? tree : dirname(tree), { recursive: true });
      writeFileSync(record(bare), "{");
      const { Image: _, ...nameless } = JSON.parse(readFileSync(record(RUN), "utf8"));
      writeFileSync(record(RUN), JSON.stringify(nameless));
      mkdirSync(join(root, "containers", "empty"));
      const report = await migrateGraph({ root });
      expect(leftOf(report)).toEqual([...CONTAINERS.map(({ id }) => `container ${id}`), ...ALWAYS_LEFT].sort());
      expect(report.images).toHaveLength(8);
      for (const id of [bare, RUN, idle]) copyTree(join(whole, "containers", id, "config.json"), record(id));
      const path = driver === "vfs" ? v1TreeOf("", driver, idle) : dirname(v1TreeOf("", driver, idle));
      copyTree(join(whole, path), join(root, path));
      expect(newOf((await migrateGraph({ root })).containers)).toEqual([RUN, bare, idle]);
      expect(migrated(root, driver)).toEqual(migrated(reference, driver));
    });

    test("leaves a tag that somebody else has by now", async () => {
      await using store = await openStore({ root, driver });
      const mine = await store.import(sourceOf(tarOf([{ name: "mine" }])), { reference: "user/app:v1" });
      const report = await migrateGraph({ root });
      expect(leftOf(report)).toEqual(["tag user/app:v1", ...ALWAYS_LEFT].sort());
      expect((await store.inspect("user/app:v1")).Id).toBe(mine);
      expect((await store.inspect("user/app")).Id).toBe(
        report.tags.find(({ name }) => name === "user/app:latest")!.image,
      );
    });

    test("says the same in a dry run, which writes nothing at all", async () => {
      harmV1Image(root, driver, OTHER, "own-parent");
      const before = listTree(root);
      const events: MigrationEvent[] = [];
      const dry = await migrateGraph({ root, dryRun: true, onEvent: (event) => events.push(event) });
      expect(listTree(root)).toEqual(before);
      expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(["left"]));
      const real = await migrateGraph({ root });
      expect(dry.left).toEqual(real.left);
      expect(dry.images).toEqual(real.images.map(({ id }) => ({ id, image: undefined, before: false })));
      expect(dry.containers).toEqual(real.containers);
      expect(dry.tags).toEqual(real.tags.map(({ name }) => ({ name, image: undefined, before: false })));

      mend(OTHER);
      const after = listTree(root);
      const rest = await migrateGraph({ root, dryRun: true });
      expect(listTree(root)).toEqual(after);
      expect(newOf(rest.images)).toEqual([OTHER, TOP]);
      expect(newOf(rest.containers)).toEqual([RUN]);
      expect(leftOf(rest)).toEqual([...ALWAYS_LEFT].sort());
    });

    test("changes nothing the second time", async () => {
      const first = await migrateGraph({ root });
      const before = rootWithoutSide(root);
      const events: MigrationEvent[] = [];
      const second = await migrateGraph({ root, onEvent: (event) => events.push(event) });
      expect(rootWithoutSide(root)).toEqual(before);
      expect(second.left).toEqual(first.left);
      expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(["left"]));
      for (const what of ["images", "containers", "tags"] as const)
        expect(second[what]).toEqual(first[what].map((moved) => ({ ...moved, before: true })));
    });

    test("reads a layer that has no record the same whenever it does", async () => {
      const other = fresh();
      // One that deletes, of which nobody knows when.
      for (const one of [root, other]) rmSync(join(one, "graph", GONE, "tar-data.json.gz"));
      await migrateGraph({ root });
      await sleep(1100);
      await migrateGraph({ root: other });
      expect(migrated(root, driver)).toEqual(migrated(other, driver));
      expect(migrated(root, driver)).not.toEqual(migrated(reference, driver));
    });

    test("takes over what an earlier Docker has noted, and reads no layer twice", async () => {
      // It had read the base image, whose tree nobody would take for that layer now.
      harmV1Image(root, driver, BASE, "file-changed");
      for (const name of [".migration-diffid", ".migration-size"])
        cpSync(join(reference, "graph", BASE, name), join(root, "graph", BASE, name));
      linkSync(join(root, "graph", BASE, "tar-data.json.gz"), join(root, "graph", BASE, ".migration-tardata"));
      // And was on its way with another one: without a DiffID that counts for nothing.
      writeFileSync(join(root, "graph", FILES, ".migration-tardata"), "half");
      writeFileSync(join(root, "graph", FILES, ".migration-size"), "7");
      writeFileSync(join(root, "graph", FILES, ".migration-diffid.tmp"), "sha");
      const events: MigrationEvent[] = [];
      const report = await migrateGraph({ root, onEvent: (event) => events.push(event) });
      expect(leftOf(report)).toEqual([...ALWAYS_LEFT].sort());
      const read = events.filter((event) => event.kind === "checksum");
      expect(read.map(({ id }) => id)).toEqual(
        migrationImages(SMALL_BASE)
          .slice(1)
          .map(({ id }) => id),
      );
      expect(read.at(-1)).toMatchObject({ done: 7, total: 7 });
      expect(migrated(root, driver)).toEqual(migrated(reference, driver));
    });

    test("goes on where an earlier Docker stopped between images and containers", async () => {
      for (const path of ["image", ...migrationImages(SMALL_BASE).map(({ id }) => join("graph", id))]) {
        rmSync(join(root, path), { recursive: true, force: true });
        copyTree(join(reference, path), join(root, path));
      }
      for (const path of ["layerdb/mounts", "repositories.json"])
        rmSync(join(root, "image", driver, path), { recursive: true });
      copyTree(join(reference, ".migration-v1-images.json"), join(root, ".migration-v1-images.json"));
      const report = await migrateGraph({ root });
      expect(newOf(report.images)).toEqual([]);
      expect(report.images).toHaveLength(8);
      expect(newOf(report.containers)).toHaveLength(3);
      expect(migrated(root, driver)).toEqual(migrated(reference, driver));
    });
  },
);

function leftOf({ left }: MigrationReport): string[] {
  return left.map(({ what, name }) => `${what} ${name}`).sort();
}

function newOf(moved: readonly { readonly id: string; readonly before: boolean }[]): string[] {
  return moved.filter(({ before }) => !before).map(({ id }) => id);
}

async function* sourceOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
