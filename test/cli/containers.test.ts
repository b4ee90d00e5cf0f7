import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { type Printed, runClient } from "../tools/docker-client.ts";
import { busyboxTar, type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { type RunOptions, varve } from "../tools/varve.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

describe.skipIf(lack)(`containers as root${lack ?? ""}`, () => {
  let scratch = "";
  let daemon: Dockerd;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-containers-"));
    daemon = await start();
    const made = await run(["import", "-c", 'CMD ["/bin/sh"]', "-m", "base", "-", "base:1"], { input: busyboxTar() });
    expect(made).toMatchObject({ status: 0, output: expect.stringMatching(/^sha256:[0-9a-f]{64}\n$/) });
    await daemon.docker(["load"], { input: (await varve(["--root", join(scratch, "root"), "save", "base:1"])).output });
    await daemon.docker(["create", "--name", "work", "base:1"]);
    expect(await run(["create", "--name", "work", "base:1"])).toMatchObject({ status: 0 });
    sourceTree(join(scratch, "src"));
  });
  afterAll(async () => {
    await daemon?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  async function run(args: readonly string[], options: RunOptions = {}): Promise<Printed> {
    const { status, output, error } = await varve(["--root", join(scratch, "root"), ...args], {
      directory: scratch,
      ...options,
    });
    return { status, output: output.toString(), error };
  }

  function docker(args: readonly string[], input?: Uint8Array): Promise<Printed> {
    const absolute = args.map((arg) => (/^(src|theirs)/.test(arg) ? join(scratch, arg) : arg));
    return runClient(daemon.socket, absolute, { TZ: "UTC" }, input);
  }

  test.each([
    [["cp", "src/f", "work:/f1"]],
    [["cp", "-a", "src/f", "work:/f2"]],
    [["cp", "src/d", "work:/"]],
    [["cp", "src/d/.", "work:/newd"]],
    [["cp", "src/d", "work:/newd"]],
    [["cp", "src/l", "work:/l1"]],
    [["cp", "-L", "src/l", "work:/l2"]],
    [["cp", "src/ld", "work:/ld1"]],
    [["cp", "-L", "src/ld", "work:/ld2"]],
    [["cp", "src/f", "work:/nodir/"]],
    [["cp", "src/f", "work:/nodir/x"]],
    [["cp", "src/d", "work:/f1"]],
    [["cp", "src/f", "work:/etc"]],
    [["cp", "src/f", "work:/tmp/"]],
    [["cp", "src/f", "work:rel"]],
    [["cp", "src/f", "work:/newd/g/"]],
    [["cp", "src/nope", "work:/"]],
    [["cp", "-", "work:/tmp"]],
    [["cp", "-", "work:/f1"]],
    [["cp", "-", "work:/nope"]],
  ])("%j puts files where docker puts them", async (args) => {
    const input = execFileSync("tar", ["-C", join(scratch, "src"), "-cz", "f", "d", "l", "ld"]);
    await expectSame(args, input);
  });

  test.each(["./", ".", "x/..", "/", "./d/"])("a tar with %j changes what docker lets it change", async (name) => {
    for (const to of ["work:/newd", "work:/"]) {
      const time = { seconds: 1_000_000_000, nanoseconds: 0 };
      const entry = { name, type: "5", mode: 0o1770, uid: 12, gid: 34, mtime: time };
      await expectSame(["cp", "-", to], tarOf([entry]));
    }
  });

  async function expectSame(args: readonly string[], input: Buffer): Promise<void> {
    const [theirs, ours] = [await docker(args, input), await run(args, { input })];
    expect(ours.status, ours.error).toBe(theirs.status);
    expect(ours.output).toBe(theirs.output);
    const list = (printed: Buffer): string[] =>
      execFileSync("tar", ["--numeric-owner", "-tvf", "-"], { input: printed, encoding: "utf8" })
        .split("\n")
        .filter((line) => !/(?:dev|proc|sys|bin|etc)\/|\.dockerenv| \d+ .* etc\/$/.test(line))
        .sort();
    const exported = (await varve(["--root", join(scratch, "root"), "export", "work"])).output;
    expect(list(exported)).toEqual(list(await daemon.docker(["export", "work"])));
  }

  test.each([
    [["work:/f1", "a"]],
    [["work:/newd", "nd"]],
    [["work:/newd", "."]],
    [["work:/newd/.", "nd2"]],
    [["work:/newd/.", "nd"]],
    [["work:/l1", "."]],
    [["-L", "work:/ld1", "."]],
    [["work:/f1", "none/"]],
    [["work:/f1", "none/z"]],
    [["work:/newd", "a"]],
    [["work:/f1/", "q"]],
    [["work:/nope", "."]],
    [["work:/newd/d", "deep"]],
  ])("cp %j takes files where docker takes them", async (args) => {
    for (const side of ["theirs", "ours"]) mkdirSync(join(scratch, side), { recursive: true });
    const paths = (side: string): string[] => ["cp", ...args.slice(0, -1), `${side}/${args.at(-1)}`];
    const [theirs, ours] = [await docker(paths("theirs")), await run(paths("ours"))];
    expect(ours.status, ours.error).toBe(theirs.status);
    expect(filesBelow(join(scratch, "ours"))).toEqual(filesBelow(join(scratch, "theirs")));
  });

  test("diff, commit and export agree with what was copied in", async () => {
    const changed = (printed: Printed): string[] => printed.output.split("\n").sort(); // Docker's order is a map's
    expect(changed(await run(["diff", "work"]))).toEqual(changed(await docker(["diff", "work"])));
    const commit = ["commit", "-a", "Ada", "-m", "message", "-c", "ENV A=b", "work", "made:1"];
    expect(await run(commit)).toMatchObject({ status: 0, error: "" });
    expect(await docker(commit)).toMatchObject({ status: 0 });
    const format = ["history", "--format", "{{.CreatedBy}}|{{.Comment}}|{{.Size}}", "made:1"];
    expect((await run(format)).output).toBe((await docker(format)).output);
    const config = [
      "inspect",
      "-f",
      "{{json .Config.Env}} {{.Author}} {{json .Config.Cmd}} {{len .RootFS.Layers}}",
      "made:1",
    ];
    expect((await run(config)).output).toBe((await docker(config)).output);
    expect(await run(["export", "-o", "files.tar", "work"])).toEqual({ status: 0, output: "", error: "" });
    expect(execFileSync("tar", ["-xOf", join(scratch, "files.tar"), "f1"], { encoding: "utf8" })).toBe("file\n");
  });

  test("a container is mounted, looked into, and removed when it is free", async () => {
    const mounted = (await run(["mount", "work"])).output.trim();
    expect(readFileSync(join(mounted, "f1"), "utf8")).toBe("file\n");
    writeFileSync(join(mounted, "written"), "through the mount");
    expect(await run(["rm", "work"])).toMatchObject({ status: 1, error: expect.stringContaining("varve umount") });
    expect(await run(["umount", "work"])).toEqual({ status: 0, output: "work\n", error: "" });
    expect(existsSync(join(mounted, "f1"))).toBe(false);
    expect(await run(["cat", "work:/written"])).toMatchObject({ output: "through the mount" });
    expect((await run(["ls", "-l", "work:/newd", "/f1"])).output).toMatch(
      /^\/newd:\n.*\n\n\/f1:\n-rw-r----- 1000 1001 5 .* f1\n$/s,
    );
    expect(await run(["df", "-v"])).toMatchObject({
      status: 0,
      output: expect.stringMatching(/base:1 +"\/bin\/sh" .* Created +work\n$/),
    });
    expect(await run(["rm", "--dry-run", "work"])).toMatchObject({ output: "Would remove: work\n" });
    expect(await run(["rm", "--dry-run", "work", "work"])).toEqual({
      status: 1,
      output: "Would remove: work\n",
      error: "varve: No such container: work. 'varve ps -a' lists what there is.\n",
    });
    expect(await run(["rm", "work", "gone"])).toEqual({
      status: 1,
      output: "work\n",
      error: "varve: No such container: gone. 'varve ps -a' lists what there is.\n",
    });
  });

  test.each(["made:1", "base:1"])("%s is mounted for looking only, and takes no files", async (image) => {
    const mounted = (await run(["mount", image])).output.trim();
    expect(readdirSync(mounted)).toContain("bin");
    expect(() => writeFileSync(join(mounted, "x"), "")).toThrow(/EROFS/);
    expect(await run(["umount", image])).toMatchObject({ status: 0 });
    expect(existsSync(join(mounted, "bin/busybox"))).toBe(false);
    expect(await run(["cp", "src/f", "base:1:/etc"])).toMatchObject({
      status: 1,
      error: "varve: base:1 is an image, and images do not change: create a container of it and copy into that\n",
    });
  });

  test("events tell what happened", async () => {
    const format = ["--format", "{{.Type}} {{.Action}}"];
    const { output } = await run(["events", "--since", "1h", "--until", "0s", "--filter", "type=container", ...format]);
    expect(output.trimEnd().split("\n")).toEqual(expect.arrayContaining(["container create", "container destroy"]));
  });
});

/** Files, links, a fifo and other owners. */
function sourceTree(path: string): void {
  mkdirSync(join(path, "d/e"), { recursive: true });
  writeFileSync(join(path, "f"), "file\n", { mode: 0o640 });
  writeFileSync(join(path, "d/g"), "inner\n");
  execFileSync("mkfifo", [join(path, "d/p")]);
  symlinkSync("f", join(path, "l"));
  symlinkSync("d", join(path, "ld"));
  execFileSync("chown", ["-hR", "1000:1001", path]);
}

function filesBelow(path: string): string[] {
  return execFileSync("find", [path, "-mindepth", "1", "-printf", "%P %y %m %U:%G %s %l %t\n"], { encoding: "utf8" })
    .split("\n")
    .map((line) => (/^\S+ d/.test(line) ? line.replace(/ \d+ {2}.*$/, "") : line))
    .sort();
}
