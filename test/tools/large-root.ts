/** Data-roots with many images, written file by file as dockerd leaves them, with empty trees. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type ChainID, chainIDOf, type DiffID } from "../../src/digest/chain-id.ts";
import { type Digest, digestOf, hexOf } from "../../src/digest/digest.ts";

export interface LargeRootOptions {
  readonly images: number;
  /** Of each image; none is shared. */
  readonly layers?: number;
  readonly driver?: string;
  /** Whether each layer has an empty tree; it has unless told. */
  readonly trees?: boolean;
}

export interface LargeRoot {
  readonly images: readonly { readonly id: Digest; readonly tag: string; readonly chains: readonly ChainID[] }[];
}

/** Image `i` is tagged `many/image-<i>:1`; its layers have 1000, 1001 and so on bytes. */
export function makeLargeRoot(
  root: string,
  { images, layers = 4, driver = "overlay2", trees = true }: LargeRootOptions,
): LargeRoot {
  const split = gzipSync("");
  const made = Array.from({ length: images }, (_, i) => {
    const diffIDs = Array.from({ length: layers }, (_, depth) => digestOf(`image ${i} layer ${depth}`));
    const chains = diffIDs.map((_, depth) => chainIDOf(diffIDs.slice(0, depth + 1))!);
    for (const [depth, chain] of chains.entries()) {
      const directory = join(root, "image", driver, "layerdb", "sha256", hexOf(chain));
      mkdirSync(directory, { recursive: true });
      const cacheID = hexOf(digestOf(`tree of ${chain}`));
      writeFileSync(join(directory, "diff"), diffIDs[depth]!);
      writeFileSync(join(directory, "size"), String(1000 + depth));
      writeFileSync(join(directory, "cache-id"), cacheID);
      writeFileSync(join(directory, "tar-split.json.gz"), split);
      if (depth > 0) writeFileSync(join(directory, "parent"), chains[depth - 1]!);
      if (trees) mkdirSync(join(root, driver, cacheID, "diff"), { recursive: true });
    }
    return { id: writeImage(root, driver, configOf(i, diffIDs)), tag: `many/image-${i}:1`, chains };
  });
  writeFileSync(
    join(root, "image", driver, "repositories.json"),
    JSON.stringify({ Repositories: Object.fromEntries(made.map(({ id, tag }) => [nameOf(tag), { [tag]: id }])) }),
  );
  return { images: made };
}

function writeImage(root: string, driver: string, config: string): Digest {
  const id = digestOf(config);
  const directory = join(root, "image", driver, "imagedb");
  mkdirSync(join(directory, "content", "sha256"), { recursive: true });
  writeFileSync(join(directory, "content", "sha256", hexOf(id)), config);
  mkdirSync(join(directory, "metadata", "sha256", hexOf(id)), { recursive: true });
  writeFileSync(join(directory, "metadata", "sha256", hexOf(id), "lastUpdated"), "2024-05-06T07:08:09.123456789Z");
  return id;
}

/** As large as that of an image that was built from a dozen instructions. */
function configOf(index: number, diffIDs: readonly DiffID[]): string {
  const config = {
    Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", `VERSION=1.2.${index}`],
    Cmd: ["/usr/bin/server", "--config", "/etc/server.conf"],
    WorkingDir: "/srv",
    Labels: { "org.example.index": String(index), "org.example.stage": index % 2 === 0 ? "prod" : "test" },
  };
  const created = new Date(Date.UTC(2024, 0, 1) + index * 60_000).toISOString();
  const history = Array.from({ length: diffIDs.length * 2 }, (_, i) => ({
    created,
    created_by: `/bin/sh -c #(nop) step ${i} of image ${index}: COPY --chown=0:0 some-file-with-a-name /srv/app/${i}/`,
    ...(i % 2 === 0 ? {} : { empty_layer: true }),
  }));
  const rootfs = { type: "layers", diff_ids: diffIDs };
  return JSON.stringify({
    architecture: "amd64",
    config,
    created,
    docker_version: "20.10.24",
    history,
    os: "linux",
    rootfs,
  });
}

function nameOf(tag: string): string {
  return tag.slice(0, tag.lastIndexOf(":"));
}
