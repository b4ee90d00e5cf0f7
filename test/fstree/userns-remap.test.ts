import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TreeApplier } from "../../src/fstree/apply.ts";
import { treeDiff } from "../../src/fstree/diff.ts";
import { IdMap } from "../../src/fstree/id-map.ts";
import { collect } from "../../src/io/byte-source.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { feed, readTar, type TarEntry, tarOf } from "../../src/testing/tar-entries.ts";
import { compareTrees, listTree } from "../../src/testing/tree-listing.ts";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { cacheIDOf, dockerArchive } from "./docker-archive.ts";

const lack = lacking("root", "dockerd", "docker", "unshare");

/** Two ranges of users, as if the first had been too small. */
const remap = { subuid: ["200000:1000", "500000:64536"], subgid: ["300000:65536"] };
const idMap = new IdMap(
  [
    { container: 0, host: 200_000, size: 1000 },
    { container: 1000, host: 500_000, size: 64_536 },
  ],
  [{ container: 0, host: 300_000, size: 65_536 }],
);

const time = { seconds: 1_600_000_000, nanoseconds: 0 };
const entries: TarEntry[] = [
  { name: "on/the/way", uid: 1000, gid: 100, content: "x", mode: 0o6755 },
  { name: "dir/", uid: 5, gid: 6 },
  { name: "dir/link", type: "2", linkname: "x", uid: 1, gid: 2 },
  { name: ".wh.gone", uid: 3, gid: 4 },
  { name: "dev", type: "3", deviceMajor: 1, deviceMinor: 3, uid: 0, gid: 0, mode: 0o666 },
  { name: "is the mapped root already", uid: 200_000, gid: 300_000 },
].map((entry) => ({ mtime: time, ...entry }));
const layer = tarOf(entries);
const MADE_NOW = [".", "on", "on/the", "gone"].map((path) => `${path}:mtime`);

describe.skipIf(lack)(`userns-remap as dockerd has it${lack ?? ""}`, () => {
  let daemon: Dockerd;
  let scratch: string;
  let theirs: string;
  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-remap-"));
    daemon = await start({ remap });
    await daemon.docker(["load"], { input: dockerArchive("mapped", [layer]) });
    const root = join(daemon.root, "200000.300000");
    theirs = join(root, "overlay2", cacheIDOf(root, "overlay2", layer), "diff");
  });
  afterAll(async () => {
    await daemon?.stop();
    removeTree(scratch);
  });

  test("a tree has the ids of the host", () => {
    const ours = join(scratch, "ours");
    mkdirSync(ours);
    const applier = new TreeApplier(ours, { semantics: "overlay", idMap });
    feed(applier, entries);
    applier.finish();
    const owners = Object.fromEntries(listTree(ours).map(({ path, owner }) => [path, owner]));
    expect(owners).toMatchObject({ on: "200000:300000", "on/the/way": "500000:300100", gone: "200003:300004" });
    expect(compareTrees(listTree(theirs), listTree(ours), [...MADE_NOW, ".:owner"])).toEqual([]);
  });

  test("a tar has the ids of the container, but for whiteouts", async () => {
    const tar = await collect(treeDiff(theirs, { overlay: true, idMap }), 1 << 20);
    const ids = readTar(tar).map(({ header: { name, uid, gid } }) => [name, uid, gid]);
    expect(ids).toEqual([
      ["dev", 0, 0],
      ["dir/", 5, 6],
      ["dir/link", 1, 2],
      [".wh.gone", 200_003, 300_004],
      ["is the mapped root already", 0, 0],
      ["on/", 0, 0],
      ["on/the/", 0, 0],
      ["on/the/way", 1000, 100],
    ]);
  });

  test("a committed container is packed as we pack it", async () => {
    await daemon.docker(["create", "--name", "mapped-box", "mapped", "/none"]);
    const id = (await daemon.docker(["inspect", "-f", "{{.Id}}", "mapped-box"])).toString().trim();
    const root = join(daemon.root, "200000.300000");
    const mountID = readFileSync(join(root, "image/overlay2/layerdb/mounts", id, "mount-id"), "utf8");
    const upper = join(root, "overlay2", mountID, "diff");
    const applier = new TreeApplier(upper, { semantics: "overlay", idMap });
    feed(applier, [{ name: "new/file", uid: 7, gid: 8, content: "new" }, { name: "dir/.wh.link" }]);
    applier.finish();

    await daemon.docker(["commit", "mapped-box", "mapped-image"]);
    const saved = readTar(await daemon.docker(["save", "mapped-image"]));
    const files = new Map(saved.map(({ header, content }) => [header.name as string, content]));
    const [{ Layers }] = JSON.parse(files.get("manifest.json")!);
    const top = Buffer.from(files.get(Layers[1])!, "latin1");
    const ours = await collect(treeDiff(upper, { overlay: true, idMap }), 1 << 20);
    expect(readTar(ours).map(({ header }) => header.name)).toEqual(["dir/", "dir/.wh.link", "new/", "new/file"]);
    expect(ours.equals(top)).toBe(true);
  });
});
