import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { readTar, type TarEntry, tarOf } from "../../src/testing/tar-entries.ts";
import { dockerArchive } from "../fstree/docker-archive.ts";
import { lacking, start } from "../tools/dockerd.ts";
import { varvePath } from "../tools/varve.ts";

const lack = lacking("root", "dockerd", "docker", "unshare");

const remap = { subuid: ["200000:65536"], subgid: ["300000:65536"] };
const MAPPED = "200000.300000";
const when = { seconds: 1_600_000_000, nanoseconds: 0 };
const base: TarEntry[] = [
  { name: "etc/", mode: 0o700, uid: 0, gid: 0 },
  { name: "etc/passwd", content: "root:x:0:0::/:/bin/sh\n", uid: 0, gid: 0 },
  { name: "home/user/", uid: 1000, gid: 1000 },
  { name: "home/user/setuid", content: "x", mode: 0o4755, uid: 1000, gid: 100 },
];
const upper: TarEntry[] = [{ name: "home/user/new", content: "new", uid: 1000, gid: 1000 }, { name: "home/.wh.gone" }];
const dated = (entries: readonly TarEntry[]): Buffer => tarOf(entries.map((entry) => ({ mtime: when, ...entry })));

/** A root that Varve made for a remapped daemon, with another umask than the daemon's, beside one that dockerd made. */
describe.skipIf(lack)(`a remapped root${lack ?? ""}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-remapped-"));
  const ours = join(scratch, "ours");
  const theirs = join(scratch, "theirs");
  const archive = join(scratch, "archive.tar");
  const accounts = join(scratch, "accounts");

  /** Runs the command where `/etc/subuid` and `/etc/subgid` have the ranges. */
  function varve(args: readonly string[], input?: Buffer): Buffer {
    const script =
      'mount --bind "$1/subuid" /etc/subuid && mount --bind "$1/subgid" /etc/subgid && shift && umask 077 && exec "$@"';
    const command = [process.execPath, varvePath(), "--root", ours, "--driver", "overlay2", "--userns-remap", "daemon"];
    const { status, stdout, stderr } = spawnSync(
      "unshare",
      ["--mount", "sh", "-c", script, "sh", accounts, ...command, ...args],
      { maxBuffer: 64 << 20, ...(input === undefined ? {} : { input }) },
    );
    if (status !== 0) throw new Error(`varve ${args.join(" ")} ended with ${status}: ${stderr}`);
    return stdout;
  }

  beforeAll(async () => {
    chmodSync(scratch, 0o711);
    mkdirSync(accounts);
    for (const name of ["subuid", "subgid"] as const)
      writeFileSync(join(accounts, name), remap[name].map((range) => `daemon:${range}\n`).join(""));
    writeFileSync(archive, dockerArchive("mapped", [dated(base), dated(upper)]));
    await using dockerd = await start({ root: theirs, remap });
    await dockerd.docker(["load", "-i", archive]);
    await dockerd.docker(["create", "--name", "made", "mapped", "/x"]);
    await dockerd.docker(["tag", "mapped", "again"]);
  });
  afterAll(() => removeTree(scratch));

  test("has the modes and owners that dockerd gives", () => {
    varve(["load", "-q", "-i", archive]);
    varve(["create", "--name", "made", "mapped", "/x"]);
    varve(["tag", "mapped", "again"]);
    const [mine, dockers] = [ours, theirs].map((root) => layoutOf(root));
    for (const [path, said] of mine!) expect(`${path} ${said}`).toBe(`${path} ${dockers!.get(path)}`);
    expect(mine!.size).toBeGreaterThan(30);
  });

  test("gives and takes files with the owners that the container has", () => {
    const tar = tarOf([{ name: "put", content: "put", uid: 7, gid: 8, mtime: when }]);
    varve(["cp", "-", "made:/home/user"], tar);
    const id = readdirSync(join(ours, MAPPED, "image/overlay2/layerdb/mounts"))[0]!;
    const mount = readFileSync(join(ours, MAPPED, "image/overlay2/layerdb/mounts", id, "mount-id"), "utf8");
    const { uid, gid } = statSync(join(ours, MAPPED, "overlay2", mount, "diff/home/user/put"));
    expect([uid, gid]).toEqual([200_007, 300_008]);
    const [put] = readTar(varve(["cp", "made:/home/user/put", "-"]));
    expect(put?.header).toMatchObject({ name: "put", uid: 7, gid: 8 });
    expect(varve(["diff", "made"]).toString().split("\n").filter(Boolean).sort()).toEqual([
      "A /home/user/put",
      "C /home",
      "C /home/user",
    ]);
  });

  test("is exported and committed as dockerd does it, and dockerd takes it for its own", async () => {
    varve(["commit", "made", "committed"]);
    const exported = join(scratch, "exported.tar");
    varve(["export", "-o", exported, "made"]);
    const saved = ["mapped", "committed"].map((name) => [name, varve(["save", name])] as const);
    await using dockerd = await start({ root: ours, remap });
    expect((await dockerd.docker(["diff", "made"])).toString()).toContain("A /home/user/put\n");
    for (const [name, archive] of saved) expect((await dockerd.docker(["save", name])).equals(archive)).toBe(true);
    const owners = (tar: Uint8Array): string[] =>
      readTar(tar).map(
        ({ header: { name, mode, uid, gid } }) => `${name} ${(mode & 0o7777).toString(8)} ${uid}:${gid}`,
      );
    expect(owners(readFileSync(exported))).toEqual(owners(await dockerd.docker(["export", "made"])));
    expect(owners(readFileSync(exported))).toContain("home/user/setuid 4755 1000:100");
    await dockerd.docker(["rm", "made"]);
    await dockerd.docker(["rmi", "mapped", "committed", "again"]);
    expect(readdirSync(join(ours, MAPPED, "overlay2"))).toEqual(["l"]);
  });
});

/** Mode and owner of everything but what is in the trees; ids are all called the same. */
function layoutOf(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string, shown: string): void => {
    const stat = statSync(path);
    found.set(shown, `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`);
    if (!stat.isDirectory() || /overlay2\/ID(-init)?\/(diff|work)$|overlay2\/l$/.test(shown)) return;
    if (shown === "" || shown === MAPPED) return;
    for (const name of readdirSync(path)) visit(join(path, name), `${shown}/${name.replace(/^[0-9a-f]{64}/, "ID")}`);
  };
  visit(root, "");
  visit(join(root, MAPPED), MAPPED);
  for (const name of ["image", "overlay2", "containers"]) visit(join(root, MAPPED, name), `${MAPPED}/${name}`);
  return found;
}
