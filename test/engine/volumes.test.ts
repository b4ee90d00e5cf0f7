import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBucket } from "../../src/engine/bolt.ts";
import { openStore } from "../../src/engine/store.ts";
import { VarveError } from "../../src/errors.ts";
import { TYPE } from "../../src/tar/header.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking, start } from "../tools/dockerd.ts";
import { ask, documentsOf } from "../tools/engine-api.ts";

const lack = lacking("root", "dockerd", "docker");
const bare = lacking("root", "dockerd", "docker", "getfattr");

interface DockerVolume {
  readonly Name: string;
  readonly Mountpoint: string;
  readonly CreatedAt: string;
  readonly Labels: object | null;
  readonly Options: object | null;
  /** Docker does not count what volumes with options hold, which may be anywhere. */
  readonly UsageData?: { readonly Size: number; readonly RefCount: number } | undefined;
}

/** What is in the only volume without a name: attributes, modes, owners, sizes, and times but for the volume's own. */
function contentIn(root: string): string {
  const volumes = join(root, "volumes");
  const [name] = readdirSync(volumes).filter((name) => name.length === 64);
  const below = { cwd: join(volumes, name!, "_data"), encoding: "utf8" } as const;
  const all = "find . -mindepth 1 -printf '%p %m %U:%G %s %T@\\n' | sort";
  return execFileSync(
    "sh",
    ["-c", `getfattr -Rhd -m - . && find . -maxdepth 0 -printf '%m %U:%G\\n' && ${all}`],
    below,
  );
}

/** So many that their notes take pages of several levels. */
const MANY = 400;

describe.skipIf(lack)(`volumes that a dockerd has made${lack ?? ""}`, () => {
  let root: string;
  let listed: DockerVolume[];
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "varve-volumes-"));
    await using dockerd = await start({ root });
    const make = async (document: object): Promise<void> => {
      const headers = { "Content-Type": "application/json" };
      const call = { method: "POST", path: "/volumes/create", body: JSON.stringify(document), headers };
      expect((await ask(dockerd.socket, call)).status).toBe(201);
    };
    for (let i = 0; i < MANY; i++) await make({ Name: `many-${i}`, Labels: { number: `${i}`, long: "x".repeat(i) } });
    await make({ Name: "plain" });
    await make({ Name: "odd.name_1", Labels: { "a <b>": "é & c" }, DriverOpts: { type: "tmpfs", device: "tmpfs" } });
    for (let i = 0; i < MANY; i += 3) await dockerd.docker(["volume", "rm", `many-${i}`]);
    await dockerd.docker(["import", "-c", "VOLUME /declared", "-", "base:1"], {
      input: tarOf([{ name: "declared/" }]),
    });
    const mounts = ["-v", "plain:/plain", "-v", "/unnamed", "-v", "plain:/again"];
    await dockerd.docker(["create", "--name", "user", ...mounts, "base:1", "x"]);
    await dockerd.docker(["create", "--name", "other", "-v", "plain:/plain", "base:1", "x"]);
    writeFileSync(join(root, "volumes/plain/_data/file"), "12345");
    const documents = await Promise.all(
      ["/volumes", "/system/df"].map((path) => ask(dockerd.socket, { method: "GET", path })),
    );
    const [all, counted] = documents.map(
      (answer) => (documentsOf(answer) as { Volumes: DockerVolume[] }[])[0]!.Volumes,
    );
    const usage = new Map(counted!.map(({ Name, UsageData }) => [Name, UsageData]));
    listed = all!.map((volume) => ({ ...volume, UsageData: usage.get(volume.Name) }));
    listed.sort((a, b) => (a.Name < b.Name ? -1 : 1));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test("are listed as it lists them", async () => {
    await using store = await openStore({ root });
    const volumes = await store.volumes({ size: true });
    expect(volumes.length).toBeGreaterThan(MANY / 2);
    expect(
      volumes.map(({ name, path, created, labels, options, containers, size }) => ({
        ...{ Name: name, Mountpoint: path, CreatedAt: created, Labels: labels, Options: options },
        ...{
          Driver: "local",
          Scope: "local",
          UsageData: options === null ? { Size: size, RefCount: containers } : undefined,
        },
      })),
    ).toEqual(listed);
  });

  test("are listed without their labels when its database is damaged", async () => {
    const database = join(root, "volumes/metadata.db");
    const whole = readFileSync(database);
    const warnings: string[] = [];
    await using store = await openStore({ root, onWarning: (message) => warnings.push(message) });
    try {
      writeFileSync(database, whole.subarray(0, 3000));
      expect((await store.volumes()).map(({ name }) => name)).toEqual(listed.map(({ Name }) => Name));
      expect(warnings).toEqual([expect.stringContaining("without labels and options")]);
    } finally {
      writeFileSync(database, whole);
    }
  });

  test("whose database is damaged anywhere make no error but a coded one", () => {
    const whole = readFileSync(join(root, "volumes/metadata.db"));
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(damage, fc.nat(whole.length), (bytes, length) => {
        const damaged = Buffer.from(whole.subarray(0, length));
        for (const [at, byte] of bytes) if (at < length) damaged[at] = byte;
        try {
          readBucket(damaged, "volumes");
        } catch (error) {
          expect(error).toBeInstanceOf(VarveError);
          expect(error).toMatchObject({ code: "corrupt" });
        }
      }),
      { numRuns: 300 },
    );
  });
});

test.skipIf(bare)(`a new volume gets what the image has at its place, as from a dockerd${bare ?? ""}`, async () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-volumes-"));
  const roots = { theirs: join(scratch, "theirs"), ours: join(scratch, "ours") };
  const capability = Buffer.from("0100000200040000000000000000000000000000", "hex").toString("latin1");
  const xattrs = { "user.note": "kept", "trusted.odd": "too" };
  const tar = tarOf([
    { name: "kept/", mode: 0o751, uid: 3, gid: 4, xattrs: { "user.of": "a directory" } },
    { name: "kept/file", content: "text", mode: 0o4755, uid: 5, gid: 6, xattrs },
    { name: "kept/able", content: "x", mode: 0o755, xattrs: { "security.capability": capability } },
    { name: "kept/again", type: TYPE.hardLink, linkname: "kept/file" },
    { name: "kept/link", type: TYPE.symlink, linkname: "/nowhere" },
  ]);
  try {
    for (const root of [roots.theirs, roots.ours]) {
      await using dockerd = await start({ root });
      await dockerd.docker(["import", "-c", "VOLUME /kept", "-", "base:1"], { input: tar });
      if (root === roots.theirs) await dockerd.docker(["create", "base:1", "x"]);
    }
    await using store = await openStore({ root: roots.ours });
    await store.create("base:1", { config: { Cmd: ["x"] } });
    const theirs = contentIn(roots.theirs);
    expect(theirs).toContain('user.note="kept"');
    expect(contentIn(roots.ours)).toBe(theirs);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
