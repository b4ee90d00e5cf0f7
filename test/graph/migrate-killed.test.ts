import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeV1Graph } from "../../src/testing/v1-graph.ts";
import { makeLargeV1Graph } from "../../src/testing/v1-large.ts";
import type { V1Driver } from "../../src/testing/v1-trees.ts";
import { lacking, start } from "../tools/dockerd.ts";
import { ended, type Ran, startVarve, varve } from "../tools/varve.ts";
import { copyTree, LEFT_TAGS, migrated, migrationGraph, oldStore, RUN, sha256 } from "./migration-fixture.ts";

const lack = lacking("root", "dockerd", "docker");

const CASES: readonly (readonly [driver: V1Driver, kills: number])[] = [
  ["overlay2", 20],
  ["vfs", 5],
];
const KILLS_OF_A_ROOT = 4;
const SEED = Number(process.env.VARVE_KILL_SEED ?? Date.now() % 1_000_000);

describe.skipIf(lack).each(CASES)(
  `a migration on %s that is killed %i times (seed ${SEED})${lack ?? ""}`,
  (driver, kills) => {
    const scratch = mkdtempSync(join(tmpdir(), "varve-killed-"));
    const whole = join(scratch, "whole");
    const reference = join(scratch, "reference");
    let unbroken: Record<string, string>;
    let before: unknown;
    /** How often a whole run changes a file. */
    let changes: number;
    let root: string;

    const command = (...args: string[]): string[] => ["--root", root, "--driver", driver, ...args];
    const environment = { VARVE_THREADS: "2" };
    const watched = (settings: Record<string, string>): { environment: Record<string, string> } => ({
      environment: { ...environment, NODE_OPTIONS: `--require=${resolve("test/tools/kill-at.cjs")}`, ...settings },
    });
    const migrate = (options: { environment: Record<string, string> } = { environment }): Promise<Ran> =>
      varve(command("migrate", "-q", "v1"), options);

    beforeAll(async () => {
      makeLargeV1Graph(whole, driver, { images: 20, files: 10, fileSize: 3000 });
      makeV1Graph(whole, migrationGraph(driver));
      before = oldStore(whole, driver);
      copyTree(whole, reference);
      root = reference;
      const count = join(scratch, "changes");
      expectEnd(await migrate(watched({ VARVE_TEST_CHANGES: count })));
      changes = Number(readFileSync(count, "utf8"));
      unbroken = migrated(reference, driver);
    });
    afterAll(() => rmSync(scratch, { recursive: true, force: true }));

    function expectEnd({ status, error }: Ran): void {
      expect(error).toContain(`${LEFT_TAGS.length} things did not come across`);
      expect(status).toBe(1);
    }

    async function expectSound(): Promise<void> {
      const { status, output, error } = await varve(command("images", "-a"));
      expect({ status, error }).toEqual({ status: 0, error: "" });
      expect(`${output}`).toContain("IMAGE ID");
    }

    test("comes to the same end, and has a sound store at every moment", async () => {
      const moments = fc.sample(fc.nat(changes - 1), { seed: SEED, numRuns: 50 * kills });
      let killed = 0;
      for (let roots = 0; killed < kills; roots++) {
        root = join(scratch, `root-${roots}`);
        copyTree(whole, root);
        for (let times = 0; times < KILLS_OF_A_ROOT && killed < kills; times++) {
          const ran = await migrate(watched({ VARVE_TEST_KILL_AT: `${moments.pop()}` }));
          // Less is left to do, the more was done before.
          if (ran.status === 1) expectEnd(ran);
          if (ran.status === 1) continue;
          expect(ran).toMatchObject({ status: 137, error: "" });
          killed++;
          expect(oldStore(root, driver)).toEqual(before);
          await expectSound();
        }
        expectEnd(await migrate());
        expect(oldStore(root, driver)).toEqual(before);
        expect(migrated(root, driver)).toEqual(unbroken);
      }
    });

    test("lets the old graph go when that is killed, too", async () => {
      const removing = command("migrate", "v1", "--remove-old");
      const pauses = fc.sample(fc.nat(600), { seed: SEED, numRuns: 4 });
      for (const pause of pauses) {
        const child = startVarve(removing, { environment });
        const end = ended(child);
        await Promise.race([sleep(pause), end]);
        child.kill("SIGKILL");
        await end;
        await expectSound();
      }
      await varve(removing, { environment });
      expect((await migrate()).error).toContain("there is no v1 graph");
      expect(readdirSync(root).filter((name) => /graph|migration|repositories/.test(name))).toEqual([]);
      const stores = Object.entries(unbroken).filter(([path]) => /^(image|containers)\//.test(path));
      expect(migrated(root, driver)).toMatchObject(Object.fromEntries(stores));
    });

    test("is, in the end, to a dockerd what an unbroken one is", async () => {
      const [expected, actual] = [await dockerdSays(reference), await dockerdSays(root)];
      expect(actual).toEqual(expected);
      expect(expected[0]!.length).toBeGreaterThan(25);
    });

    async function dockerdSays(data: string): Promise<string[][]> {
      await using daemon = await start({ driver, root: data });
      const docker = async (...args: string[]): Promise<Buffer> => daemon.docker(args);
      const lines = async (...args: string[]): Promise<string[]> =>
        `${await docker(...args)}`.trimEnd().split("\n").sort();
      const images = "{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}}";
      return [
        await lines("images", "-a", "--no-trunc", "--digests", "--format", images),
        await lines("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Image}}"),
        await lines("diff", RUN),
        [sha256(await docker("save", "twins:other")), sha256(await docker("save", "host:5000/app:latest"))],
      ];
    }
  },
);
