import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../digest/digest.ts";
import { isVarveError } from "../errors.ts";
import { sourceOf } from "../io/byte-source.ts";
import { ArchiveBench, makeLayer } from "../testing/archive-bench.ts";
import { type TarEntry, tarOf } from "../testing/tar-entries.ts";
import type { Stores } from "./archive.ts";
import { type LoadEvent, type LoadedImage, load } from "./load.ts";

const [A, B, C] = ["a", "b", "c"].map((letter) => letter.repeat(64)) as [string, string, string];

describe("an archive of Docker 1.9", () => {
  let bench: ArchiveBench;
  let stores: Stores;
  beforeEach(async () => {
    bench = new ArchiveBench();
    stores = await bench.stores();
  });
  afterEach(() => bench.dispose());

  function loadMembers(members: readonly TarEntry[], onEvent?: (event: LoadEvent) => void): Promise<LoadedImage[]> {
    return load(sourceOf(tarOf(members)), stores, { temporary: bench.temporary, onEvent });
  }

  test("becomes one image for each directory, parents below", async () => {
    const events: LoadEvent[] = [];
    const members = [...v1(A, { parent: B }), ...v1(B, { parent: C, cmd: ["/bin/sh", "-c", "x"] }), ...v1(C)];
    const loaded = await loadMembers(
      [...members, tags({ app: { "1": A, old: B } })],
      (event) => void events.push(event),
    );
    expect(loaded.map(({ references }) => references)).toEqual([[], ["app:old"], ["app:1"]]);
    const [bottom, middle, top] = loaded.map(({ id }) => id);
    expect(stores.images.parent(top!)).toBe(middle);
    expect(stores.images.parent(middle!)).toBe(bottom);
    const { config, diffIDs } = stores.images.get(top!);
    expect(diffIDs).toEqual([C, B, A].map((id) => digestOf(layerOf(id))));
    expect(config.history!.map(({ createdBy }) => createdBy)).toEqual(["", "/bin/sh -c x", ""]);
    const labels = events.flatMap((event) => (event.kind === "layer" ? [event.label] : []));
    expect(labels).toEqual([C, B, A].map((id) => id.slice(0, 12)));
  });

  test("may have compressed layers", async () => {
    const [json, layer] = v1(A);
    expect(await loadMembers([json!, { ...layer!, content: gzipSync(layerOf(A)) }, tags({})])).toHaveLength(1);
  });

  test.each<[string, TarEntry[], string]>([
    ["without repositories", v1(A), "does not contain a manifest.json"],
    ["with a tag for an image that is not there", [...v1(A), tags({ app: { "1": B } })], `invalid target ID: ${B}`],
    ["whose parents go round", [...v1(A, { parent: B }), ...v1(B, { parent: A }), tags({})], "is its own ancestor"],
    ["without a parent", [...v1(A, { parent: B }), tags({})], `open ${B}/json: no such file`],
    ["without a layer", [v1(A)[0]!, tags({})], `the layer "${A}/layer.tar" is not in it`],
    ["with a directory that is no image", [...v1(A), { name: "etc/" }, tags({})], "open etc/json: no such file"],
    ["for another system", [...v1(A, { os: "windows" }), tags({})], "cannot load windows image on linux"],
    ["of a chain that is too long", [...chain(130), tags({})], "max depth exceeded"],
    ["with a name that is none", [...v1(A), tags({ "A B": { "1": A } })], "repository name must be lowercase"],
  ])("%s is refused", async (_, members, message) => {
    const error = await loadMembers(members).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(isVarveError(error)).toBe(true);
    expect((error as Error).message).toContain(message);
    expect(stores.images.map().size).toBe(0);
    expect(stores.layers.map().size).toBe(0);
  });
});

function layerOf(id: string): Buffer {
  return makeLayer(id.slice(0, 20));
}

function v1(id: string, fields: { parent?: string; os?: string; cmd?: string[] } = {}): TarEntry[] {
  const { parent, os = "linux", cmd } = fields;
  const json = {
    id,
    ...(parent && { parent }),
    os,
    created: "2015-11-02T10:00:00Z",
    container_config: { Cmd: cmd ?? null },
  };
  return [
    { name: `${id}/json`, content: JSON.stringify(json) },
    { name: `${id}/layer.tar`, content: layerOf(id) },
    { name: `${id}/VERSION`, content: "1.0" },
  ];
}

function chain(length: number): TarEntry[] {
  const id = (i: number): string => i.toString(16).padStart(64, "0");
  return Array.from({ length }, (_, i) => v1(id(i), i + 1 < length ? { parent: id(i + 1) } : {})).flat();
}

function tags(repositories: Readonly<Record<string, Readonly<Record<string, string>>>>): TarEntry {
  return { name: "repositories", content: JSON.stringify(repositories) };
}
