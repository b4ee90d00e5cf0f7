import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tarOf } from "../../src/testing/tar-entries.ts";

/** What `docker load` takes: one image of these layers, bottom first. */
export function dockerArchive(name: string, layers: readonly Uint8Array[]): Buffer {
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {},
      created: "2020-01-01T00:00:00Z",
      history: layers.map(() => ({ created: "2020-01-01T00:00:00Z" })),
      rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    }),
  );
  const configName = `${sha256(config)}.json`;
  const layerNames = layers.map((_, index) => `${index}/layer.tar`);
  const manifest = JSON.stringify([{ Config: configName, RepoTags: [`${name}:latest`], Layers: layerNames }]);
  return tarOf([
    { name: configName, content: config },
    ...layers.flatMap((content, index) => [{ name: `${index}/` }, { name: layerNames[index]!, content }]),
    { name: "manifest.json", content: manifest },
  ]);
}

/** The driver's name for a layer in a data-root (FORMATS 2.1). */
export function cacheIDOf(root: string, driver: string, layer: Uint8Array): string {
  const layers = join(root, "image", driver, "layerdb/sha256");
  const wanted = `sha256:${sha256(layer)}`;
  const found = readdirSync(layers).find((chain) => readFileSync(join(layers, chain, "diff"), "utf8") === wanted);
  if (found === undefined) throw new Error(`no layer ${wanted} in ${root}`);
  return readFileSync(join(layers, found, "cache-id"), "utf8");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
