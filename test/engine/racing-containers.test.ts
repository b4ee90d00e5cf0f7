import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { type Ran, said, startVarve, varve } from "../tools/varve.ts";

const lack = lacking("root");

describe.skipIf(lack)(`several processes at the containers of one root${lack ?? ""}`, () => {
  let scratch = "";
  let root = "";
  const run = (...args: string[]): Promise<Ran> => varve(["--root", root, ...args]);
  const names = async (): Promise<string[]> =>
    (await said(["--root", root, "ps", "--format", "{{.Names}}"])).split("\n").filter((name) => name !== "");

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-racing-"));
    root = join(scratch, "root");
    writeFileSync(join(scratch, "files.tar"), tarOf([{ name: "data/" }, { name: "data/file", content: "x" }]));
    await importImage();
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function importImage(): Promise<void> {
    const changes = ["-c", "VOLUME /data", "-c", 'CMD ["x"]'];
    await said(["--root", root, "--driver", "overlay2", "import", ...changes, join(scratch, "files.tar"), "box:1"]);
  }

  /** One record, one writable layer, two trees and one volume for each container, and nothing else. */
  async function expectWhole(): Promise<void> {
    const ids = (await said(["--root", root, "ps", "-q", "--no-trunc"])).split("\n").filter((id) => id !== "");
    const mounts = readdirSync(join(root, "image/overlay2/layerdb/mounts"));
    expect(mounts.sort()).toEqual(ids.sort());
    expect(
      readdirSync(join(root, "containers"))
        .filter((name) => !name.startsWith("."))
        .sort(),
    ).toEqual(ids);
    const trees = readdirSync(join(root, "overlay2")).filter((name) => name !== "l");
    expect(trees.length).toBe(ids.length * 2 + 1);
  }

  test("only one gets a name", async () => {
    const made = await Promise.all([1, 2, 3].map(() => run("create", "--name", "wanted", "box:1")));
    expect(made.map(({ status }) => status).sort()).toEqual([0, 1, 1]);
    for (const { status, error } of made)
      if (status !== 0) expect(error).toContain('The container name "/wanted" is already in use by container');
    for (const name of ["one", "two"]) await said(["--root", root, "create", "--name", name, "box:1"]);
    const renamed = await Promise.all(["one", "two"].map((name) => run("rename", name, "other")));
    expect(renamed.map(({ status }) => status).sort()).toEqual([0, 1]);
    expect((await names()).filter((name) => name === "other").length).toBe(1);
    await expectWhole();
    await said(["--root", root, "rm", "-v", ...(await names())]);
    expect(readdirSync(join(root, "volumes"))).toEqual([]);
  });

  test("an image is there for a container, or its container is not", async () => {
    for (let round = 0; round < 3; round++) {
      const [created, removed] = await Promise.all([run("create", "--name", "late", "box:1"), run("rmi", "box:1")]);
      expect([created.status, removed.status].sort()).toEqual([0, 1]);
      if (created.status === 0) {
        expect(removed.error).toContain("unable to remove repository reference");
        await expectWhole();
        await said(["--root", root, "rm", "-v", "late"]);
      } else {
        expect(created.error).toContain("No such image: box:1");
        expect(readdirSync(join(root, "overlay2")).filter((name) => name !== "l")).toEqual([]);
        await importImage();
      }
      expect(readdirSync(join(root, "volumes"))).toEqual([]);
    }
  });

  test("one that dies in the midst of it leaves a container, or none", async () => {
    const begun = performance.now();
    await said(["--root", root, "create", "box:1"]);
    const whole = performance.now() - begun;
    for (let round = 1; round <= 12; round++) {
      const child = startVarve(["--root", root, "create", "--name", `killed-${round}`, "box:1"]);
      await sleep((whole * (round + 2)) / 15);
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "close");
    }
    await said(["--root", root, "create", "--name", "after", "box:1"]);
    expect(await names()).toContain("after");
    // A volume without a container may have been left, as dockerd leaves it for `docker volume prune`.
    await said(["--root", root, "container", "prune", "-f", "--filter", "label!=keep"]);
    await expectWhole();
    expect(await names()).toEqual([]);
    expect(existsSync(join(root, "image/overlay2/layerdb/tmp"))).toBe(true);
    expect(readdirSync(join(root, "image/overlay2/layerdb/tmp"))).toEqual([]);
  });
});
