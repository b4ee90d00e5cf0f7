import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore, type Store } from "../../src/engine/store.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { busyboxTar, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

describe.skipIf(lack)(`a container made by Varve, once a dockerd has the root${lack ?? ""}`, () => {
  let scratch = "";
  let root = "";
  let store: Store;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-started-"));
    root = join(scratch, "root");
    mkdirSync(join(scratch, "bound"));
    writeFileSync(join(scratch, "bound/note"), "from the host\n");
    store = await openStore({ root, driver: "overlay2" });
    const changes = ["ENV A=image B=image", "USER 7:8", "WORKDIR /image", 'CMD ["sh"]'];
    await store.import(one(busyboxTar()), { reference: "box:1", changes });
    const files = tarOf([{ name: "declared/" }, { name: "declared/own", content: "of the image\n", mode: 0o644 }]);
    await store.create("box:1", { name: "first" });
    await store.copyIn("first", "/", one(files));
    await store.commit("first", { reference: "box:2", changes: ["VOLUME /declared"] });
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function* one(bytes: Buffer): AsyncIterable<Uint8Array> {
    yield bytes;
  }

  test("does what its config says", async () => {
    const script =
      'echo "$A $B $C"; pwd; id -u; id -g; hostname; cat /bound/note /declared/own /copied; echo more > /kept/more; ' +
      "touch /bound/x 2>/dev/null || echo read-only; cat /proc/mounts | grep -c ' /memory tmpfs'";
    const id = await store.create("box:2", {
      name: "ready",
      config: {
        Env: ["B=own", "C=own"],
        WorkingDir: "/own/dir",
        Hostname: "boxed",
        Cmd: ["sh", "-c", script],
        User: "0",
      },
      hostConfig: {
        Binds: [`${join(scratch, "bound")}:/bound:ro`, "kept:/kept"],
        Tmpfs: { "/memory": "" },
        NetworkMode: "none",
      },
    });
    await store.rename("ready", "set");
    await store.copyIn("set", "/", one(tarOf([{ name: "copied", content: "copied in\n" }])));
    const volumes = readdirSync(join(root, "volumes"));
    expect(volumes.length).toBe(2); // what the image declares, and the named one
    await using dockerd = await start({ root });
    const docker = async (...args: string[]): Promise<string> => (await dockerd.docker(args)).toString();
    expect(await docker("ps", "-a", "--format", "{{.Names}} {{.Status}}")).toBe("set Created\nfirst Created\n");
    expect(await docker("start", "-a", "set")).toBe(
      "image own own\n/own/dir\n0\n0\nboxed\nfrom the host\nof the image\ncopied in\nread-only\n1\n",
    );
    expect(readFileSync(join(root, "volumes/kept/_data/more"), "utf8")).toBe("more\n");
    expect((await docker("volume", "ls", "-q")).trim().split("\n").sort()).toEqual(volumes.sort());
    expect(await docker("inspect", "-f", "{{.Id}} {{.State.ExitCode}}", "set")).toBe(`${id} 0\n`);
    await docker("rm", "-v", "set");
    expect((await docker("volume", "ls", "-q")).trim()).toBe("kept");
    expect(await docker("volume", "rm", "kept")).toBe("kept\n");
  });

  test("whatever was left half by a process that died", async () => {
    await store.create("box:2", { name: "whole" });
    const containers = join(root, "containers");
    mkdirSync(join(containers, `.varve-${"a".repeat(64)}`));
    const warnings: string[] = [];
    {
      await using dockerd = await start({ root });
      const names = await dockerd.docker(["ps", "-a", "--format", "{{.Names}}"]);
      expect(names.toString()).toBe("whole\nfirst\n");
    }
    const again = await openStore({ root, onWarning: (message) => warnings.push(message) });
    expect((await again.containers()).map(({ name }) => name)).toEqual(["whole", "first"]);
    await again.create("box:2", { name: "another" });
    expect(readdirSync(containers).filter((name) => name.startsWith("."))).toEqual([]);
    expect(warnings).toEqual([]);
  });
});
