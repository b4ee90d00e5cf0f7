import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { CLIENT, runClient } from "../tools/docker-client.ts";
import { lacking } from "../tools/dockerd.ts";
import { makePair, type Pair } from "./fixture.ts";

const lack = lacking("root", "dockerd", "docker");
/** Debian's, and a newer one if the machine has it. */
const CLIENTS = [CLIENT, "/usr/local/bin/docker"].filter(existsSync);

interface Line {
  readonly args: readonly string[];
  readonly input?: Uint8Array;
  /** What the client brings onto the disk, which is compared as well. */
  readonly brings?: string;
}

/** What somebody types, in this order. `%here` is a directory of the one who is asked, with files to copy. */
const SESSION: readonly Line[] = [
  ...[
    words("ps"),
    words("ps -a"),
    words("create --name plain base:1"),
    words("create --name plain base:1"),
    words("create --name -bad base:1"),
    words("create --pull never --name none nope:1"),
    words("create --name none other:2"),
    words("create --name empty other:2 run"),
    { args: ["create", "--name", "words", "kid:1", "echo", "a b", "c"] },
    {
      args: [
        ...["create", "--name", "rich", "--label", "a=b", "--label", "c", "-e", "A=other", "-w", "/work/deep"],
        ...["-u", "1:2", "--entrypoint", "/bin/sh", "--hostname", "host", "--domainname", "dom", "--expose", "81"],
        ...["-p", "8080:80", "-p", "127.0.0.1::82/udp", "-v", "/usr/share:/host:ro", "--tmpfs", "/run:size=1m"],
        ...["--restart", "on-failure:3", "--memory", "64m", "--cpus", "1.5", "--cap-add", "NET_ADMIN", "--read-only"],
        ...["--dns", "1.1.1.1", "--add-host", "a:1.2.3.4", "--log-driver", "none", "--stop-signal", "SIGINT"],
        ...[
          "--stop-timeout",
          "3",
          "--health-cmd",
          "true",
          "--health-interval",
          "5s",
          "--init",
          "--ulimit",
          "nofile=1:2",
        ],
        ...["--security-opt", "no-new-privileges", "--shm-size", "1m", "--pids-limit", "5", "-t", "-i", "kid:1"],
        ...["-c", "echo a b"],
      ],
    },
  ],
  ...["ps -a", "ps -a --no-trunc", "ps -aq", "ps -a -s", "ps -n 2", "ps -l", "ps"].map((text) => words(text)),
  {
    args: ["ps", "-a", "--format", "{{.Names}}|{{.Image}}|{{.Command}}|{{.Labels}}|{{.Mounts}}|{{.Ports}}|{{.State}}"],
  },
  { args: ["ps", "-a", "--format", '{{.Names}}|{{.Label "a"}}|{{.Networks}}|{{.LocalVolumes}}|{{.Size}}'] },
  ...[
    ...[
      "name=ri",
      "name=^/plain$",
      "label=a",
      "label=a=b",
      "label=a=c",
      "status=created",
      "status=exited",
      "status=odd",
    ],
    ...["ancestor=base:1", "ancestor=kid", "ancestor=nope", "before=rich", "since=plain", "since=nope", "exited=0"],
    ...[
      "exited=x",
      "id=zz",
      "volume=/host",
      "volume=/nope",
      "network=bridge",
      "network=none",
      "publish=80",
      "publish=9",
    ],
    ...["expose=81", "expose=80/tcp", "health=none", "health=healthy", "is-task=false", "isolation=", "unheard=of"],
  ].map((filter) => words(`ps -a --format {{.Names}}|{{.Status}} --filter ${filter}`)),
  ...[
    "inspect plain rich words",
    "inspect --type container nope",
    "inspect nope rich",
    "container inspect -s plain",
  ].map((text) => words(text)),
  { args: ["inspect", "--format", "{{.State.Status}} {{.Name}} {{.Config.Env}} {{json .Mounts}}", "rich"] },
  ...[
    words("cp %here/file plain:/new"),
    words("cp %here/file plain:/etc"),
    words("cp %here/file plain:/etc/"),
    words("cp %here/file plain:/no/such"),
    words("cp %here/file plain:/no/such/"),
    words("cp %here/tree plain:/"),
    words("cp %here/tree plain:/fresh"),
    words("cp %here/tree/. plain:/etc"),
    words("cp %here/tree plain:/new"),
    words("cp %here/link plain:/as-link"),
    words("cp -L %here/link plain:/followed"),
    words("cp -a %here/file rich:/owned"),
    words("cp %here/nothing plain:/"),
    words("cp %here/file nope:/"),
    {
      args: ["cp", "-", "plain:/etc"],
      input: tarOf([{ name: "sub/" }, { name: "sub/f", content: "1", uid: 7, gid: 8 }]),
    },
    { args: ["cp", "-", "plain:/none"], input: tarOf([{ name: "x", content: "1" }]) },
    { args: ["cp", "plain:/etc/motd", "%here/motd"], brings: "motd" },
    { args: ["cp", "plain:/etc", "%here/etc"], brings: "etc" },
    { args: ["cp", "plain:/tree/.", "%here/again"], brings: "again" },
    { args: ["cp", "plain:/as-link", "%here/as-link"], brings: "as-link" },
    { args: ["cp", "-L", "plain:/tree/link", "%here/by-link"], brings: "by-link" },
    words("cp plain:/none %here/none"),
    words("cp nope:/etc %here/none"),
    words("cp plain:/etc rich:/"),
    words("diff plain"),
    words("diff empty"),
    words("diff nope"),
    words("ps -a -s --format {{.Names}}|{{.Size}}"),
    { args: ["export", "-o", "%here/plain.tar", "plain"], brings: "plain.tar" },
    words("export nope"),
    words("commit plain"),
    { args: ["commit", "-m", "made", "-a", "Me <m@e>", "-c", 'CMD ["a"]', "-c", "ENV Q=1", "plain", "made:1"] },
    words("commit -p=false rich made:2"),
    words("commit empty made:3"),
    words("commit plain UPPER"),
    { args: ["commit", "-c", "RUN x", "plain"] },
    words("commit nope"),
    words(
      "image inspect --format {{.Config}}|{{.Author}}|{{.Comment}}|{{.RootFS.Type}}|{{.Size}} made:1 made:2 made:3",
    ),
    { args: ["history", "--format", "{{.CreatedBy}}|{{.Size}}|{{.Comment}}", "made:1"] },
    words("rename plain other"),
    words("rename other other"),
    words("rename other rich"),
    words("rename nope x1"),
    words("rename -- other -bad"),
    words("rename other plain"),
    words("rmi kid:1"),
    words("rmi made:3"),
    words("system df"),
    words("system df -v"),
    words("volume ls"),
    words("volume prune -f"),
    words("container prune --force --filter label=none"),
    words("container prune --force --filter until=24h"),
    words("container prune --force --filter unheard=of"),
    words("rm nope"),
    words("rm words"),
    words("rm -f words"),
    words("rm -v rich"),
    words("rm -l plain"),
    words("container prune --force"),
    words("container prune --force"),
    words("ps -a"),
    words("rmi made:1"),
    words("system prune -f"),
    {
      args: [
        ...["events", "--since", "10m", "--until", "0s", "--filter", "type=container"],
        ...["create", "rename", "commit", "destroy", "prune"].flatMap((event) => ["--filter", `event=${event}`]),
        ...["--format", "{{.Action}}|{{.Actor.Attributes}}"],
      ],
    },
    words("images -a --format {{.Repository}}:{{.Tag}}"),
  ],
];

