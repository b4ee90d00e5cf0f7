import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ChainID } from "../digest/chain-id.ts";
import { digestOf, hexOf } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import { WriteSet } from "../io/write-set.ts";
import { layerMetadataSuite } from "../testing/layer-metadata-suite.ts";
import { LayerDraft } from "./draft.ts";
import { FileMetadata } from "./file-metadata.ts";
import type { LayerRecord } from "./metadata.ts";

layerMetadataSuite({ name: "files", open: (directory) => new FileMetadata(directory, { sync: true }) });
layerMetadataSuite({ name: "files without syncs", open: (directory) => new FileMetadata(directory, { sync: false }) });

describe("the layerdb", () => {
  const chain: ChainID = digestOf("chain");
  const hex = hexOf(chain);
  const record: LayerRecord = { diffID: chain, size: 1, cacheID: "tree", parent: undefined, descriptor: undefined };
  let directory: string;
  let root: string;
  let metadata: FileMetadata;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "layer-layerdb-"));
    root = join(directory, "image/overlay2/layerdb");
    metadata = new FileMetadata(root, { sync: true });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const commit = async (): Promise<void> => {
    const transaction = await metadata.beginLayer("tree");
    await transaction.write(record);
    await transaction.commit(chain);
  };
  const modes = (...paths: string[]): string[] =>
    paths.map((path) => `${path} ${(statSync(join(directory, "image", path)).mode & 0o7777).toString(8)}`);

  test("comes into being with the first record, with Docker's modes", async () => {
    expect(metadata.chains()).toEqual([]);
    expect(existsSync(join(directory, "image"))).toBe(false);
    const umask = process.umask(0o022);
    try {
      await commit();
      await (await metadata.beginMount({ mountID: "1".repeat(64), initID: undefined, parent: chain })).commit("name");
    } finally {
      process.umask(umask);
    }
    const layer = `overlay2/layerdb/sha256/${hex}`;
    const mount = "overlay2/layerdb/mounts/name";
    expect(modes("", "overlay2", "overlay2/layerdb", layer)).toEqual([
      " 700",
      "overlay2 700",
      "overlay2/layerdb 700",
      `${layer} 700`,
    ]);
    for (const name of ["sha256", "mounts", "tmp"])
      expect(modes(`overlay2/layerdb/${name}`)).toEqual([`overlay2/layerdb/${name} 755`]);
    const files = ["diff", "size", "cache-id", "tar-split.json.gz"].map((name) => `${layer}/${name}`);
    expect(modes(...files, `${mount}/mount-id`, `${mount}/parent`)).toEqual(
      [...files, `${mount}/mount-id`, `${mount}/parent`].map((path) => `${path} 644`),
    );
    expect(modes(mount)).toEqual([`${mount} 755`]);
    expect(readdirSync(join(root, "tmp"))).toEqual([]);
  });

  test("has only digests for layers; a link to a directory is none", async () => {
    await commit();
    for (const name of ["x", "A".repeat(64), `${hex}0`]) mkdirSync(join(root, "sha256", name));
    symlinkSync(hex, join(root, "sha256", "b".repeat(64)));
    writeFileSync(join(root, "sha256", "c".repeat(64)), "");
    expect(metadata.chains()).toEqual([chain]);
  });

  test("names a layer on its way out as Docker does, so that Docker clears it away too", async () => {
    await commit();
    (await metadata.setLayerAside(chain))[Symbol.dispose]();
    const [name] = readdirSync(join(root, "sha256"));
    expect(name).toMatch(new RegExp(`^${hex}-[0-9a-f]{64}-removing$`));
    expect(readFileSync(join(root, "sha256", name!, "cache-id"), "utf8")).toBe("tree");
  });

  test("writes the cache-id first, so that a tree without a record is never nobody's", async () => {
    const transaction = await metadata.beginLayer("tree");
    const [draft] = readdirSync(join(root, "tmp"));
    expect(draft).toMatch(/^write-set-[0-9]+$/);
    expect(readFileSync(join(root, "tmp", draft!, "cache-id"), "utf8")).toBe("tree");
    await transaction.cancel();
    expect(readdirSync(join(root, "tmp"))).toEqual([]);
  });

  test("clears away what Docker left in its write sets, and nothing else", () => {
    for (const name of ["write-set-123", "layer-456", "write-set-", "broken-789", "other"]) {
      mkdirSync(join(root, "tmp", name), { recursive: true });
      writeFileSync(join(root, "tmp", name, "cache-id"), `tree of ${name}`);
    }
    writeFileSync(join(root, "tmp", "write-set-777"), "a file");
    for (const name of [`${hex}-removing`, `${hex}-backup`, "old-1-removing"]) {
      mkdirSync(join(root, "sha256", name), { recursive: true });
      writeFileSync(join(root, "sha256", name, "cache-id"), `tree of ${name}`);
    }
    const leftovers = metadata.leftovers();
    expect(leftovers.flatMap(({ trees }) => trees).sort()).toEqual(["tree of layer-456", "tree of write-set-123"]);
    for (const leftover of leftovers) leftover[Symbol.dispose]();
  });

  test("does not take a tree's name from a leftover when it leads elsewhere", () => {
    mkdirSync(join(root, "tmp", "write-set-1"), { recursive: true });
    writeFileSync(join(root, "tmp", "write-set-1", "cache-id"), "../../etc");
    const [leftover] = metadata.leftovers();
    expect(leftover!.trees).toEqual([]);
    leftover![Symbol.dispose]();
  });

  test("takes a record back that became visible and did not reach the disk", async () => {
    mkdirSync(join(root, "sha256"), { recursive: true });
    mkdirSync(join(root, "tmp"));
    const files = WriteSet.open(join(root, "tmp"), { sync: true });
    const draft = new LayerDraft(files, "tree", () => join(root, "sha256", hex));
    await draft.write(record);
    files.commit = (target) => {
      renameSync(files.path, target);
      files.close();
      throw new VarveError("system", "EIO", { errno: "EIO" });
    };
    await expect(draft.commit(chain)).rejects.toMatchObject({ details: { errno: "EIO" } });
    expect(metadata.chains()).toEqual([]);
    await draft.cancel();
    const [leftover] = metadata.leftovers();
    expect(leftover!.trees).toEqual(["tree"]);
    leftover![Symbol.dispose]();
  });
});
