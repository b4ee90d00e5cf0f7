import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../src/digest/digest.ts";
import { openDriver } from "../../src/driver/select.ts";
import { EMPTY_IMAGE_CONFIG, formatImageConfig, type ImageConfig, rootFSOf } from "../../src/image/config.ts";
import { type ContainerConfig, EMPTY_CONTAINER_CONFIG } from "../../src/image/container-config.ts";
import { FileBackend } from "../../src/image/file-backend.ts";
import { EMPTY_HISTORY_ENTRY, historySteps } from "../../src/image/history.ts";
import { type Image, type ImageID, parseImage } from "../../src/image/image.ts";
import { configOfV1, historyEntryOf } from "../../src/image/legacy-config.ts";
import { ImageStore } from "../../src/image/store.ts";
import { v1Layers } from "../../src/image/v1-id.ts";
import { formatTime, ZERO_TIME } from "../../src/json/go-time.ts";
import { FileMetadata } from "../../src/layer/file-metadata.ts";
import { LayerStore } from "../../src/layer/store.ts";
import { lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker");

/** What `docker image inspect` says, as far as it is compared. */
interface Inspected {
  readonly Id: ImageID;
  readonly RepoTags: readonly string[];
  readonly Parent: string;
  readonly Size: number;
  readonly Metadata: { readonly LastTagTime: string };
}

/** One run of a dockerd in which everything is made that the tests look at; then it is stopped and its root read. */
describe.skipIf(lack)(`images of a dockerd${lack ?? ""}`, () => {
  let scratch: string;
  let root: string;
  let inspected: Map<string, Inspected>;
  let historySizes: number[];
  let daemonVersion: string;
  let importedDiffID: string;
  let containerID: string;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-images-"));
    root = join(scratch, "data");
    const daemon = await start({ root });
    try {
      const { docker } = daemon;
      const inspect = async (name: string): Promise<Inspected> =>
        JSON.parse((await docker(["image", "inspect", name])).toString())[0];
      const base = tarOf("base", { "etc/motd": "hello" });
      importedDiffID = digestOf(readFileSync(base));
      const changes = [
        'CMD ["/bin/sh","<&>"]',
        "ENV A=b PATH=/bin",
        "EXPOSE 80 53/udp",
        "VOLUME /b /a",
        'LABEL x=y é=\u2028 <b>="&"',
        "HEALTHCHECK --interval=90s --retries=3 CMD true",
        "ONBUILD RUN x",
        "USER me",
        "WORKDIR /w",
      ].flatMap((change) => ["-c", change]);
      await docker(["import", base, "plain:1"]);
      await docker(["import", ...changes, "-m", "a <message>", base, "rich:1"]);
      containerID = (await docker(["create", "--name", "c1", "rich:1", "/run", "me"])).toString().trim();
      await docker(["cp", base, "c1:/added"]);
      await docker(["commit", "-m", "msg here", "-a", "Me <me@x>", "-c", "ENV B=c", "c1", "child:1"]);
      await docker(["create", "--name", "c2", "child:1"]);
      await docker(["commit", "-m", "nothing new", "c2", "grandchild:1"]);
      await docker(["load", "-i", oddArchive()]);
      await docker(["tag", "plain:1", "plain:2"]);
      daemonVersion = (await docker(["version", "-f", "{{.Server.Version}}"])).toString().trim();
      inspected = new Map();
      for (const name of NAMES) {
        inspected.set(name, await inspect(name));
        await docker(["save", "-o", join(scratch, `${name}.tar`), name]);
      }
      const sizes = await docker(["history", "--human=false", "--format", "{{.Size}}", "grandchild:1"]);
      historySizes = sizes.toString().trim().split("\n").map(Number);
    } finally {
      await daemon.stop();
    }
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const NAMES = ["plain:1", "rich:1", "child:1", "grandchild:1", "odd:1", "odd:2"];
  const imagedb = (): FileBackend => new FileBackend(join(root, "image/overlay2/imagedb"), { sync: false });
  const imageOf = (name: string): Image => parseImage(imagedb().get(inspected.get(name)!.Id));

  test.each(["plain:1", "rich:1", "child:1", "grandchild:1"])("%s: the same values make the same bytes", (name) => {
    const { config, raw } = imageOf(name);
    expect(formatImageConfig(config).toString()).toBe(raw.toString());
  });

  test("an import is made of its few values", () => {
    const { config, raw } = imageOf("plain:1");
    const { created } = config;
    const made: ImageConfig = {
      ...EMPTY_IMAGE_CONFIG,
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      comment: "Imported from -",
      config: EMPTY_CONTAINER_CONFIG,
      created,
      dockerVersion: daemonVersion,
      history: [{ ...EMPTY_HISTORY_ENTRY, created, comment: "Imported from -" }],
      os: "linux",
      rootfs: rootFSOf([importedDiffID as `sha256:${string}`]),
    };
    expect(formatImageConfig(made).toString()).toBe(raw.toString());
  });

  test("a commit is made of its parent and its container", () => {
    const parent = imageOf("rich:1").config;
    const child = imageOf("child:1");
    const { created } = child.config;
    const container: ContainerConfig = {
      ...parent.config!,
      hostname: containerID.slice(0, 12),
      cmd: ["/run", "me"],
      image: "rich:1",
      attachStdout: true,
      attachStderr: true,
      onBuild: null,
    };
    const made: ImageConfig = {
      ...parent,
      comment: "",
      author: "Me <me@x>",
      container: containerID,
      created,
      config: { ...container, env: [...container.env!, "B=c"] },
      containerConfig: container,
      history: [
        ...parent.history!,
        { created, author: "Me <me@x>", createdBy: "/run me", comment: "msg here", emptyLayer: false },
      ],
      rootfs: rootFSOf(child.diffIDs),
    };
    expect(formatImageConfig(made).toString()).toBe(child.raw.toString());
  });

  test.each(NAMES)("%s: its v1 images are those that docker save writes", (name) => {
    const target = mkdtempSync(join(scratch, "saved-"));
    execFileSync("tar", ["-C", target, "-xf", join(scratch, `${name}.tar`)]);
    const { config, diffIDs } = imageOf(name);
    const layers = v1Layers(config, diffIDs);
    const [{ Layers }] = JSON.parse(readFileSync(join(target, "manifest.json"), "utf8"));
    expect(layers.map(({ id }) => `${id}/layer.tar`)).toEqual(Layers);
    for (const { id, json } of layers) expect(json.toString()).toBe(readFileSync(join(target, id, "json"), "utf8"));
    expect(readdirSync(target).filter((entry) => /^[0-9a-f]{64}$/.test(entry))).toHaveLength(new Set(Layers).size);
  });

  test("all of them are restored, with their parents, sizes and times", async () => {
    const { images } = await openStores();
    expect(images.broken).toEqual([]);
    expect([...images.map().keys()].sort()).toEqual([...new Set([...inspected.values()].map(({ Id }) => Id))].sort());
    for (const { Id, Parent, Size, Metadata } of inspected.values()) {
      expect(images.parent(Id) ?? "").toBe(Parent);
      expect(images.size(Id)).toBe(Size);
      expect(formatTime(images.lastUpdated(Id) ?? ZERO_TIME)).toBe(Metadata.LastTagTime);
      expect(images.search(Id.slice(0, 19))).toBe(Id);
    }
    expect(inspected.get("child:1")!.Parent).toBe(inspected.get("rich:1")!.Id);
    expect([...images.heads().keys()].sort()).toEqual(
      ["plain:1", "grandchild:1", "odd:1", "odd:2"].map((name) => inspected.get(name)!.Id).sort(),
    );
  });

  test("history has the sizes that docker history shows", async () => {
    const { layers } = await openStores();
    const { config, diffIDs } = imageOf("grandchild:1");
    const steps = historySteps(config.history, diffIDs).reverse();
    expect(steps.map(({ chainID }) => (chainID === undefined ? 0 : layers.map().get(chainID)!.size))).toEqual(
      historySizes,
    );
    expect(steps[0]!.entry.emptyLayer).toBe(true);
  });

  test("an image's layers read as one tar", async () => {
    const { images } = await openStores();
    const { Id } = inspected.get("child:1")!;
    await using tar = await images.tarStream(Id);
    expect(tar.parts).toHaveLength(2);
    const file = join(scratch, "whole.tar");
    writeFileSync(file, await tar.read(0, tar.size));
    expect(tar.size).toBe(readFileSync(file).length);
    expect(tar.parts.map(({ offset, size }) => digestOf(readFileSync(file).subarray(offset, offset + size)))).toEqual(
      images.get(Id).diffIDs,
    );
    const listed = execFileSync("tar", ["--ignore-zeros", "-tf", file]).toString().split("\n");
    expect(listed).toEqual(expect.arrayContaining(["etc/motd", "added"]));
    for (const offset of [0, 511, tar.parts[1]!.offset, tar.size - 700])
      expect(await tar.read(offset, 600)).toEqual(readFileSync(file).subarray(offset, offset + 600));
  });

  test("a dockerd that loads the v1 images alone makes the configs that we make", async () => {
    const target = mkdtempSync(join(scratch, "legacy-"));
    execFileSync("tar", ["-C", target, "-xf", join(scratch, "child:1.tar")]);
    rmSync(join(target, "manifest.json"));
    const archive = join(scratch, "legacy.tar");
    const layers = v1Layers(imageOf("child:1").config, imageOf("child:1").diffIDs);
    const old = readFileSync(join(target, layers[0]!.id, "json"), "utf8");
    writeFileSync(
      join(target, layers[0]!.id, "json"),
      `${old.slice(0, -1)}, "unknown" : [ 1.0 ], "docker_version":"1.8.2"}`,
    );
    const top = readFileSync(join(target, layers[1]!.id, "json"), "utf8");
    writeFileSync(join(target, layers[1]!.id, "json"), `${top.slice(0, -1)}, "unknown" : [ 1.0, "<\\u0041>" ]}`);
    execFileSync("tar", ["-C", target, "-cf", archive, "."]);
    const daemon = await start();
    let loaded: { id: ImageID; raw: string }[];
    try {
      await daemon.docker(["load", "-i", archive]);
      const content = join(daemon.root, "image/overlay2/imagedb/content/sha256");
      loaded = readdirSync(content).map((hex) => ({
        id: `sha256:${hex}`,
        raw: readFileSync(join(content, hex), "utf8"),
      }));
    } finally {
      await daemon.stop();
    }
    const made: string[] = [];
    const history = [];
    for (const [i, { id }] of layers.entries()) {
      const json = readFileSync(join(target, id, "json"));
      history.push(historyEntryOf(json));
      made.push(configOfV1(json, imageOf("child:1").diffIDs.slice(0, i + 1), history).toString());
    }
    expect(made.sort()).toEqual(loaded.map(({ raw }) => raw).sort());
    expect(made[0]).not.toBe(made[1]);
  });

  async function openStores(): Promise<{ layers: LayerStore; images: ImageStore }> {
    const driver = await openDriver(root, { name: "overlay2", durability: "none" });
    const metadata = new FileMetadata(join(root, "image/overlay2/layerdb"), { sync: false });
    const layers = await LayerStore.open({ driver, metadata });
    return { layers, images: ImageStore.open({ backend: imagedb(), layers }) };
  }

  function tarOf(name: string, files: Readonly<Record<string, string>>): string {
    const directory = join(scratch, name);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(directory, path, ".."), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    const tar = `${directory}.tar`;
    execFileSync("tar", ["-C", directory, "-cf", tar, ...readdirSync(directory)]);
    return tar;
  }

  /** An image whose config nobody's Docker wrote. */
  function oddArchive(): string {
    const one = tarOf("one", { one: "1" });
    const two = tarOf("two", { two: "2" });
    const ids = [one, two, one].map((tar) => `"${digestOf(readFileSync(tar))}"`);
    const config =
      '{ "id":"x", "Parent":"sha256:abc", "SIZE":9223372036854775807, "created":"2020-01-01T00:00:00.100+02:00",' +
      '"container_config":{"Cmd":"sh","healthcheck":{"interval":9007199254740993},"StopTimeout":0,"Shell":[]},' +
      '"unknown":1, "config":{"Volumes":{"/b":{}},"Labels":{"__proto__":"x","é":"\\u2028\u2029","<":"\\ud800\\u0008\\f"}},' +
      '"CONFIG":{"Volumes":{"/a":null},"ArgsEscaped":true,"Env":[null,"B"]},"Variant":"v8","variant":null,' +
      `"rootfs":{"type":"layers","diff_ids":[${ids}]},"history":[{"created_by":"<&>"}]}`;
    writeFileSync(join(scratch, "config.json"), config);
    const claiming = `{"parent":"${digestOf("p")}","os":"linux","rootfs":{"diff_ids":[${ids[0]}]}}`;
    writeFileSync(join(scratch, "claiming.json"), claiming);
    const manifest = [
      { Config: "config.json", RepoTags: ["odd:1"], Layers: ["one.tar", "two.tar", "one.tar"] },
      { Config: "claiming.json", RepoTags: ["odd:2"], Layers: ["one.tar"] },
    ];
    writeFileSync(join(scratch, "manifest.json"), JSON.stringify(manifest));
    const archive = join(scratch, "odd.tar");
    execFileSync("tar", [
      "-C",
      scratch,
      "-cf",
      archive,
      "config.json",
      "claiming.json",
      "manifest.json",
      "one.tar",
      "two.tar",
    ]);
    return archive;
  }
});