/** What dockerd keeps in maps, and what it makes within one second. */
const ANY_ORDER: ReadonlySet<string> = new Set(["diff", "system", "container", "images"]);

describe.skipIf(lack).each(CLIENTS)(`what the client %s prints about containers${lack ?? ""}`, (client) => {
  let pair: Pair;
  let here: Readonly<Record<"dockerd" | "varve", string>>;
  beforeAll(async () => {
    pair = await makePair();
    here = { dockerd: filesToCopy(pair, "dockerd"), varve: filesToCopy(pair, "varve") };
  });
  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
  });

  test("is the same of Varve's daemon and of dockerd", async () => {
    for (const { args, input, brings } of SESSION) {
      // Up to the last whole second, as the client asks.
      if (args[0] === "events") await sleep(1000);
      const printed = async (who: "dockerd" | "varve"): Promise<object> => {
        const given = args.map((word) => word.replace("%here", here[who]));
        const { output, error, status } = await runClient(pair[who].socket, given, {}, input, client);
        const brought = brings === undefined ? undefined : contentOf(join(here[who], brings));
        const plain = (text: string): string[] => withoutNews(text.replaceAll(here[who], "%here"), pair.roots[who]);
        const ordered = args[0] === "ps" ? plain(output).map(sortedLists) : plain(output);
        const lines = ANY_ORDER.has(args[0]!) ? ordered.sort() : ordered;
        return { args, lines, error: plain(error), status, brought };
      };
      expect.soft(await printed("varve")).toEqual(await printed("dockerd"));
    }
  });
});

function words(text: string): Line {
  return { args: text.split(" ") };
}

function filesToCopy(pair: Pair, who: "dockerd" | "varve"): string {
  const directory = join(pair.roots[who], "..", `files of ${who}`);
  mkdirSync(join(directory, "tree", "below"), { recursive: true });
  writeFileSync(join(directory, "file"), "a file\n");
  writeFileSync(join(directory, "tree", "below", "deep"), "deep\n", { mode: 0o600 });
  symlinkSync("file", join(directory, "link"));
  symlinkSync("below/deep", join(directory, "tree", "link"));
  for (const name of ["file", "tree/below/deep", "tree/below", "tree"])
    execFileSync("touch", ["-d", "2020-01-02T03:04:05Z", join(directory, name)]);
  return directory;
}

/** Names, kinds, modes, owners, sizes and contents; of an archive, what is in it. */
function contentOf(path: string): string[] {
  const list = path.endsWith(".tar")
    ? execFileSync("tar", ["--numeric-owner", "-tvf", path], { encoding: "utf8" })
    : execFileSync("find", [path, "-printf", "%P %y %m %U:%G %s %l\n"], { encoding: "utf8" });
  return list
    .split("\n")
    .map((line) => line.replace(/\d{4}-\d\d-\d\d \d\d:\d\d/, "<when>"))
    .sort();
}

/** Labels and mounts come in any order. */
function sortedLists(line: string): string {
  return line
    .split("|")
    .map((column) => column.split(",").sort().join(","))
    .join("|");
}

/**
 * Ages go on between two questions, and columns are as wide as they are; ids of what was made just now are by chance, as is
 * whether a client still sends when it is refused.
 */
function withoutNews(text: string, root: string): string[] {
  return text
    .replaceAll(root, "<root>")
    .replace(/(?:Less than a second|About a minute|\d+ (?:seconds?|minutes)) ago */g, "<age> ")
    .replace(/ {2,}/g, "  ")
    .replace(/"(Created|LastTagTime)": "[^"]*"/g, '"$1": "<now>"')
    .replace(/\b(?:sha256:)?[0-9a-f]{64}\b/g, "<id>")
    .replace(/\b[0-9a-f]{12}\b/g, "<id>")
    .replace(/\b0xc000[0-9a-f]+\b/g, "<pointer>")
    .split("\n")
    .filter((line) => !line.startsWith('time="'));
}
