import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isVarveError } from "../../src/errors.ts";
import { type MigrateOptions, type MigrationEvent, migrateGraph, openStore } from "../../src/index.ts";
import { mount, unmount } from "../../src/sys/mount.ts";
import { makeV1Graph } from "../../src/testing/v1-graph.ts";
import type { V1Driver } from "../../src/testing/v1-trees.ts";
import { lackingOverlay } from "../driver/kernel-support.ts";
import { varve } from "../tools/varve.ts";
import { copyTree, LEFT_TAGS, migrated, migrationGraph, oldStore } from "./migration-fixture.ts";

const lack = lackingOverlay();
const MS_REMOUNT = 32;

describe.skipIf(lack).each<V1Driver>(["overlay2", "vfs"])(
  `a migration on %s that is broken off${lack ?? ""}`,
  (driver) => {
    const scratch = mkdtempSync(join(tmpdir(), "varve-broken-off-"));
    const root = join(scratch, "disk");
    let unbroken: Record<string, string>;
    let before: unknown;

    beforeAll(async () => {
      const whole = join(scratch, "whole");
      makeV1Graph(whole, migrationGraph(driver));
      copyTree(whole, join(scratch, "reference"));
      await migrateGraph({ root: join(scratch, "reference") });
      unbroken = migrated(join(scratch, "reference"), driver);
    });
    afterAll(() => rmSync(scratch, { recursive: true }));
    beforeEach(() => {
      mkdirSync(root);
      mount({ source: "tmpfs", target: root, type: "tmpfs", data: "size=16m,mode=711" });
      makeRoot();
    });
    afterEach(() => {
      unmount(root, { lazy: true });
      rmSync(root, { recursive: true });
    });

    function makeRoot(): void {
      for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
      leaveRoom("files", 1000);
      copyTree(`${join(scratch, "whole")}/.`, root);
      before = oldStore(root, driver);
    }

    /** Leaves room for so many new files, or pages, and no more. */
    function leaveRoom(kind: "files" | "pages", count: number): void {
      const { files, ffree, blocks, bfree, bsize } = statfsSync(root);
      const data = kind === "files" ? `nr_inodes=${files - ffree + count}` : `size=${(blocks - bfree + count) * bsize}`;
      mount({ source: "tmpfs", target: root, type: "tmpfs", flags: MS_REMOUNT, data });
    }

    /** What ends a migration, which is then nothing that images or containers are left for. */
    async function failureOf({ onEvent, ...options }: MigrateOptions = {}): Promise<unknown> {
      const left: unknown[] = [];
      const tell = (event: MigrationEvent): void => {
        if (event.kind === "left" && event.what !== "tag") left.push(event);
        onEvent?.(event);
      };
      const failure = await migrateGraph({ root, driver, ...options, onEvent: tell }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(left).toEqual([]);
      return failure;
    }

    async function expectSoundStore(): Promise<void> {
      expect(oldStore(root, driver)).toEqual(before);
      const warnings: string[] = [];
      await using store = await openStore({ root, driver, onWarning: (message) => warnings.push(message) });
      for (const { id } of await store.images({ all: true })) await store.layers(id);
      await store.containers();
      expect(warnings).toEqual([]);
    }

    async function expectWhole(): Promise<void> {
      const { left } = await migrateGraph({ root, driver });
      expect(left).toHaveLength(LEFT_TAGS.length);
      expect(oldStore(root, driver)).toEqual(before);
      expect(migrated(root, driver)).toEqual(unbroken);
    }

    test.each(["files", "pages"] as const)(
      "because there is no room for more %s goes on when there is",
      async (kind) => {
        let failures = 0;
        for (let room = 0; ; room++) {
          leaveRoom(kind, room);
          const failure = await failureOf();
          if (failure === undefined) break;
          failures++;
          expect(isVarveError(failure, "no-space"), String(failure)).toBe(true);
          await expectSoundStore();
        }
        expect(failures).toBeGreaterThanOrEqual(8);
        leaveRoom(kind, 1000);
        await expectWhole();
      },
    );

    test("by a full disk, wherever that is, is done by the next run", async () => {
      // On vfs a layer that has no record takes up to a second.
      const step = driver === "vfs" ? 40 : 10;
      let failures = 0;
      for (let room = 5; ; room += step) {
        makeRoot();
        leaveRoom("files", room);
        const failure = await failureOf();
        if (failure === undefined) break;
        failures++;
        expect(isVarveError(failure, "no-space"), String(failure)).toBe(true);
        await expectSoundStore();
        leaveRoom("files", 1000);
        await expectWhole();
      }
      expect(failures).toBeGreaterThanOrEqual(100 / step);
    });

    test("by a full disk is done by the next run of the command, with threads too", async () => {
      const command = ["--root", root, "--driver", driver, "migrate", "v1"];
      const environment = { VARVE_THREADS: "2" };
      for (const room of driver === "vfs" ? [6] : [2, 6, 30]) {
        makeRoot();
        leaveRoom("files", room);
        const { status, error } = await varve(command, { environment });
        expect(status, error).toBe(1);
        expect(error).toMatch(/no space left on device/);
        await expectSoundStore();
        leaveRoom("files", 1000);
        const { output } = await varve(command, { environment });
        expect(`${output}`).toContain("Migrated 3 containers");
        await expectWhole();
      }
    });

    test("by whoever asked for it leaves what another run goes on from", async () => {
      let aborted = 0;
      for (let events = 1; ; events++) {
        const abort = new AbortController();
        let seen = 0;
        const onEvent = (): void => {
          if (++seen === events) abort.abort();
        };
        const failure = await failureOf({ signal: abort.signal, onEvent });
        if (failure === undefined) break;
        aborted++;
        expect(isVarveError(failure, "cancelled"), String(failure)).toBe(true);
        await expectSoundStore();
      }
      expect(aborted).toBeGreaterThanOrEqual(4);
      await expectWhole();
    });

    test.each(["checksum", "image", "container"])("by an abort after the first %s ends at once", async (kind) => {
      const abort = new AbortController();
      const after: string[] = [];
      const onEvent = (event: MigrationEvent): void => {
        if (abort.signal.aborted) after.push(event.kind);
        else if (event.kind === kind) abort.abort();
      };
      expect(await failureOf({ signal: abort.signal, onEvent })).toMatchObject({ code: "cancelled" });
      expect(after).toEqual([]);
      await expectSoundStore();
      await expectWhole();
    });

    test("before it began does nothing", async () => {
      expect(await failureOf({ signal: AbortSignal.abort() })).toMatchObject({ code: "cancelled" });
      expect(migrated(root, driver)).toEqual({});
      await expectWhole();
    });
  },
);
