import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CLIENT, runClient } from "../tools/docker-client.ts";
import { lacking } from "../tools/dockerd.ts";
import { BASE_TAR, makePair, OTHER_TAR, type Pair } from "./fixture.ts";

const lack = lacking("root", "dockerd", "docker");
/** Debian's, and a newer one if the machine has it. */
const CLIENTS = [CLIENT, "/usr/local/bin/docker"].filter(existsSync);

interface Line {
  readonly args: readonly string[];
  readonly input?: Uint8Array;
}

/** What somebody types, in this order. */
function session(archive: string): Line[] {
  return [
    words("images"),
    words("images -a --no-trunc"),
    words("images -q"),
    words("images --digests"),
    { args: ["images", "--format", "{{json .Repository}}"] },
    ...["dangling=true", "label=stage=prod", "before=kid:1", "since=base:1", "reference=ba*"].map((filter) =>
      words(`images --filter ${filter} --format {{.ID}}:{{.Repository}}:{{.Tag}}:{{.Size}}`),
    ),
    words("images localhost:5000/a/b"),
    words("images --filter unheard=of"),
    words("history kid:1"),
    words("history --no-trunc --format {{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}} base:1"),
    words("history nope"),
    words("inspect base:1 kid:1"),
    words("image inspect nope base"),
    words("image inspect --format {{.Config.Labels}}{{.RepoTags}} base:1"),
    words("load -i", archive),
    words("load -q -i", archive),
    { args: ["load"], input: Buffer.from("hello".repeat(1000)) },
    words("tag base:1 again:1"),
    words("tag base:1 UPPER"),
    words("tag nope again:2"),
    words("rmi again:1"),
    words("rmi again:1"),
    words("rmi other:2"),
    words("rmi -f nope"),
    { args: ["import", "--change", "CMD a", "-m", "made", "-", "made:1"], input: OTHER_TAR },
    { args: ["import", "--change", "RUN a", "-", "made:2"], input: OTHER_TAR },
    { args: ["import", "-", "made:3"], input: BASE_TAR },
    words("image inspect --format {{.Config.Cmd}}{{.Comment}}{{.RootFS.Layers}} made:1"),
    words("save made:1 -o /dev/null"),
    words("save nope"),
    words("rmi made:1 made:3"),
    words("image prune -f"),
    words("image prune -f"),
    words("system df"),
    words("system df -v"),
    words("version --format {{.Server.APIVersion}}:{{.Server.MinAPIVersion}}:{{.Server.Os}}:{{.Server.Arch}}"),
    words("info --format {{.Containers}}:{{.Images}}:{{.Driver}}:{{.DriverStatus}}:{{.OperatingSystem}}"),
    words("events --since 1 --until 2"),
  ];
}

describe.skipIf(lack).each(CLIENTS)(`what the client %s prints${lack ?? ""}`, (client) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await makePair();
  });
  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
  });

  test("is the same of Varve's daemon and of dockerd", async () => {
    for (const { args, input } of session(pair.archivePath)) {
      const printed = async (who: "dockerd" | "varve"): Promise<object> => {
        const { output, error, status } = await runClient(pair[who].socket, args, {}, input, client);
        const text = plain(output, pair.roots[who]);
        // A column is as wide as the ages of containers in it.
        const lines = (args[0] === "system" ? text.replace(/ {2,}/g, "  ") : text).split("\n");
        // dockerd lists images that were made in one second in any order.
        if (args[0] === "images" || args[0] === "system") lines.sort();
        return { args, lines, error: plain(error, pair.roots[who]), status };
      };
      const [theirs, ours] = [await printed("dockerd"), await printed("varve")];
      if (args[0] === "load" && input !== undefined) expect(ours).toMatchObject({ args, lines: [""], status: 1 });
      else expect(ours).toEqual(theirs);
    }
  });

  test("as an archive is the same to the byte", async () => {
    const saved = (who: "dockerd" | "varve"): string => join(pair.roots[who], "..", `${who}.tar`);
    for (const who of ["dockerd", "varve"] as const)
      await runClient(pair[who].socket, ["save", "-o", saved(who), "base:1", "kid:1"], {}, undefined, client);
    const names = (path: string): string => execFileSync("tar", ["-tf", path], { encoding: "utf8" });
    expect(names(saved("varve"))).toBe(names(saved("dockerd")));
    await runClient(pair.varve.socket, ["save", "-o", saved("varve"), "base:1"], {}, undefined, client);
    await runClient(pair.dockerd.socket, ["save", "-o", saved("dockerd"), "base:1"], {}, undefined, client);
    expect(readFileSync(saved("varve")).equals(readFileSync(saved("dockerd")))).toBe(true);
  });
});

function words(text: string, ...more: string[]): Line {
  return { args: [...text.split(" "), ...more] };
}

/** Ages go on between two questions, and ids of what was made just now carry its time. */
function plain(text: string, root: string): string {
  return text
    .replaceAll(root, "<root>")
    .replace(/(?:Less than a second|About a minute|\d+ (?:seconds?|minutes)) ago */g, "<age>")
    .replace(/"LastTagTime": "[^"]*"/g, '"LastTagTime": "<now>"')
    .replace(/^sha256:[0-9a-f]{64}$/gm, "<id>")
    .replace(/^(Deleted: |deleted: )sha256:[0-9a-f]{64}$/gm, "$1<id>");
}
