import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Stores } from "../../src/archive/archive.ts";
import { load } from "../../src/archive/load.ts";
import { type SaveFormat, save } from "../../src/archive/save.ts";
import { collect, sourceOf } from "../../src/io/byte-source.ts";
import { openStores } from "../../src/testing/archive-bench.ts";
import { readTar, tarOf } from "../../src/testing/tar-entries.ts";
import { busyboxTar, type Dockerd, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker", "busybox", "skopeo", "umoci", "xz", "zstd", "bzip2");

const DOCKERFILE = `FROM base:1
RUN echo hello > /a; mkdir /d; ln /a /d/b; chmod 4755 /a
RUN rm /a; rm -r /d; mkdir /d
ENV X=<y>
`;

describe.skipIf(lack)(`archives between Varve and other tools${lack ?? ""}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-exchange-"));
  const temporary = join(scratch, "tmp");
  const archive = join(scratch, "app.tar");
  const ids: Record<string, string> = {};
  let daemon: Dockerd;

  beforeAll(async () => {
    daemon = await start();
    await daemon.docker(["import", "-c", 'CMD ["/bin/sh"]', "-", "base:1"], { input: busyboxTar() });
    process.env.DOCKER_BUILDKIT = "0";
    await daemon.docker(["build", "-q", "--network", "none", "-t", "app:1", "-"], { input: DOCKERFILE });
    for (const name of ["base:1", "app:1"]) ids[name] = await idOf(name);
    await daemon.docker(["save", "-o", archive, "app:1"]);
    await daemon.docker(["save", "-o", join(scratch, "both.tar"), "app:1", "base:1"]);
  });
  afterAll(async () => {
    await daemon?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  async function idOf(name: string): Promise<string> {
    return (await daemon.docker(["inspect", "-f", "{{.Id}}", name])).toString().trim();
  }

  function freshStores(driver = "overlay2"): Promise<Stores> {
    return openStores(mkdtempSync(join(scratch, "root-")), driver);
  }

  function tool(command: string, ...args: string[]): string {
    return execFileSync(command, args, { cwd: scratch, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  function skopeo(...args: string[]): string {
    return tool("skopeo", "--insecure-policy", ...args);
  }

  async function saved(format: SaveFormat, ...names: string[]): Promise<string> {
    const stores = await freshStores();
    await load(join(scratch, "both.tar"), stores, { temporary });
    const path = join(mkdtempSync(join(scratch, "saved-")), `${format}.tar`);
    writeFileSync(path, await collect(save(names, stores, { format }), 1 << 28));
    return path;
  }

  describe("in", () => {
    test.each(["overlay2", "vfs", "rootless"])("what dockerd saved, into %s, and out again", async (driver) => {
      const stores = await freshStores(driver);
      const loaded = await load(archive, stores, { temporary });
      expect(loaded).toEqual([{ id: ids["app:1"], references: ["app:1"] }]);
      const again = await collect(save(["app:1"], stores), 1 << 28);
      expect(
        again.equals(await collect(sourceOf(execFileSync("cat", [archive], { maxBuffer: 1 << 28 })), 1 << 28)),
      ).toBe(true);
    });

    test.each([
      ["gzip", "gzip"],
      ["xz", "xz"],
      ["zstd", "zstd"],
      ["bzip2", "bzip2"],
    ])("an archive under %s, from a file and from a pipe", async (_, program) => {
      const compressed = execFileSync(program, ["-c", archive], { maxBuffer: 1 << 28 });
      const path = join(scratch, `app.tar.${program}`);
      writeFileSync(path, compressed);
      for (const input of [path, sourceOf(compressed)]) {
        const loaded = await load(input, await freshStores(), { temporary });
        expect(loaded).toEqual([{ id: ids["app:1"], references: ["app:1"] }]);
      }
      expect(readdirSync(temporary)).toEqual([]);
    });

    test("layers that are compressed inside the archive", async () => {
      const squeeze: ((bytes: Buffer) => Buffer)[] = [
        gzipSync,
        (bytes) => execFileSync("zstd", ["-qc"], { input: bytes, maxBuffer: 1 << 28 }),
        (bytes) => execFileSync("xz", ["-c"], { input: bytes, maxBuffer: 1 << 28 }),
      ];
      const entries = readTar(execFileSync("cat", [archive], { maxBuffer: 1 << 28 }))
        .filter(({ header }) => header.type === "0")
        .map(({ header, content }) => {
          const bytes = Buffer.from(content, "latin1");
          const isLayer = header.name.endsWith("layer.tar");
          return { name: header.name, content: isLayer ? squeeze.pop()!(bytes) : bytes };
        });
      expect(squeeze).toEqual([]);
      const loaded = await load(sourceOf(tarOf(entries)), await freshStores(), { temporary });
      expect(loaded).toEqual([{ id: ids["app:1"], references: ["app:1"] }]);
    });

    test("skopeo's docker-archive", async () => {
      skopeo("copy", `docker-archive:${archive}`, "docker-archive:skopeo.tar:foo/bar:1");
      const [image] = await load(join(scratch, "skopeo.tar"), await freshStores(), { temporary });
      expect(image).toEqual({ id: ids["app:1"], references: ["foo/bar:1"] });
    });

    test.each([
      ["gzip", "oci-archive:gzip.tar:docker.io/library/app:2", ["app:2"]],
      ["zstd", "oci-archive:zstd.tar:x", []],
      ["gzip", "oci:layout:reg.local/app:3", ["reg.local/app:3"]],
      ["zstd", "oci:layout-zstd", []],
    ])("skopeo's OCI image with %s layers as %s", async (compression, target, references) => {
      skopeo("copy", "--dest-compress-format", compression, `docker-archive:${archive}`, target);
      const stores = await freshStores();
      const [image] = await load(join(scratch, target.split(":")[1]!), stores, { temporary });
      expect(image!.references).toEqual(references);
      expect(stores.images.get(image!.id).diffIDs).toEqual(
        (await loadedHere()).images.get(ids["app:1"] as never).diffIDs,
      );
    });

    async function loadedHere(): Promise<Stores> {
      const stores = await freshStores();
      await load(archive, stores, { temporary });
      return stores;
    }

    test("an archive of Docker 1.9, as dockerd reads it", async () => {
      const legacy = tarOf(
        readTar(execFileSync("cat", [archive], { maxBuffer: 1 << 28 }))
          .filter(({ header }) => !header.name.endsWith(".json"))
          .map(({ header, content }) => ({
            name: header.name,
            type: header.type,
            content: Buffer.from(content.replace("app:1", "old:1"), "latin1"),
          })),
      );
      const stores = await freshStores();
      const images = await load(sourceOf(legacy), stores, { temporary });
      await daemon.docker(["rmi", "-f", "app:1", "base:1"]);
      await daemon.docker(["load"], { input: legacy });
      expect(images.at(-1)).toEqual({ id: await idOf("app:1"), references: ["app:1"] });
      const theirs = await daemon.docker(["save", "app:1"]);
      expect((await collect(save(["app:1"], stores), 1 << 28)).equals(theirs)).toBe(true);
      const history = (await daemon.docker(["history", "-q", "--no-trunc", "app:1"])).toString().trim().split("\n");
      expect([...images].reverse().map(({ id }) => id as string)).toEqual(history);
      await daemon.docker(["rmi", "-f", "app:1"]);
    });
  });

  describe("out", () => {
    test.each<SaveFormat>(["docker", "docker-25"])("%s, for dockerd", async (format) => {
      await daemon.docker(["rmi", "-f", "app:1", "base:1"]).catch(() => undefined);
      const said = (await daemon.docker(["load", "-i", await saved(format, "base:1", "app:1")])).toString();
      expect(said).toBe("Loaded image: base:1\nLoaded image: app:1\n");
      expect(await idOf("app:1")).toBe(ids["app:1"]);
      expect(await idOf("base:1")).toBe(ids["base:1"]);
      const parent = await daemon.docker(["inspect", "-f", "{{.Parent}}", "app:1"]);
      expect(parent.toString().trim()).toBe("");
      await daemon.docker(["run", "--rm", "--network", "none", "app:1", "test", "-d", "/d"]);
    });

    test.each<SaveFormat>(["docker", "docker-25", "oci"])("%s, for ourselves", async (format) => {
      const stores = await freshStores("rootless");
      const images = await load(await saved(format, "base:1", "app:1"), stores, { temporary });
      expect(images).toEqual([
        { id: ids["base:1"], references: ["base:1"] },
        { id: ids["app:1"], references: ["app:1"] },
      ]);
    });

    test.each<SaveFormat>(["docker-25", "oci"])("%s, for skopeo and umoci", async (format) => {
      const path = await saved(format, "app:1");
      const inspected = JSON.parse(skopeo("inspect", `oci-archive:${path}:1`)) as { Env: string[]; Layers: string[] };
      expect(inspected.Env).toContain("X=<y>");
      expect(inspected.Layers).toHaveLength(3);
      skopeo("copy", `oci-archive:${path}:1`, `oci:out-${format}:copied`);
      const unpacked = join(scratch, `unpacked-${format}`);
      execFileSync("mkdir", [unpacked]);
      tool("tar", "-xf", path, "-C", unpacked);
      expect(tool("umoci", "ls", "--layout", unpacked).trim()).toBe("1");
      tool("umoci", "unpack", "--image", `${unpacked}:1`, join(scratch, `bundle-${format}`));
      expect(readdirSync(join(scratch, `bundle-${format}`, "rootfs"))).toContain("d");
    });

    test("docker, for skopeo", async () => {
      const inspected = JSON.parse(
        skopeo("inspect", "--config", `docker-archive:${await saved("docker", "app:1")}`),
      ) as {
        config: { Env: string[] };
      };
      expect(inspected.config.Env).toContain("X=<y>");
    });

    test("an OCI layout directory that is given on by us is loaded with the same id", async () => {
      const path = await saved("oci", "app:1");
      const layout = join(scratch, "given-on");
      execFileSync("mkdir", [layout]);
      tool("tar", "-xf", path, "-C", layout);
      cpSync(layout, `${layout}-copy`, { recursive: true });
      const [image] = await load(`${layout}-copy`, await freshStores(), { temporary });
      expect(image).toEqual({ id: ids["app:1"], references: ["app:1"] });
    });
  });
});
