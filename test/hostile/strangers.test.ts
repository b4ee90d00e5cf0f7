/** What is no archive at all, and archives that never come to their end. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openStore } from "../../src/engine/store.ts";
import { dockerMembers, makeImage, makeLayer, OciLayout } from "../../src/testing/archive-bench.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { ended, startVarve, varvePath } from "../tools/varve.ts";
import { isNoEvent, KEPT_TAG, useBench } from "./bench.ts";

const lack = lacking("root");
const image = makeImage([makeLayer("a", "a".repeat(100_000))]);
const ARCHIVE = tarOf(dockerMembers([{ image, tags: [KEPT_TAG] }]));
const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154", "hex");

describe.skipIf(lack).each(["overlay2", "rootless"] as const)(`%s takes no stranger in${lack ?? ""}`, (driver) => {
  const bench = useBench(driver);
  const varve = (...args: string[]): readonly string[] => ["--root", bench.root, "--driver", driver, ...args];

  async function refused(args: readonly string[], line: RegExp, input?: Uint8Array): Promise<void> {
    const { status, output, error } = await bench.run(args, input === undefined ? {} : { input });
    expect({ status, output: output.toString(), error }).toEqual({
      status: 1,
      output: "",
      error: expect.stringMatching(/^varve: [^\n]*\n$/),
    });
    expect(error).toMatch(line);
    expect(bench.changes()).toEqual([]);
  }

  const strangers: readonly [name: string, bytes: Uint8Array, load: RegExp, imported?: RegExp][] = [
    ["an empty file", Buffer.alloc(0), /it is empty/],
    ["a text", Buffer.from("hello\n".repeat(1000)), /it is not a tar \(archive\/tar: invalid tar header\)/],
    [
      "a short text",
      Buffer.from("hello\n"),
      /it is not a tar \(unexpected EOF\)/,
      /it is cut short \(unexpected EOF\)/,
    ],
    ["a PNG", Buffer.concat([PNG, randomBytes(2000)]), /it is not a tar/],
    ["noise", randomBytes(100_000), /it is not a tar/],
    ["noise in a gzip", gzipSync(randomBytes(100_000)), /it is not a tar/],
    ["half a gzip header", Buffer.from("1f8b08", "hex"), /it is cut short|not a tar/],
    ["an archive that is cut short", ARCHIVE.subarray(0, 60_000), /it is cut short \(unexpected EOF\)\. Copy it again/],
    [
      "a gzip that is cut short",
      gzipSync(ARCHIVE).subarray(0, 300),
      /it is cut short \(unexpected EOF\)\. Copy it again/,
    ],
  ];

  test.each(strangers)("%s", async (_, bytes, load, imported = load) => {
    const path = bench.file("stranger", bytes);
    const line = (source: string, end: RegExp): RegExp =>
      new RegExp(`^varve: ${source}: invalid archive: .*(?:${end.source})`);
    expect((await bench.take(path)).error).toMatch(line(path, load));
    expect(bench.changes()).toEqual([]);
    if (bytes.length === 0) return; // to an import, an empty tar
    await refused(["import", path, "x:1"], line(path, imported));
    if (driver === "rootless") return;
    await refused(["load", "-q"], line("standard input", load), bytes);
    await refused(["import", "-", "x:1"], line("standard input", imported), bytes);
  });

  test("what is not there, and what is no file", async () => {
    const folder = join(bench.directory, "folder");
    mkdirSync(folder);
    await refused(["load", "-i", "nowhere"], /open nowhere: no such file or directory/);
    await refused(["import", "nowhere"], /open nowhere: no such file or directory/);
    await refused(["load", "-i", folder], /folder: invalid archive: does not contain a manifest\.json/);
    await refused(
      ["import", folder],
      /^varve: read .*folder: is a directory: use 'tar -C DIRECTORY -c \. \| varve import -'/,
    );
    for (const command of ["load", "import -", "cp - box:/"]) {
      const args = ["-c", `exec "$0" "$@" <"$FOLDER"`, process.execPath, varvePath(), ...varve(...command.split(" "))];
      const { stderr } = spawnSync("sh", args, { env: { FOLDER: folder }, encoding: "utf8" });
      expect(stderr, command).toBe("varve: read standard input: is a directory\n");
    }
    expect(bench.changes()).toEqual([]);
    await refused(["load", "-i", "/dev/null"], /\/dev\/null: invalid archive: it is empty/);
  });

  test("what cannot be opened", async () => {
    const path = join(bench.directory, "socket");
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      for (const command of [["load", "-i"], ["import"]])
        await refused([...command, path], /no such device or address/i);
    } finally {
      server.close();
    }
    if (driver !== "rootless") return;
    const secret = bench.file("secret", ARCHIVE);
    chmodSync(secret, 0o600);
    await refused(["load", "-i", secret], /secret.*permission denied|permission denied.*secret/i);
  });

  test("what never ends", async () => {
    await refused(["load", "-q", "-i", "/dev/zero"], /\/dev\/zero: invalid archive: does not contain a manifest\.json/);
    await refused(["load", "-q", "-i", "/dev/urandom"], /\/dev\/urandom: invalid archive: it is not a tar/);
    await refused(["import", "/dev/urandom"], /\/dev\/urandom: invalid archive: it is not a tar/);
  });

  test("an import of zeros without an end, once it is interrupted", async () => {
    const user = driver === "rootless" ? { user: 65534 } : {};
    const child = startVarve(varve("import", "/dev/zero", "x:1"), user);
    child.stdin.end();
    await sleep(1500);
    child.kill("SIGINT");
    expect(await ended(child)).toMatchObject({ status: 130, error: "varve: interrupted\n" });
    expect(bench.changes()).toEqual([]);
  });

  test("a writer that dies in the middle of a pipe", async () => {
    execFileSync("mkfifo", ["-m", "666", join(bench.directory, "pipe")]);
    for (const args of [
      ["load", "-q", "-i", "pipe"],
      ["import", "pipe"],
    ]) {
      const writer = spawn("sh", ["-c", `head -c 60000 stranger > pipe`], { cwd: bench.directory });
      bench.file("stranger", ARCHIVE);
      await refused(args, /^varve: pipe: invalid archive: it is cut short \(unexpected EOF\)\. Copy it again/);
      writer.kill();
    }
  });

  test("a directory whose files are none", async () => {
    const layout = new OciLayout();
    const manifest = layout.addImage(image);
    const [layer, config] = [`blobs/sha256/${image.diffIDs[0]!.slice(7)}`, `blobs/sha256/${image.id.slice(7)}`];
    const unpack = (name: string): string => {
      const directory = join(bench.directory, name);
      mkdirSync(directory);
      execFileSync("tar", ["-xf", "-", "-C", directory], { input: tarOf(layout.members([manifest])) });
      chmodSync(directory, 0o755);
      return directory;
    };
    const spoils: readonly [name: string, spoil: (path: string) => void, line: RegExp][] = [
      ["fifo", (path) => void execFileSync("mkfifo", ["-m", "666", path]), /is not a file/],
      ["device", (path) => void execFileSync("mknod", ["-m", "666", path, "c", "1", "5"]), /is not a file/],
      ["directory", (path) => mkdirSync(path), /is not a file/],
      [
        "link",
        (path) => symlinkSync("/etc/passwd", path),
        /is not in it|neither in it nor in the store|does not contain/,
      ],
      [
        "climbing",
        (path) => symlinkSync(`${"../".repeat(20)}etc/passwd`, path),
        /not in it|neither in it nor in the store|does not contain/,
      ],
      ["circle", (path) => symlinkSync(path.split("/").at(-1)!, path), /is not a file/],
      ["other", (path) => writeFileSync(path, "other"), /has 5 bytes, expected|has digest|invalid character/],
    ];
    for (const [name, spoil, line] of spoils)
      for (const file of [layer, config, "index.json"]) {
        const directory = unpack(name);
        rmSync(join(directory, file));
        spoil(join(directory, file));
        const { error } = await bench.take(directory);
        expect(error).toMatch(
          new RegExp(`^varve: ${directory}: (?:invalid archive: |"index.json": ).*(?:${line.source})`),
        );
        expect(bench.changes()).toEqual([]);
        rmSync(directory, { recursive: true });
      }
  });

  test("what is larger than the limits that a program sets", async () => {
    if (driver === "rootless") return;
    await using store = await openStore({
      root: bench.root,
      driver,
      limits: { layerBytes: 50_000, documentBytes: 1000, spoolBytes: 90_000 },
    });
    const path = bench.file("archive.tar", ARCHIVE);
    await expect(store.load(path)).rejects.toMatchObject({
      code: "too-large",
      message: expect.stringMatching(/layer [0-9a-f]{12}: unpacks to more than 50000 bytes/),
    });
    const squeezed = bench.file("archive.tar.gz", gzipSync(ARCHIVE));
    await expect(store.load(squeezed)).rejects.toMatchObject({
      code: "too-large",
      message: expect.stringContaining("larger than the 90000 bytes"),
    });
    await expect(store.import("/dev/zero")).rejects.toMatchObject({ code: "too-large" });
    const wordy = makeImage([makeLayer("a")], { author: "a".repeat(2000) });
    const wordyPath = bench.file("wordy.tar", tarOf(dockerMembers([{ image: wordy }])));
    await expect(store.load(wordyPath)).rejects.toMatchObject({ code: "too-large" });
    expect(bench.changes().filter(isNoEvent)).toEqual([]);
  });
});
