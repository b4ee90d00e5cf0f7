import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runClient } from "../tools/docker-client.ts";
import { busyboxTar, type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { said, varve } from "../tools/varve.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

describe.skipIf(lack)(`varve create as docker create${lack ?? ""}`, () => {
  let scratch = "";
  let theirs = "";
  let ours = "";
  let daemon: Dockerd;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-create-"));
    [theirs, ours] = [join(scratch, "docker"), join(scratch, "varve")];
    {
      await using first = await start({ root: theirs });
      await first.docker(["import", "-c", "ENV A=image", "-c", 'CMD ["sh"]', "-", "box:1"], { input: busyboxTar() });
      await first.docker(["create", "--name", "holder", "-v", "/held", "box:1"]);
    }
    execFileSync("cp", ["-a", theirs, ours]);
    daemon = await start({ root: theirs });
    writeFileSync(join(scratch, "variables"), "# comment\nFROM_FILE=1\n  SPACED=x y\nHOME\n");
  });
  afterAll(async () => {
    await daemon?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  test.each([
    [["box:1"]],
    [
      [
        "-e",
        "B=1",
        "--env",
        "HOME",
        "-e",
        "UNSET_HERE",
        "--env-file",
        "variables",
        "box:1",
        "env",
        "-x",
        "--name",
        "no",
      ],
    ],
    [
      [
        "-l",
        "a=b",
        "--label",
        "c",
        "-w",
        "/deep/er",
        "-u",
        "1:2",
        "--hostname",
        "boxed",
        "--stop-signal",
        "9",
        "box:1",
      ],
    ],
    [["--entrypoint", "/bin/sh", "-t", "-i", "--init", "--read-only", "--rm", "box:1", "-c", "true"]],
    [["--entrypoint", "", "box:1", "true"]],
    [["-v", "/etc:/e:ro", "-v", "named:/n", "-v", "/anonymous", "-v", "./rel:/r", "--tmpfs", "/t:size=1m", "box:1"]],
    [["--volumes-from", "holder:ro", "--network", "none", "--restart", "on-failure:3", "box:1"]],
    [["-p", "8080:80", "-p", "127.0.0.1:90-91:90-91/udp", "-p", "70", "-p", "1-9:5", "--expose", "53/udp", "box:1"]],
    [["--privileged", "--cap-add", "net_admin", "--cap-drop", "mknod", "-m", "64m", "--cpus", "0.5", "box:1"]],
    [["--dns", "10.0.0.1", "--add-host", "a:10.0.0.2", "--network", "mine", "box:1"]],
  ])("records the same with %j", async (args) => {
    const paths = args.map((arg) => (arg === "variables" ? join(scratch, arg) : arg));
    // The client knows its own directory, and the test's is another one.
    const relative = paths.map((arg) => arg.replace(/^\.\//, `${scratch}/`));
    const environment = { HOME: "/home/of/mine" };
    const docker = await runClient(daemon.socket, ["create", ...relative], environment);
    expect(docker.error).toBe("");
    const made = await said(["--root", ours, "create", ...paths], { environment, directory: scratch });
    const [mine, wanted] = [records(ours, made.trim()), records(theirs, docker.output.trim())];
    expect(mine.record).toEqual(wanted.record);
    expect(mine.host).toEqual(wanted.host);
  });

  function records(root: string, id: string): { record: object; host: object } {
    const read = (name: string): string => {
      const text = readFileSync(join(root, "containers", id, name), "utf8").replaceAll(id, "ID");
      return text
        .replaceAll(root, "ROOT")
        .replaceAll(theirs, "ROOT")
        .replace(/(?<!sha256:)[0-9a-f]{64}/g, "RANDOM");
    };
    const record = JSON.parse(read("config.v2.json"));
    // The client collects variables and binds in maps.
    record.Config.Env?.sort();
    const Config = { ...record.Config, Hostname: record.Config.Hostname.replace(id.slice(0, 12), "ID") };
    const host = JSON.parse(read("hostconfig.json"));
    host.Binds?.sort();
    return { record: { ...record, Config, Created: "", Name: "" }, host };
  }

  test("renames, lists and prunes what it made", async () => {
    const run = (...args: string[]): Promise<string> => said(["--root", ours, ...args]);
    await run("create", "--name", "first", "-l", "stage=test", "box:1");
    await run("rename", "first", "second");
    const format = "{{.Names}} {{.Image}} {{.Command}} {{.Status}} {{.Labels}} {{.Networks}}";
    expect(await run("ps", "--filter", "label=stage", "--format", format)).toBe(
      'second box:1 "sh" Created stage=test bridge\n',
    );
    expect(await run("container", "ls", "-q", "--no-trunc", "--filter", "name=second")).toMatch(/^[0-9a-f]{64}\n$/);
    expect((await varve(["--root", ours, "ps", "--filter", "bogus=1"])).error).toContain("Invalid filter 'bogus'");
    expect((await varve(["--root", ours, "rename", "second", "second"])).error).toContain("with the same name");
    expect(await run("container", "prune", "--dry-run", "--filter", "label=stage")).toMatch(
      /^Would delete containers:\n[0-9a-f]{64}\n\nTotal reclaimable space: 0B\n$/,
    );
    await run("rm", "-v", "second");
    expect(await run("container", "prune", "-f")).toContain("Deleted Containers:\n");
    expect(await run("ps", "-aq")).toBe("");
  });
});
