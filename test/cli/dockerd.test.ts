import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Printed, runClient } from "../tools/docker-client.ts";
import { busyboxTar, type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { varve } from "../tools/varve.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

const DOCKERFILE = `FROM base:1
RUN echo one > /etc/one && mkdir -p /data && echo a > /data/a && ln /data/a /data/b
RUN rm /data/a && echo "a command that is long enough to be cut in the history of the image"
LABEL stage=prod note=<w>&
ENV PATH=/bin
CMD ["/bin/sh", "-c", "true"]
`;

describe.skipIf(lack)(`beside a dockerd${lack ?? ""}`, () => {
  let scratch = "";
  let root = "";
  let daemon: Dockerd;
  const docker = (...args: string[]): Promise<Printed> => runClient(daemon.socket, args, { TZ: "UTC" });
  const here = async (where: string, ...args: string[]): Promise<Printed> => {
    const { status, output, error } = await varve(["--root", where, ...args]);
    return { status, output: output.toString(), error };
  };

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-cli-"));
    root = join(scratch, "root");
    daemon = await start({ root });
    const base = busyboxTar();
    await daemon.docker(["import", "-m", "base layer", "-c", "LABEL stage=base", "-", "base:1"], { input: base });
    const build = ["build", "-q", "--network", "none", "-t", "app:1", "-t", "localhost:5000/my/app:latest", "-"];
    const built = await runClient(daemon.socket, build, { DOCKER_BUILDKIT: "0" }, DOCKERFILE);
    expect(built).toMatchObject({ status: 0 });
    await daemon.docker(["import", "-", "loose:1"], { input: base });
    await daemon.docker(["import", "-m", "another", "-", "loose:1"], { input: base });
    await daemon.docker(["create", "--name", "work", "app:1"]);
    writeFileSync(join(scratch, "file"), "new");
    await daemon.docker(["cp", join(scratch, "file"), "work:/etc/one"]);
    await daemon.docker(["cp", join(scratch, "file"), "work:/data/c"]);
  });
  afterAll(async () => {
    await daemon?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** Ages are told in words, so that a second that passes between the two may change them; then both are asked again. */
  async function expectSame(args: readonly string[], order: "same" | "any" = "same"): Promise<void> {
    const lines = (printed: Printed): string[] => {
      const all = printed.output.split("\n");
      return order === "any" ? all.sort() : all;
    };
    for (let attempt = 0; ; attempt++) {
      const [theirs, ours] = [await docker(...args), await here(root, ...args)];
      if (attempt < 3 && lines(ours).join() !== lines(theirs).join()) continue;
      expect(lines(ours)).toEqual(lines(theirs));
      expect(ours.status).toBe(theirs.status);
      return;
    }
  }

  // Images of one second come in no certain order from dockerd.
  test.each([
    [["images"]],
    [["images", "-a"]],
    [["image", "ls", "--digests"]],
    [["images", "-q"]],
    [["images", "--no-trunc", "-a"]],
    [["images", "--filter", "dangling=true", "-q"]],
    [["images", "--filter", "label=stage"]],
    [["images", "--filter", "label=stage=prod", "--format", "{{.Repository}}:{{.Tag}}"]],
    [["images", "--filter", "reference=*/my/*", "--format", "{{.Repository}} {{.Size}}"]],
    [["images", "--filter", "before=app:1", "-a", "-q"]],
    [["images", "--filter", "since=base:1", "-q"]],
    [["images", "base"]],
    [["images", "nothing"]],
    [["diff", "work"]],
    [["images", "--format", "table {{.ID}}\\t{{.Repository}}\\t{{.CreatedAt}}"]],
    [["images", "--format", "{{json .}}"]],
  ])("%j prints what docker prints", async (args) => {
    await expectSame(args, "any");
  });

  test.each([
    [["history", "app:1"]],
    [["history", "--no-trunc", "app:1"]],
    [["history", "-H=false", "app:1"]],
    [["history", "-q", "app:1"]],
    [["history", "--format", "{{json .}}", "loose:1"]],
    [["inspect", "app:1", "base:1"]],
    [["image", "inspect", "localhost:5000/my/app"]],
    [["inspect", "-f", "{{.Config}} {{.Metadata}} {{.GraphDriver.Name}} {{json .RootFS}}", "app:1"]],
    [["inspect", "-f", "{{.ID}}", "base:1", "nope"]],
    [["inspect", "-f", "{{.ID}} {{json .Config}} {{.Image}} {{json .GraphDriver}} {{.Name}}", "work"]],
    [["inspect", "nope"]],
    [["inspect", "--type", "container", "app:1"]],
  ])("%j prints what docker prints, in its order", async (args) => {
    await expectSame(args);
  });

  test("save writes the bytes that docker writes", async () => {
    for (const names of [["app:1"], ["app:1", "localhost:5000/my/app:latest"], ["loose:1"]]) {
      const theirs = await daemon.docker(["save", ...names]);
      const ours = await varve(["--root", root, "save", ...names]);
      expect(ours.error).toBe("");
      expect(ours.output.equals(theirs), names.join(" ")).toBe(true);
    }
  });

  test("cp and export give the files that docker gives", async () => {
    const list = (tar: Buffer): string[] =>
      execFileSync("tar", ["--numeric-owner", "-tvf", "-"], { input: tar, encoding: "utf8" }).split("\n");
    for (const args of [
      ["cp", "work:/etc", "-"],
      ["cp", "work:/data/b", "-"],
      ["export", "work"],
    ]) {
      const ours = await varve(["--root", root, ...args]);
      // A mount and a layer that dockerd holds cannot be touched by a reader.
      if (ours.status !== 0) {
        expect(ours.error).toMatch(/^varve: .*dockerd/);
        continue;
      }
      expect(list(ours.output).sort()).toEqual(list(await daemon.docker(args)).sort());
    }
  });

  test("df counts what docker counts", async () => {
    const format = ["--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"];
    const theirs = (await docker("system", "df", ...format)).output.split("\n").slice(0, 2);
    expect((await here(root, "df", ...format)).output.trimEnd().split("\n")).toEqual(theirs);
  });

  test("nothing can be changed as long as dockerd lives, and who to stop is said", async () => {
    for (const args of [
      ["tag", "app:1", "x:y"],
      ["rmi", "app:1"],
      ["image", "prune", "-f"],
      ["create", "app:1"],
    ]) {
      const { status, output, error } = await here(root, ...args);
      expect({ status, output }).toEqual({ status: 1, output: "" });
      expect(error).toMatch(/^varve: a dockerd is running on .*systemctl stop docker/);
    }
  });

  test("changes are told and done as docker does them", async () => {
    const archive = join(scratch, "app.tar");
    writeFileSync(archive, await daemon.docker(["save", "app:1"]));
    const base = (await docker("images", "-q", "base")).output.trim();
    const commands = [
      ["tag", "app:1", "other/name:x"],
      ["tag", "nope", "x"],
      ["tag", "app:1", "UPPER"],
      ["rmi", "other/name:x"],
      ["rmi", "nope", "nope2"],
      ["rmi", "-f", "nope"],
      ["rmi", "base:1"],
      ["rmi", base],
      ["rmi", "app:1"],
      ["rmi", "localhost:5000/my/app:latest"],
      ["rmi", "-f", "localhost:5000/my/app"],
      ["load", "-i", archive],
      ["load", "-q", "-i", archive],
      ["load", "-i", join(scratch, "file")],
      ["image", "prune", "-f"],
      ["rm", "nope"],
      ["diff", "nope"],
      ["rm", "work"],
      ["rm", "work"],
      ["rmi", "app:1"],
      ["image", "prune", "-a", "-f"],
      ["images"],
    ];
    await daemon.stop();
    const copy = join(scratch, "copy");
    execFileSync("cp", ["-a", root, copy]);
    daemon = await start({ root });
    for (const args of commands) {
      const [theirs, ours] = [await docker(...args), await here(copy, ...args)];
      const named = args.join(" ");
      // dockerd puts a prune's images in no certain order, and both put ids of one removal in theirs.
      expect(ours.output.split("\n").sort(), named).toEqual(theirs.output.split("\n").sort());
      expect(ours.status, named).toBe(theirs.status);
      if (args[0] !== "load") expectTheirReasons(ours.error, theirs.error);
    }
    expect(readFileSync(join(copy, "image/overlay2/repositories.json"), "utf8")).toBe('{"Repositories":{}}');
  });
});

/** Each line says what Docker says, and may say more. */
function expectTheirReasons(ours: string, theirs: string): void {
  const reasons = theirs
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^(?:Error response from daemon|Error): /, ""));
  const lines = ours
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^varve: /, ""));
  expect(lines).toHaveLength(reasons.length);
  for (const [at, reason] of reasons.entries())
    expect(lines[at]).toContain(reason.replace(/^Error parsing reference: /, ""));
}
