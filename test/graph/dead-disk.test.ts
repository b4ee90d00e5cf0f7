import { execFileSync } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { migrateOldGraph } from "../../src/engine/old-graph.ts";
import { openStore } from "../../src/engine/store.ts";
import type { V1SaveEvent } from "../../src/engine/v1-layers.ts";
import { V1Store } from "../../src/engine/v1-store.ts";
import { VarveError } from "../../src/errors.ts";
import { collect, sourceOf } from "../../src/io/byte-source.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { type MadeV1Image, makeV1Graph, type V1Container, type V1Image } from "../../src/testing/v1-graph.ts";
import { harmV1Image, litterV1Graph, tieV1Images, type V1Harm } from "../../src/testing/v1-harm.ts";
import { makeLargeV1Graph } from "../../src/testing/v1-large.ts";
import { busyboxTar, type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { said, varve } from "../tools/varve.ts";

const lack = lacking("root");
const daemonLack = lacking("root", "dockerd", "busybox");
const NOBODY = 65_534;

const [BASE, PULLED, RENAMED, OLD, LONE] = ["1", "2", "3", "4", "5"].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
  string,
  string,
];
const CONTAINER = `c0${"a".repeat(62)}`;
const DIGEST = `sha256:${"d".repeat(64)}`;

/** Both layouts, a `parent` file, layers with and without tar-data, and two versions of Docker. */
function imagesOn(base: Uint8Array): readonly V1Image[] {
  return [
    { id: BASE, layer: base, fields: { docker_version: "1.6.2", strange: true } },
    {
      id: PULLED,
      parent: BASE,
      layer: tarOf([{ name: "etc/.wh.motd" }, { name: "var/.wh..wh..opq" }, { name: "var/new", content: "n" }]),
      layout: "digests",
      fields: { created: "2015-11-02T11:00:00Z", strange: [1.0] },
    },
    {
      id: RENAMED,
      parent: BASE,
      layer: tarOf([{ name: "a", content: "a" }]),
      parentFile: true,
      fields: { created: "2015-11-02T12:00:00Z" },
    },
    {
      id: OLD,
      parent: PULLED,
      layer: tarOf([{ name: "b", content: "bb" }, { name: "etc/.wh.hosts" }]),
      tarData: false,
      layerSize: false,
      fields: { created: "2015-11-02T13:00:00Z" },
    },
    { id: LONE, layer: tarOf([{ name: "z", content: "z" }]), fields: { created: "2015-11-02T14:00:00Z" } },
  ];
}

const SMALL_BASE = tarOf([
  { name: "etc/", mode: 0o755 },
  { name: "etc/motd", content: "one" },
  { name: "etc/hosts", content: "two" },
  { name: "var/", mode: 0o755 },
  { name: "var/old", content: "o" },
]);
const TAGS = {
  busybox: { latest: OLD, "1": PULLED, [DIGEST]: RENAMED },
  "host:5000/user/app": { latest: RENAMED },
};
const CHANGES: V1Container = {
  id: CONTAINER,
  image: PULLED,
  changes: tarOf([{ name: "etc/.wh.hosts" }, { name: "home/", mode: 0o755 }, { name: "home/me", content: "hi" }]),
};

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "varve-dead-disk-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function makeGraph(driver: "overlay2" | "vfs", base: Uint8Array = SMALL_BASE): Map<string, MadeV1Image> {
  chmodSync(root, 0o755);
  return makeV1Graph(root, { driver, images: imagesOn(base), tags: TAGS, containers: [CHANGES] });
}

async function open(): Promise<{ old: V1Store; warnings: string[] }> {
  const warnings: string[] = [];
  const old = await V1Store.open({ root, onWarning: (message) => void warnings.push(message) });
  return { old, warnings };
}

const bytesOf = (source: AsyncIterable<Uint8Array>): Promise<Buffer> => collect(source, 64 << 20);

/** What has changed anything at all below the root leaves a trace in this. */
function traces(): string {
  return execFileSync("find", [root, "-printf", "%P %y %m %U:%G %s %T@ %C@\n"], { maxBuffer: 64 << 20 }).toString();
}

