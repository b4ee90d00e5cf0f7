import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { GraphID } from "../../src/graph/descriptor.ts";
import { type MigrationReport, migrateGraph, openGraph, openStore } from "../../src/index.ts";
import { sourceOf } from "../../src/io/byte-source.ts";
import { harmV1Image } from "../../src/testing/v1-harm.ts";
import type { V1Driver } from "../../src/testing/v1-trees.ts";
import { lacking } from "../tools/dockerd.ts";
import {
  BASE,
  copyTree,
  FILES,
  GONE,
  IDLE,
  LEFT_TAGS,
  migrated,
  migrationRoots,
  oldStore,
  RUN,
  TOP,
  TWIN,
} from "./migration-fixture.ts";

const lack = lacking("root");

describe.skipIf(lack).each<V1Driver>(["overlay2", "vfs"])(
  `beside a v1 graph on %s that is not all across${lack ?? ""}`,
  (driver) => {
    const { whole, reference, fresh } = migrationRoots(driver);
    let root: string;
    beforeEach(() => {
      root = fresh();
    });

    const migrate = (): Promise<MigrationReport> => migrateGraph({ root });
    const leftOf = ({ left }: MigrationReport): string[] => left.map(({ what, name }) => `${what} ${name}`).sort();
    const ALWAYS = LEFT_TAGS.map((name) => `tag ${name}`).sort();
    const expectTheSame = (): void => expect(migrated(root, driver)).toEqual(migrated(reference, driver));

    test("a prune takes no tree of it, and the next run does the rest", async () => {
      const stop = new AbortController();
      const onEvent = ({ kind }: { kind: string }): void => {
        if (kind === "image" && stop.signal.aborted === false) stop.abort();
      };
      await expect(migrateGraph({ root, signal: stop.signal, onEvent })).rejects.toMatchObject({ code: "cancelled" });
      const before = oldStore(root, driver);
      const warnings: string[] = [];
      await using store = await openStore({ root, driver, onWarning: (message) => void warnings.push(message) });
      const { removed } = await store.prune({ all: true });
      expect(removed.length).toBeGreaterThan(0);
      expect(warnings).toEqual([expect.stringContaining("--remove-old")]);
      expect(oldStore(root, driver)).toEqual(before);
      expect(leftOf(await migrate())).toEqual(ALWAYS);
      expectTheSame();
    });

    test("what has been removed comes back when something stands on it, and else not", async () => {
      harmV1Image(root, driver, FILES, "json-cut");
      rmSync(join(root, "containers", IDLE), { recursive: true });
      await migrate();
      await using store = await openStore({ root, driver });
      await store.remove("box:latest");
      expect(await store.images({ all: true })).toEqual([]);
      copyTree(join(whole, "graph", FILES, "json"), join(root, "graph", FILES, "json"));
      const { images } = await migrate();
      expect(images.map(({ id, before }) => [id, before])).toContainEqual([BASE, false]);
      expect(images).toHaveLength(8);

      await store.remove("twins:one");
      const again = await migrate();
      expect(again.images.map(({ id }) => id)).not.toContain(TWIN);
      expect(again.images.every(({ before }) => before)).toBe(true);
      expect(again.tags.map(({ name }) => name)).not.toContain("twins:one");
      await expect(store.inspect("twins:one")).rejects.toMatchObject({ code: "not-found" });
    });

    test("a store that is lost is made again", async () => {
      await migrate();
      rmSync(join(root, "image"), { recursive: true });
      rmSync(join(root, ".migration-v1-tags"));
      expect(leftOf(await migrate())).toEqual(ALWAYS);
      expectTheSame();
    });

    test("a tag that had its turn stays as somebody made it since, and is told while it stands for something else", async () => {
      harmV1Image(root, driver, TOP, "json-cut");
      await migrate();
      await using store = await openStore({ root, driver });
      await store.remove("twins:one", { noPrune: true });
      await store.tag("box:latest", "twins:same");
      copyTree(join(whole, "graph", TOP, "json"), join(root, "graph", TOP, "json"));
      const report = await migrate();
      expect(leftOf(report)).toEqual([...ALWAYS, "tag twins:same"].sort());
      const carried = report.tags.filter(({ before }) => !before).map(({ name }) => name);
      expect(carried).toEqual([`host:5000/app@sha256:${"d".repeat(64)}`]);
      await expect(store.inspect("twins:one")).rejects.toMatchObject({ code: "not-found" });
      expect(leftOf(await migrate())).toEqual([...ALWAYS, "tag twins:same"].sort());
    });

    test("a container whose record is there without its writable layer gets that", async () => {
      await migrate();
      rmSync(join(root, "image", driver, "layerdb", "mounts", RUN), { recursive: true });
      const { containers } = await migrate();
      expect(containers).toContainEqual({ id: RUN, before: false });
      expectTheSame();
    });

    test("a container whose new record is torn is left, and keeps the old one", async () => {
      await migrate();
      const record = join(root, "containers", RUN, "config.v2.json");
      writeFileSync(record, readFileSync(record).subarray(0, 100));
      expect(leftOf(await migrate())).toEqual([`container ${RUN}`, ...ALWAYS].sort());
      await expect(migrateGraph({ root, removeOld: true })).rejects.toMatchObject({ code: "conflict" });
      expect(oldStore(root, driver)).toEqual(oldStore(whole, driver));
    });

    test("pipes and directories in the place of files hang nothing and stop nothing else", async () => {
      const pipe = (name: string): void => void execFileSync("mkfifo", [join(root, "graph", name)]);
      renameSync(join(root, "graph", FILES, "tar-data.json.gz"), join(root, "kept"));
      pipe(`${FILES}/tar-data.json.gz`);
      pipe(`${BASE}/.migration-diffid`);
      pipe(`${BASE}/.migration-tardata`);
      pipe(`${BASE}/.migration-size.tmp`);
      const report = await migrate();
      expect(report.images.map(({ id }) => id)).toEqual([BASE]);
      expect(report.left).toContainEqual({
        what: "image",
        name: FILES,
        reason: expect.stringContaining("not a regular file"),
      });

      rmSync(join(root, "graph", FILES, "tar-data.json.gz"));
      renameSync(join(root, "kept"), join(root, "graph", FILES, "tar-data.json.gz"));
      mkdirSync(join(root, "graph", GONE, ".migration-tardata"));
      expect((await migrate()).images.map(({ id }) => id)).toEqual([BASE, FILES]);
      rmSync(join(root, "graph", GONE, ".migration-tardata"), { recursive: true });
      expect(leftOf(await migrate())).toEqual(ALWAYS);
      expectTheSame();
    });

    test("the graph itself leaves the trees alone that layers of today have", async () => {
      await migrate();
      using old = await openGraph({ root });
      await expect(old.graph.delete(TOP)).rejects.toMatchObject({ code: "in-use" });
      rmSync(join(root, "graph", TOP), { recursive: true });
      const json = readFileSync(join(whole, "graph", TOP, "json"));
      using again = reopened(old) ?? (await openGraph({ root }));
      await expect(again.graph.register(TOP as GraphID, json, sourceOf(Buffer.alloc(1024)))).rejects.toMatchObject({
        code: "in-use",
      });
      await using store = await openStore({ root, driver });
      expect(await store.inspect(`host:5000/app@sha256:${"d".repeat(64)}`)).toBeDefined();
    });

    function reopened(old: Disposable): undefined {
      old[Symbol.dispose]();
      return undefined;
    }
  },
);
