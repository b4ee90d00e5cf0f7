import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { runClient } from "../tools/docker-client.ts";
import { busyboxTar, lacking, start } from "../tools/dockerd.ts";
import { startDaemon } from "../tools/varve-daemon.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

/** Says all that it has been told. */
const SCRIPT = `
  echo "as $(id -u):$(id -g) in $(pwd) on $(hostname)"
  echo "with $A and $B"
  cat /copied /etc/inside/deep /mounted/file
  ls -ln /copied /etc/inside/deep
  echo refused 2>/dev/null > /mounted/new || echo "only to read"
  echo kept > /work/here && cat /work/here
  mount | grep -c ' /scratch '
  echo "ends" >&2
  exit 7`;

describe.skipIf(lack)(`a container that Varve's daemon made${lack ?? ""}`, () => {
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), "varve-started-"));
    mkdirSync(join(scratch, "mounted"));
    writeFileSync(join(scratch, "mounted/file"), "from the host\n");
    writeFileSync(join(scratch, "copied"), "from the client\n", { mode: 0o640 });
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function make(socket: string): Promise<void> {
    const lines = [
      [
        ...["create", "--name", "made", "--network", "none", "--hostname", "box", "-e", "A=one", "-e", "B=two words"],
        ...["-w", "/work", "-u", "0:3", "-v", `${join(scratch, "mounted")}:/mounted:ro`, "--tmpfs", "/scratch"],
        ...["--entrypoint", "/bin/sh", "busy:1", "-c", SCRIPT],
      ],
      ["cp", join(scratch, "copied"), "made:/copied"],
    ];
    const ran = [];
    for (const args of lines) ran.push(await runClient(socket, args));
    const tar = tarOf([{ name: "inside/" }, { name: "inside/deep", content: "from a tar\n" }]);
    ran.push(await runClient(socket, ["cp", "-", "made:/etc"], {}, tar));
    expect(ran.map(({ error }) => error)).toEqual(["", "", ""]);
  }

  test("is started by a dockerd that opens the root, and does what one of its own does", async () => {
    const roots = { theirs: join(scratch, "theirs"), ours: join(scratch, "ours") };
    const said = async (root: string, byVarve: boolean): Promise<object> => {
      {
        await using dockerd = await start({ root });
        await dockerd.docker(["import", "-", "busy:1"], { input: busyboxTar() });
        if (!byVarve) await make(dockerd.socket);
      }
      if (byVarve) {
        await using varve = await startDaemon(root);
        await make(varve.socket);
      }
      await using dockerd = await start({ root });
      const { output, error, status } = await runClient(dockerd.socket, ["start", "-a", "made"]);
      const changes = (await runClient(dockerd.socket, ["diff", "made"])).output.split("\n").sort();
      const listed = await dockerd.docker(["ps", "-a", "--format", "{{.Names}} {{.Status}} {{.Mounts}}"]);
      await dockerd.docker(["commit", "made", "more:1"]);
      await dockerd.docker(["rm", "made"]);
      return {
        output,
        error,
        status,
        changes,
        listed: listed.toString().replace(/\d+ seconds?|Less.* second/, "<age>"),
      };
    };
    const theirs = await said(roots.theirs, false);
    expect(theirs).toMatchObject({ status: 7, output: expect.stringContaining("from a tar\n") });
    expect(await said(roots.ours, true)).toEqual(theirs);
  });
});
