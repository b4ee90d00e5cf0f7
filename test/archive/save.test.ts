import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Stores } from "../../src/archive/archive.ts";
import { save } from "../../src/archive/save.ts";
import { collect } from "../../src/io/byte-source.ts";
import { openStores } from "../../src/testing/archive-bench.ts";
import { readTar, tarOf } from "../../src/testing/tar-entries.ts";
import { busyboxTar, type Dockerd, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

const MIDDLE = `FROM base:1
RUN echo hello > /a && mkdir /d && echo x > /d/x && mkfifo /fifo
ENV X=<y>&z
RUN rm /a; rm -r /d; mkdir /d; ln /bin/busybox /d/hard; touch /tmp/$(printf 'bad-\\\\377')
LABEL é=ü "odd label"="<&>"
`;

/** What is saved, and how often Docker may have to be asked until it happens to take the images in our order. */
const SAVED: Readonly<Record<string, { readonly names: readonly string[]; readonly orders: number }>> = {
  "one image": { names: ["middle:1"], orders: 1 },
  "an image of one layer": { names: ["base:1"], orders: 1 },
  "an image with several tags": { names: ["top:1", "reg:5000/x/y", "other/name:v1"], orders: 1 },
  "a tag that is asked for twice": { names: ["top:1", "docker.io/library/top:1"], orders: 1 },
  "an image without a tag, by its id": { names: ["$untagged"], orders: 1 },
  "an image by the beginning of its id": { names: ["$short"], orders: 1 },
  "two images that share layers": { names: ["side:1", "top:1"], orders: 2 },
};

/** Here Docker leaves the time of the saving on the directories that hold links. */
const LINKED: Readonly<Record<string, readonly string[]>> = {
  "an image with a layer that comes back": ["twice:1"],
  "images on top of one another": ["base", "middle", "top"],
};

/** Docker takes images in an order of chance. */
const ATTEMPTS = 12;

describe.skipIf(lack)(`save beside docker save${lack ?? ""}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-save-"));
  const root = join(scratch, "root");
  const theirs = new Map<string, Buffer[]>();
  const variables = new Map<string, string>();
  let stores: Stores;

  beforeAll(async () => {
    await using daemon = await start({ root });
    await makeImages(daemon);
    for (const [title, { names, orders }] of Object.entries(SAVED)) {
      const archives: Buffer[] = [];
      for (let i = 0; i < (orders === 1 ? 1 : ATTEMPTS); i++)
        archives.push(await daemon.docker(["save", ...named(names)]));
      theirs.set(title, archives);
    }
    for (const [title, names] of Object.entries(LINKED)) {
      const archives: Buffer[] = [];
      for (let i = 0; i < ATTEMPTS; i++) archives.push(await daemon.docker(["save", ...names]));
      theirs.set(title, archives);
    }
  });
  beforeAll(async () => {
    stores = await openStores(root);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function makeImages(daemon: Dockerd): Promise<void> {
    const base = busyboxTar();
    await daemon.docker(["import", "-c", 'CMD ["/bin/sh"]', "-", "base:1"], { input: base });
    await build(daemon, "middle:1", MIDDLE);
    await build(daemon, "top:1", "FROM middle:1\nRUN echo z > /zz\nLABEL last=1\n");
    await build(daemon, "side:1", "FROM middle:1\nRUN echo side > /side\n");
    for (const tag of ["reg:5000/x/y", "other/name:v1"]) await daemon.docker(["tag", "top:1", tag]);
    const untagged = await build(daemon, undefined, "FROM base:1\nRUN echo untagged > /u\n");
    variables.set("$untagged", untagged);
    variables.set("$short", untagged.slice(7, 19));
    // The same bytes as a layer of their own and as one on top of another.
    await daemon.docker(["import", "-", "twice:0"], { input: base });
    await daemon.docker(["load"], { input: withLayerTwice(await daemon.docker(["save", "twice:0"])) });
  }

  async function build(daemon: Dockerd, tag: string | undefined, dockerfile: string): Promise<string> {
    process.env.DOCKER_BUILDKIT = "0";
    const args = ["build", "-q", "--network", "none", ...(tag === undefined ? [] : ["-t", tag]), "-"];
    return (await daemon.docker(args, { input: dockerfile })).toString().trim();
  }

  function named(names: readonly string[]): string[] {
    return names.map((name) => variables.get(name) ?? name);
  }

  test.each(Object.keys(SAVED))("%s: the same bytes", async (title) => {
    const ours = await collect(save(named(SAVED[title]!.names), stores), 1 << 28);
    expect(theirs.get(title)!.some((archive) => archive.equals(ours))).toBe(true);
  });

  test.each(Object.entries(LINKED))("%s: the same but for the times beside links", async (title, names) => {
    const ours = timeless(await collect(save(names, stores), 1 << 28));
    expect(ours).toContain('"type":"2"');
    expect(theirs.get(title)!.map(timeless)).toContain(ours);
  });

  test("is the same whenever it is made", async () => {
    const once = await collect(save(["base", "middle", "top"], stores), 1 << 28);
    expect((await collect(save(["base", "middle", "top"], stores), 1 << 28)).equals(once)).toBe(true);
  });
});

/** All of an archive but the times in directories with a link. */
function timeless(archive: Buffer): string {
  const members = readTar(archive);
  const directoryOf = (name: string): string => name.split("/")[0]!;
  const linked = new Set(
    members.filter(({ header }) => header.type === "2").map(({ header }) => directoryOf(header.name)),
  );
  return JSON.stringify(
    members.map(({ header: { mtime, records, ...header }, content }) => ({
      ...header,
      content,
      time: linked.has(directoryOf(header.name)) ? undefined : mtime,
    })),
  );
}

/** The archive of a one-layer image, turned into one of an image that has the layer twice. */
function withLayerTwice(archive: Buffer): Buffer {
  const members = new Map(readTar(archive).map(({ header, content }) => [header.name as string, content]));
  const [item] = JSON.parse(members.get("manifest.json")!) as [{ Config: string; Layers: string[] }];
  const config = JSON.parse(members.get(item.Config)!) as { history?: unknown; rootfs: { diff_ids: string[] } };
  delete config.history;
  config.rootfs.diff_ids.push(config.rootfs.diff_ids[0]!);
  const layer = item.Layers[0]!;
  const manifest = [{ Config: "config.json", RepoTags: ["twice:1"], Layers: [layer, layer] }];
  return tarOf([
    { name: "config.json", content: JSON.stringify(config) },
    { name: layer, content: Buffer.from(members.get(layer)!, "latin1") },
    { name: "manifest.json", content: JSON.stringify(manifest) },
  ]);
}