interface LoadedImage {
  readonly id: string;
  readonly parent: string | undefined;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

/** The images that an archive holds, by what Varve makes of it. */
async function loaded(archive: Uint8Array): Promise<LoadedImage[]> {
  const target = mkdtempSync(join(tmpdir(), "varve-dead-disk-target-"));
  try {
    await using store = await openStore({ root: target, driver: "overlay2" });
    await store.load(sourceOf(archive));
    const images = await store.images({ all: true });
    return await Promise.all(
      images.map(async ({ id, parent, tags }) => {
        const layers = (await store.layers(id)).map(({ diffID }) => diffID);
        return { id, parent, tags, layers };
      }),
    );
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

/** An archive of Docker 1.9 has the ancestors as well. */
function withoutParent({ id, tags, layers }: LoadedImage): Omit<LoadedImage, "parent"> {
  return { id, tags, layers };
}

describe.skipIf(lack)(`the v1 graph of a dead disk${lack ?? ""}`, () => {
  describe.each(["overlay2", "vfs"] as const)("on %s", (driver) => {
    test("is listed as Docker 1.9 did", async () => {
      const made = makeGraph(driver);
      const { old, warnings } = await open();
      const sizeOf = (...ids: string[]): number => ids.reduce((sum, id) => sum + made.get(id)!.size, 0);
      expect(await old.images()).toEqual([
        {
          id: LONE,
          parent: undefined,
          tags: [],
          digests: [],
          created: "2015-11-02T14:00:00Z",
          size: sizeOf(LONE),
          virtualSize: sizeOf(LONE),
        },
        {
          id: OLD,
          parent: PULLED,
          tags: ["busybox:latest"],
          digests: [],
          created: "2015-11-02T13:00:00Z",
          size: 2,
          virtualSize: sizeOf(BASE, PULLED) + 2,
        },
        expect.objectContaining({
          id: RENAMED,
          parent: BASE,
          tags: ["host:5000/user/app:latest"],
          digests: [`busybox@${DIGEST}`],
        }),
        expect.objectContaining({ id: PULLED, tags: ["busybox:1"], virtualSize: sizeOf(BASE, PULLED) }),
      ]);
      expect((await old.images({ all: true })).at(-1)).toMatchObject({ id: BASE, tags: [] });
      expect(warnings).toEqual([]);
    });

    test.each([
      [{ dangling: true }, [LONE]],
      [{ reference: ["busybox"] }, [OLD, RENAMED, PULLED]],
      [{ reference: ["host:5000/*/*:lat*"] }, [RENAMED]],
      [{ before: "busybox:1" }, []],
      [{ since: RENAMED.slice(0, 5) }, [LONE, OLD]],
      [{ until: "2015-11-02T12:30:00Z" }, [RENAMED, PULLED]],
    ])("is listed by the filters %j", async (filters, ids) => {
      makeGraph(driver);
      const { old } = await open();
      expect((await old.images({ filters })).map(({ id }) => id)).toEqual(ids);
    });

    test("is saved as images of today, with the layers that went in", async () => {
      const made = makeGraph(driver);
      const { old } = await open();
      const images = await loaded(await bytesOf(old.save(["busybox", RENAMED])));
      expect(images.map(({ tags }) => tags)).toEqual([["busybox:latest"], [], ["busybox:1"]]);
      expect(images.map(({ parent }) => parent)).toEqual([images[2]!.id, undefined, undefined]);
      const layers = [BASE, PULLED, RENAMED].map((id) => made.get(id)!.diffID);
      expect(images.map((image) => image.layers)).toEqual([
        [layers[0], layers[1], expect.stringMatching(/^sha256:/)],
        [layers[0], layers[2]],
        [layers[0], layers[1]],
      ]);
    });

    test("gives the same images in every format, and to a file what it gives to a reader", async () => {
      makeGraph(driver);
      const { old } = await open();
      const [docker] = await loaded(await bytesOf(old.save(["busybox:latest"])));
      const [lone] = await loaded(await bytesOf(old.save([LONE])));
      for (const format of ["docker-25", "oci", "docker-1.9"] as const) {
        const archive = await bytesOf(old.save(["busybox:latest"], { format }));
        expect((await loaded(archive)).map(withoutParent)).toContainEqual(withoutParent(docker!));
        expect(await loaded(await bytesOf(old.save([LONE], { format })))).toEqual([lone]);
        const path = `${root}.tar`;
        const file = openSync(path, "w");
        try {
          expect(await old.saveTo(file, ["busybox:latest"], { format })).toBe(archive.length);
          expect(readFileSync(path).equals(archive)).toBe(true);
        } finally {
          closeSync(file);
          rmSync(path);
        }
      }
    });

    test("gives the images that a migration gives", async () => {
      makeGraph(driver);
      const { old } = await open();
      const saved = new Map<string, string>();
      for (const id of [PULLED, RENAMED, LONE, OLD])
        saved.set(id, (await loaded(await bytesOf(old.save([id]))))[0]!.id);
      const { images } = await migrateOldGraph({ root });
      const migrated = new Map<string, string | undefined>(images.map(({ id, image }) => [id, image]));
      for (const [id, image] of saved) expect(migrated.get(id), id).toBe(image);
    });

    test("is saved as Docker 1.9 did: every ancestor with its own JSON", async () => {
      const made = makeGraph(driver);
      const { old } = await open();
      const directory = mkdtempSync(join(tmpdir(), "varve-dead-disk-out-"));
      try {
        const archive = await bytesOf(old.save(["busybox:latest", RENAMED], { format: "docker-1.9" }));
        const listed = execFileSync("tar", ["-tvf", "-", "--full-time", "--utc"], { input: archive }).toString();
        expect(listed.split("\n").filter((line) => line.includes(BASE))).toEqual([
          expect.stringMatching(/^drwxr-xr-x root\/root +0 2015-11-02 10:00:00 1+\/$/),
          expect.stringMatching(/^-rw-r--r-- root\/root +3 2015-11-02 10:00:00 1+\/VERSION$/),
          expect.stringMatching(/^-rw-r--r-- root\/root +\d+ 2015-11-02 10:00:00 1+\/json$/),
          expect.stringMatching(/^-rw-r--r-- root\/root +\d+ 2015-11-02 10:00:00 1+\/layer.tar$/),
        ]);
        execFileSync("tar", ["-xf", "-", "-C", directory], { input: archive });
        const read = (path: string): string => readFileSync(join(directory, path), "latin1");
        expect(read("repositories")).toBe(`{"busybox":{"latest":"${OLD}"}}\n`);
        expect(read(`${BASE}/json`)).toBe(made.get(BASE)!.json);
        expect(read(`${BASE}/layer.tar`)).toBe(Buffer.from(SMALL_BASE).toString("latin1"));
        // A copied tree does not tell when something was deleted from it; each time it must be the same.
        const deletion = driver === "vfs" ? / 1970-01-01 00:00:00 etc\/\.wh\.hosts$/m : / etc\/\.wh\.hosts$/m;
        expect(
          execFileSync("tar", ["-tvf", join(directory, OLD, "layer.tar"), "--utc", "--full-time"]).toString(),
        ).toMatch(deletion);
        expect(JSON.parse(read(`${PULLED}/json`))).toEqual({
          ...JSON.parse(made.get(PULLED)!.json),
          id: PULLED,
          parent: BASE,
        });
        expect(JSON.parse(read(`${RENAMED}/json`))).toMatchObject({ id: RENAMED, parent: BASE });
        const tops = [...listed.matchAll(/ ([0-9a-z]+)\/?$/gm)].map(([, name]) => name);
        expect(tops).toEqual([BASE, PULLED, RENAMED, OLD, "repositories"]);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });

    test("gives a container's whole tree", async () => {
      makeGraph(driver);
      const { old } = await open();
      for (const name of [CONTAINER, CONTAINER.slice(0, 4), `v1-${CONTAINER.slice(0, 6)}`]) {
        const tar = await bytesOf(old.export(name));
        const names = execFileSync("tar", ["-t"], { input: tar }).toString().trim().split("\n");
        expect(names).toEqual(expect.arrayContaining(["home/me", "var/new", ".dockerenv", "etc/hostname"]));
        expect(names.filter((name) => ["etc/motd", "var/old", "etc/hosts"].includes(name))).toEqual([]);
        expect(execFileSync("tar", ["-xO", "home/me"], { input: tar }).toString()).toBe("hi");
      }
      await expect(bytesOf(old.export("nobody"))).rejects.toMatchObject({
        code: "not-found",
        message: "No such container: nobody",
      });
    });

    test("is left as it is, to the last time stamp", async () => {
      makeGraph(driver);
      litterV1Graph(root);
      const before = traces();
      const { old } = await open();
      await old.images({ all: true });
      for (const format of ["docker", "docker-25", "oci", "docker-1.9"] as const)
        await bytesOf(old.save(["busybox", LONE], { format }));
      await bytesOf(old.export(CONTAINER));
      expect(await said(["--root", root, "--v1", "images", "-q", "--no-trunc"])).toBe(
        [LONE, OLD, RENAMED, RENAMED, PULLED].map((id) => `${id}\n`).join(""),
      );
      await said(["--root", root, "--v1", "save", "busybox"]);
      await said(["--root", root, "--v1", "export", CONTAINER]);
      expect(traces()).toBe(before);
    });

    test.each<[V1Harm, string, RegExp]>([
      ["json-cut", "corrupt", /^image 4+: unexpected end of JSON input$/],
      ["json-missing", "corrupt", /^(image 4+: )?no such id: 4+$/],
      ["other-id", "corrupt", /^Image stored at '4+' has wrong id '0+1'$/],
      ["parent-missing", "corrupt", /^image 4+: its parent cannot be used: image 0+1 is not there$/],
      ["own-parent", "corrupt", /^image 4+ is its own ancestor, or stands on one that is$/],
      ["tree-missing", "not-found", /^image 4+: the driver \w+ has no tree of it$/],
    ])(
      "with an image that is harmed (%s) lists and saves the others, and says why not that",
      async (harm, code, why) => {
        makeGraph(driver);
        harmV1Image(root, driver, OLD, harm);
        const { old, warnings } = await open();
        expect((await old.images()).map(({ id }) => id)).toEqual([LONE, RENAMED, PULLED]);
        expect(warnings).toEqual([expect.stringMatching(why.source.replace(/\$$/, " \\(busybox:latest\\)$"))]);
        for (const name of [OLD, "busybox:latest"])
          await expect(bytesOf(old.save([name]))).rejects.toMatchObject({ code, message: expect.stringMatching(why) });
        expect(await loaded(await bytesOf(old.save(["busybox:1"])))).toHaveLength(1);
      },
    );

    test.each<[V1Harm | "file-missing", RegExp]>([
      ["file-missing", /^image 2+: .*no such file or directory/],
      ["file-changed", /^image 2+: file integrity checksum failed for "var\/new"/],
      ["tar-data-cut", /^image 2+: /],
      ["tar-data-strange", /^image 2+: /],
    ])("with a layer that is harmed (%s) gives out no image on it", async (harm, why) => {
      makeGraph(driver);
      // On vfs the first file of the tree is another layer's.
      if (harm === "file-changed") writeFileSync(fileOf(driver, PULLED, "var/new"), "x");
      else if (harm === "file-missing") rmSync(fileOf(driver, PULLED, "var/new"));
      else harmV1Image(root, driver, PULLED, harm);
      const { old } = await open();
      for (const format of ["docker", "docker-1.9"] as const)
        await expect(bytesOf(old.save(["busybox:latest"], { format }))).rejects.toMatchObject({
          code: "corrupt",
          message: expect.stringMatching(why),
        });
      expect(await loaded(await bytesOf(old.save([RENAMED])))).toHaveLength(1);
    });

    test("with a pipe in the place of a tar-split gives an error and does not wait for its writer", async () => {
      makeGraph(driver);
      const split = join(root, "graph", PULLED, "tar-data.json.gz");
      rmSync(split);
      execFileSync("mkfifo", [split]);
      const { old } = await open();
      for (const format of ["docker", "docker-1.9"] as const)
        await expect(bytesOf(old.save(["busybox:1"], { format }))).rejects.toMatchObject({
          code: "corrupt",
          message: expect.stringContaining("not a regular file"),
        });
    });

    test("with a size that is none counts by itself", async () => {
      const made = makeGraph(driver);
      harmV1Image(root, driver, LONE, "layersize-strange");
      const { old, warnings } = await open();
      expect((await old.images())[0]).toMatchObject({ id: LONE, size: made.get(LONE)!.size });
      expect(warnings).toEqual([expect.stringMatching(/^image 5+: invalid size "many"$/)]);
    });

    test("with a circle of parents is the rest", async () => {
      makeGraph(driver);
      tieV1Images(root, BASE, LONE);
      const { old, warnings } = await open();
      expect(await old.images({ all: true })).toEqual([]);
      expect(warnings).toContain(`image ${LONE} is its own ancestor, or stands on one that is`);
      expect(warnings).toHaveLength(5);
      await expect(bytesOf(old.save(["busybox"]))).rejects.toMatchObject({ code: "corrupt" });
    });

    test("whose layers change while they are saved gives an error", async () => {
      makeGraph(driver);
      const { old } = await open();
      const onEvent = ({ kind, id, total }: V1SaveEvent): void => {
        if (kind === "reading" && id === OLD && total > 0) writeFileSync(fileOf(driver, OLD, "b"), "cc");
      };
      await expect(bytesOf(old.save(["busybox:latest"], { onEvent }))).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringMatching(/^image 4+: its layer is not the one that was read before/),
      });
    });

    test("is left alone as soon as nobody wants it any more", async () => {
      makeGraph(driver);
      const { old } = await open();
      for (const kind of ["reading", "saving"]) {
        const controller = new AbortController();
        const { signal } = controller;
        const onEvent = (event: V1SaveEvent): void => {
          if (event.kind === kind) controller.abort();
        };
        await expect(bytesOf(old.save(["busybox"], { signal, onEvent }))).rejects.toMatchObject({ code: "cancelled" });
      }
    });

    test("believes what a migration noted of a layer, and sees when that is not so", async () => {
      const made = makeGraph(driver);
      const note = (diffID: string): void => writeFileSync(join(root, "graph", LONE, ".migration-diffid"), diffID);
      const read: string[] = [];
      const onEvent = ({ kind, id }: V1SaveEvent): void => {
        if (kind === "reading") read.push(id);
      };
      note(made.get(LONE)!.diffID);
      await bytesOf((await open()).old.save([LONE], { onEvent }));
      expect(read).toEqual([]);
      note(DIGEST);
      await expect(bytesOf((await open()).old.save([LONE]))).rejects.toMatchObject({ code: "corrupt" });
    });

    test.each([
      [["nobody"], "not-found", "No such image: nobody"],
      [["busybox:2"], "not-found", "No such image: busybox:2"],
      [["9".repeat(64)], "not-found", `No such image: ${"9".repeat(64)}`],
      [["Not//A name"], "invalid-reference", expect.stringMatching(/^invalid reference format/)],
      [[], "invalid-argument", "no image to save was named"],
    ])("has no image of the name %j", async (names, code, message) => {
      makeGraph(driver);
      const { old } = await open();
      await expect(bytesOf(old.save(names))).rejects.toMatchObject({ code, message });
    });

    test("knows images by all their names", async () => {
      makeGraph(driver);
      makeV1Graph(root, {
        driver,
        images: [{ id: `${"5".repeat(63)}6`, layer: tarOf([{ name: "y" }]) }],
        tags: { ...TAGS, "Old/Name": { latest: LONE } },
      });
      const { old, warnings } = await open();
      for (const [name, count] of [
        ["busybox", 3],
        ["docker.io/library/busybox:1", 1],
        [`busybox@${DIGEST}`, 1],
        ["host:5000/user/app", 1],
        [OLD.slice(0, 12), 1],
        ["Old/Name", 1],
      ] as const)
        expect(await loaded(await bytesOf(old.save([name]))), name).toHaveLength(count);
      expect(warnings).toEqual(["Old/Name:latest is no name that stores of today take: it is left out"]);
      await expect(bytesOf(old.save(["555"]))).rejects.toMatchObject({
        code: "ambiguous",
        message: "Multiple IDs found with provided prefix: 555",
      });
    });
  });

  test("on vfs is an ordinary user's, as far as it can be read", async () => {
    makeGraph("vfs");
    const noPermission = await varve(["--root", root, "--v1", "images"], { user: NOBODY });
    expect(noPermission.error).toBe(
      `varve: no permission to read ${join(root, "graph")}: run as root, or let this user read it\n`,
    );
    execFileSync("chmod", ["-R", "a+rX", join(root, "graph")]);
    chmodSync(join(root, "vfs"), 0o700);
    const noTrees = await varve(["--root", root, "--v1", "images"], { user: NOBODY });
    expect(noTrees.error).toContain(`no permission to read ${join(root, "vfs")}: run as root`);
    const expected = await varve(["--root", root, "--v1", "save", "busybox"]);
    execFileSync("chmod", ["-R", "a+rX", root]);
    const before = traces();
    expect(await said(["--root", root, "--v1", "images", "-q"], { user: NOBODY })).toMatch(/^5+\n4+\n(3+\n){2}2+\n$/);
    const saved = await varve(["--root", root, "--v1", "save", "busybox"], { user: NOBODY });
    expect(saved).toMatchObject({ status: 0, error: "" });
    expect(saved.output.equals(expected.output)).toBe(true);
    expect(await said(["--root", root, "--v1", "export", CONTAINER], { user: NOBODY })).toContain("home/me");
    expect(traces()).toBe(before);
  });

  test("on overlay2 is an ordinary user's, but for what needs root, which it says", async () => {
    makeGraph("overlay2");
    const expected = await varve(["--root", root, "--v1", "save", "busybox:1"]);
    execFileSync("chmod", ["-R", "a+rX", root]);
    const saved = await varve(["--root", root, "--v1", "save", "busybox:1"], { user: NOBODY });
    expect(saved).toMatchObject({ status: 0, error: "" });
    expect(saved.output.equals(expected.output)).toBe(true);
    expect(await varve(["--root", root, "--v1", "save", OLD], { user: NOBODY })).toMatchObject({
      status: 1,
      error: `varve: image ${OLD} has no tar-data.json.gz: to make its layer of the files of overlay2 needs root\n`,
    });
    expect(await varve(["--root", root, "--v1", "export", CONTAINER], { user: NOBODY })).toMatchObject({
      status: 1,
      error: "varve: mounting a layer needs root\n",
    });
  });

  test.each([
    [["--v1", "load"], "--v1 is for images, save and export"],
    [["rmi", "--v1", "busybox"], "--v1 is for images, save and export"],
    [["migrate", "--v1", "v1"], "--v1 is for images, save and export"],
    [["save", "--format", "docker-1.9", "busybox"], "the format docker-1.9 is for --v1"],
  ])("is not asked for by %j", async (args, message) => {
    const { status, error } = await varve(["--root", root, ...args]);
    expect({ status, error }).toEqual({ status: 125, error: expect.stringContaining(message) });
  });

  test.each<[string, () => void, readonly string[], string, string]>([
    ["has no graph", () => {}, [], "not-found", "there is no v1 graph in "],
    ["has no trees", () => execFileSync("mkdir", [join(root, "graph")]), [], "not-found", "has no trees of any driver"],
    [
      "has graphs of two drivers",
      () => {
        makeGraph("vfs");
        writeFileSync(join(root, "repositories-vfs.bak"), "{}");
        writeFileSync(join(root, "repositories-aufs"), "{}");
      },
      [],
      "conflict",
      "choose one with --driver",
    ],
    [
      "has a graph of another driver",
      () => {
        execFileSync("mkdir", [join(root, "graph")]);
        writeFileSync(join(root, "repositories-aufs"), "{}");
      },
      [],
      "unsupported",
      "driver not supported: aufs",
    ],
  ])("is not opened where the root %s", async (_, make, __, code, message) => {
    make();
    await expect(open()).rejects.toThrow(VarveError);
    await expect(open()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test("of another driver is told in one line", async () => {
    makeLargeV1Graph(root, "vfs", { images: 20 });
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    writeFileSync(join(root, "repositories-overlay2"), `{"Repositories":{"app":{"1":"${LONE}"}}}`);
    const old = await V1Store.open({ root, driver: "overlay2", onWarning });
    expect(await old.images()).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/^the driver overlay2 has no trees of 20 images of the graph, such as [0-9a-f]{64}$/),
      `image ${LONE} is not there (app:1)`,
    ]);
  });

  test("without a file of tags that can be read has images by their ids", async () => {
    makeGraph("vfs");
    writeFileSync(join(root, "repositories-vfs"), "[1]");
    const { old, warnings } = await open();
    expect((await old.images()).map(({ id }) => id)).toEqual([LONE, OLD, RENAMED]);
    expect(warnings).toEqual([expect.stringContaining("the names of the images cannot be read")]);
  });

  test("gives no advice about what nobody can mend", async () => {
    makeGraph("vfs");
    harmV1Image(root, "vfs", OLD, "json-cut");
    expect(await varve(["--root", root, "--v1", "save", OLD])).toMatchObject({
      status: 1,
      error: `varve: image ${OLD}: unexpected end of JSON input\n`,
    });
  });

  test("has its names completed", async () => {
    makeGraph("vfs");
    const complete = (...words: string[]): Promise<string> => said(["__complete", "--root", root, "--v1", ...words]);
    expect(await complete("save", "busybox:")).toBe("busybox:latest\timage\nbusybox:1\timage\n");
    expect(await complete("export", "v1")).toMatch(/^v1-c0aaaa\t/);
  });

  test("says which containers there are", async () => {
    makeGraph("vfs");
    expect(await (await open()).old.containers()).toEqual([
      { id: CONTAINER, name: "v1-c0aaaa", image: PULLED, driver: "vfs" },
    ]);
    expect(await varve(["--root", root, "--v1", "export", "nobody"])).toMatchObject({
      status: 1,
      error: "varve: No such container: nobody. There are: v1-c0aaaa.\n",
    });
  });
});

describe.skipIf(daemonLack)(`dockerd 20.10${daemonLack ?? ""}`, () => {
  let dockerd: Dockerd;
  beforeAll(async () => {
    dockerd = await start();
  });
  afterAll(async () => await dockerd.stop());

  test.each([
    ["overlay2", "docker"],
    ["overlay2", "docker-1.9"],
    ["vfs", "docker"],
    ["vfs", "docker-1.9"],
  ] as const)("loads what was saved of a graph on %s as %s, and runs it", async (driver, format) => {
    const made = makeGraph(driver, busyboxTar());
    const archive = `${root}.tar`;
    try {
      await said(["--root", root, "--v1", "save", "--format", format, "-o", archive, "busybox", "host:5000/user/app"]);
      await dockerd.docker(["load", "-i", archive]);
    } finally {
      rmSync(archive, { force: true });
    }
    const layersOf = async (name: string): Promise<string[]> =>
      JSON.parse(`${await dockerd.docker(["inspect", "--format", "{{json .RootFS.Layers}}", name])}`);
    const [base, pulled, renamed] = [BASE, PULLED, RENAMED].map((id) => made.get(id)!.diffID);
    expect(await layersOf("busybox:1")).toEqual([base, pulled]);
    expect(await layersOf("busybox:latest")).toEqual([base, pulled, expect.stringMatching(/^sha256:/)]);
    expect(await layersOf("host:5000/user/app:latest")).toEqual([base, renamed]);
    const shell = ["run", "--rm", "--network=none", "busybox:latest", "cat", "/b", "/var/new"];
    expect(`${await dockerd.docker(shell)}`).toBe("bbn");
    const history = `${await dockerd.docker(["history", "--no-trunc", "--format", "{{.CreatedBy}}", "busybox:latest"])}`;
    expect(history.trim().split("\n")).toHaveLength(3);
    await dockerd.docker(["rmi", "-f", "busybox:1", "busybox:latest", "host:5000/user/app:latest"]);
  });
});

function fileOf(driver: "overlay2" | "vfs", id: string, path: string): string {
  return driver === "vfs" ? join(root, "vfs", "dir", id, path) : join(root, "overlay2", id, "diff", path);
}
