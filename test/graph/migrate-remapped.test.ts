import { spawnSync } from "node:child_process";
import { chmodSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { readTar } from "../../src/testing/tar-entries.ts";
import { listTree } from "../../src/testing/tree-listing.ts";
import { type MadeV1Image, makeV1Graph, type V1Image } from "../../src/testing/v1-graph.ts";
import type { V1Driver } from "../../src/testing/v1-trees.ts";
import { busyboxTar, lacking, start } from "../tools/dockerd.ts";
import { varvePath } from "../tools/varve.ts";
import { CONTAINERS, LEFT_TAGS, migrated, migrationGraph, oldStore, RUN, sha256 } from "./migration-fixture.ts";

const lack = lacking("root", "dockerd", "docker", "unshare", "busybox");

const remap = { subuid: ["200000:65536"], subgid: ["300000:65536"] };

describe.skipIf(lack).each<V1Driver>(["overlay2", "vfs"])(
  `a v1 graph of a remapped daemon on %s${lack ?? ""}`,
  (driver) => {
    const scratch = mkdtempSync(join(tmpdir(), "varve-remapped-"));
    const root = join(scratch, "root");
    const data = join(root, "200000.300000");
    const accounts = join(scratch, "accounts");
    let images: readonly V1Image[];
    let made: ReadonlyMap<string, MadeV1Image>;

    beforeAll(() => {
      for (const path of [root, accounts, data]) mkdirSync(path, { mode: 0o711 });
      chmodSync(scratch, 0o711);
      for (const name of ["subuid", "subgid"] as const)
        writeFileSync(join(accounts, name), remap[name].map((range) => `daemon:${range}\n`).join(""));
      const graph = migrationGraph(driver, busyboxTar());
      images = graph.images;
      made = makeV1Graph(data, graph);
      for (const { path, sameAs } of listTree(data))
        if (sameAs === undefined) giveAway(Buffer.from(path === "." ? data : `${data}/${path}`, "latin1"));
    });
    afterAll(() => removeTree(scratch));

    test("comes across with the owners that its containers see, and runs again", async () => {
      const before = oldStore(data, driver);
      const { status, stdout, stderr } = migrateRemapped();
      expect(stderr).toContain(`${LEFT_TAGS.length} things did not come across`);
      expect(stdout).toContain("Migrated 8 images");
      expect(status).toBe(1);
      expect(oldStore(data, driver)).toEqual(before);
      const state = migrated(data, driver);
      for (const { id, tarData = true } of images)
        if (tarData) expect(state[join("graph", id, ".migration-diffid")]).toBe(`600 ${made.get(id)!.diffID}`);

      await using daemon = await start({ driver, root, remap });
      const docker = async (...args: string[]): Promise<Buffer> => daemon.docker(args);
      expect(`${await docker("ps", "-aq", "--no-trunc")}`.trim().split("\n").sort()).toEqual(
        CONTAINERS.map(({ id }) => id),
      );
      expect(`${await docker("diff", RUN)}`.trim().split("\n").sort()).toEqual(["A /added", "C /data", "D /data/a"]);
      const saved = readTar(await docker("save", `host:5000/app@sha256:${"d".repeat(64)}`));
      const layers = saved.filter(({ header }) => header.name.endsWith("/layer.tar"));
      expect(layers.map(({ content }) => sha256(Buffer.from(content, "latin1"))).sort()).toEqual(
        [..."12368"].map((digit) => made.get(digit.repeat(64))!.diffID).sort(),
      );
      // Of a layer that has no record, its owners are read off the tree.
      const old = readTar(await docker("save", "host:5000/app:latest")).filter(({ header }) =>
        header.name.endsWith("/layer.tar"),
      );
      const read = old
        .map(({ content }) => readTar(Buffer.from(content, "latin1")))
        .find(([first]) => first?.header.name === "old/");
      expect(read!.map(({ header: { name, uid, gid } }) => `${name} ${uid}:${gid}`)).toEqual([
        "old/ 0:0",
        "old/file 0:0",
        "old/link 0:0",
      ]);
      const exported = readTar(await docker("export", RUN));
      expect(exported.find(({ header: { name } }) => name === "twin")?.header).toMatchObject({ uid: 0, gid: 0 });
      expect(`${await docker("start", "-a", RUN)}`).toContain("on a twinthe same in threeby the container");
    });

    /** Where `/etc/subuid` and `/etc/subgid` have the ranges. */
    function migrateRemapped(): { status: number | null; stdout: string; stderr: string } {
      const script =
        'mount --bind "$1/subuid" /etc/subuid && mount --bind "$1/subgid" /etc/subgid && shift && exec "$@"';
      const command = [process.execPath, varvePath(), "--root", root, "--driver", driver, "--userns-remap", "daemon"];
      const args = ["--mount", "sh", "-c", script, "sh", accounts, ...command, "migrate", "-q", "v1"];
      return spawnSync("unshare", args, { encoding: "utf8" });
    }
  },
);

/** Gives an object to whom its owner is on the host; that takes bits away, which come back. */
function giveAway(path: Buffer): void {
  const stat = lstatSync(path);
  lchownSync(path, stat.uid + 200_000, stat.gid + 300_000);
  if (!stat.isSymbolicLink()) chmodSync(path, stat.mode & 0o7777);
}
