import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { writeSampleArchive } from "../tools/sample-archive.ts";
import { ended, said, startVarve, varve, varvePath } from "../tools/varve.ts";
import { startDaemon, type VarveDaemon } from "../tools/varve-daemon.ts";
import { archiveOf, LAYERS } from "./bench.ts";

const lack = lacking("root");

/** A line of the session, and what it gets on standard input. */
type Step = readonly [args: string, input?: Uint8Array];

const FILES = tarOf([{ name: "only", content: "o".repeat(10_000) }]);
const STEPS: readonly Step[] = [
  ["images"],
  ["load -i images.tar"],
  ["load -q", archiveOf({ "a:1": LAYERS })],
  ["load --json -i images.tar"],
  ["load -i missing.tar"],
  ["load -i no-archive"],
  ["load", Buffer.from("no archive")],
  ["save --format oci -o layout.tar b:1"],
  ["load -i layout"],
  ["images --digests --no-trunc"],
  ["images -q --filter label=name=a:1"],
  ["images --filter nope=1"],
  ["images --filter until=yesterday"],
  ["image ls --format {{.Repository}}:{{.Tag}}-{{.Size}}"],
  ["images --json"],
  ["history --no-trunc b:1"],
  ["inspect a:1"],
  ["inspect -f {{.RootFS.Layers}} b:1 nope a:1"],
  ["tag a:1 other:2"],
  ["tag a:1 NO"],
  ["ls -l a:1"],
  ["ls --json a:1 / /etc"],
  ["ls a:1 /nope"],
  ["cat a:1:/etc/motd"],
  ["cat --json a:1 /etc/motd /etc"],
  ["save a:1 b:1"],
  ["save -o saved.tar --json a:1"],
  ["save -o not-saved.tar nope"],
  ["import files.tar -m imported -c USER=x imported:1"],
  ["import - imported:2", FILES],
  ["import layout imported:3"],
  ["import files.tar NO"],
  ["create --name web a:1"],
  ["create --name web a:1"],
  ["create nope"],
  ["create --name app -e A=b -l stage=prod -v kept:/kept -w /tmp -m 64m b:1 /bin/true"],
  ["create --name net --network nope b:1"],
  ["ps -a"],
  ["ps -aq --no-trunc --filter label=stage"],
  ["ps -as --format {{.Names}}:{{.Size}}"],
  ["ps --filter status=odd"],
  ["rename app site"],
  ["rename app site"],
  ["inspect -f {{.Config.Env}}{{.HostConfig.Memory}} site"],
  ["inspect -f {{json .Mounts}} site"],
  ["container prune --dry-run --filter label=stage=prod"],
  ["container prune -f --filter label=stage=prod"],
  ["cp files.tar web:/etc"],
  ["cp layout web:/"],
  ["cp - web:/etc", FILES],
  ["cp files.tar web:/nope/x"],
  ["cp files.tar a:1:/"],
  ["cp web:/etc/only out-only"],
  ["cp a:1:/etc out-etc"],
  ["cp a:1:/nope out-nope"],
  ["cat web:/etc/only"],
  ["diff web"],
  ["diff nope"],
  ["commit -m changed web web:2"],
  ["export -o web.tar web"],
  ["mount web"],
  ["rm web"],
  ["umount web"],
  ["umount nope"],
  ["df"],
  ["df -v"],
  ["info"],
  ["rmi --dry-run a:1 nope"],
  ["rmi a:1"],
  ["rmi b:1 nope"],
  ["rm --dry-run web"],
  ["rm web web"],
  ["rmi web:2"],
  ["image prune --dry-run -a --filter label=name=a:1"],
  ["image prune -f"],
  ["rmi -f nope"],
  ["events --since 1h --until 0s --format {{.Type}}-{{.Action}}"],
  ["images -a"],
];

describe.skipIf(lack)(`a session with the command over a daemon${lack ?? ""}`, () => {
  let scratch: string;
  let daemon: VarveDaemon;
  const place = (way: string): string => join(scratch, way);
  const host = (): string[] => ["-H", `unix://${daemon.socket}`];

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-session-"));
    for (const way of ["local", "remote"]) {
      mkdirSync(place(way));
      writeFileSync(join(place(way), "images.tar"), archiveOf({ "a:1": LAYERS, "b:1": LAYERS.slice(1) }));
      writeFileSync(join(place(way), "files.tar"), FILES);
      writeFileSync(join(place(way), "no-archive"), "x".repeat(2000));
    }
    daemon = await startDaemon(join(place("remote"), "root"));
    await said(["--root", join(place("local"), "before"), "load", "-i", join(place("local"), "images.tar")]);
    const layout = (await varve(["--root", join(place("local"), "before"), "save", "--format", "oci", "b:1"])).output;
    for (const way of ["local", "remote"]) {
      mkdirSync(join(place(way), "layout"));
      execFileSync("tar", ["-x", "-C", join(place(way), "layout")], { input: layout });
    }
    rmSync(join(place("local"), "before"), { recursive: true });
  });
  afterAll(async () => {
    await daemon?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  test("prints what it prints without one, and writes the same files", async () => {
    const known = { local: new Map<string, string>(), remote: new Map<string, string>() };
    for (const [line, input] of STEPS) {
      const args = line.split(" ").map((word) => (word === "USER=x" ? "USER x" : word));
      const run = async (way: "local" | "remote", where: readonly string[]): Promise<object> => {
        const { status, output, error } = await varve([...where, ...args], {
          directory: place(way),
          ...(input === undefined ? {} : { input }),
        });
        const seen = (text: string): string => anonymous(text.replaceAll(place(way), "PLACE"), known[way]);
        return { status, output: seen(output.toString("latin1")), error: seen(error) };
      };
      const local = run("local", ["--root", join(place("local"), "root")]);
      expect(await run("remote", host()), line).toEqual(await local);
    }
    const files = (way: string): string[] =>
      readdirSync(place(way))
        .filter((name) => name !== "root")
        .sort();
    expect(files("remote")).toEqual(files("local"));
    for (const name of ["layout.tar", "saved.tar", "out-only", "out-etc/motd"])
      expect(readFileSync(join(place("remote"), name)).equals(readFileSync(join(place("local"), name))), name).toBe(
        true,
      );
    const exported = (way: string): string =>
      execFileSync("tar", ["-tf", join(place(way), "web.tar")], { encoding: "utf8" });
    expect(exported("remote")).toBe(exported("local"));
  });

  test("hears a refusal while it is still sending", async () => {
    const load = ["load", "-i", join(place("remote"), "no-archive")];
    const local = await varve(["--root", join(place("local"), "root"), ...load]);
    for (let i = 0; i < 30; i++) expect(await varve([...host(), ...load])).toEqual(local);
  });

  test("completes the names that the daemon knows", async () => {
    await said([...host(), "load", "-q", "-i", join(place("remote"), "images.tar")]);
    const { output } = await varve(["__complete", ...host(), "history", ""]);
    expect(output.toString()).toContain("a:1\timage\n");
  });

  test("may name the daemon by its environment, unless it names a root", async () => {
    const environment = { VARVE_HOST: `unix://${daemon.socket}` };
    expect(await said(["images"], { environment })).toContain("a  ");
    expect(await said(["images", "-H", `unix://${daemon.socket}`])).toContain("a  ");
    expect(await said(["history", "--host", `unix://${daemon.socket}`, "a:1"])).toContain("layer 0");
    expect(await said(["--root", join(scratch, "empty"), "images"], { environment })).not.toContain("a  ");
    expect(await said(["version"], { environment })).toContain("Version:");
  });

  test.each([
    [
      ["--root", "/r", "images", "-H", "unix:///x"],
      "--host is for the store that a daemon has open, --root for one of this machine: use one",
    ],
    [["-H", "unix:///x", "--v1", "images"], "--v1 for one of this machine"],
    [["-H", "unix:///x", "--userns-remap", "default", "images"], "--userns-remap for one of this machine"],
    [["-H", "unix:///x", "serve"], "serve works on this machine alone"],
    [["migrate", "-H", "unix:///x", "v1"], "migrate works on this machine alone"],
    [["version", "--host", "unix:///x"], "version works on this machine alone"],
    [["-H", "unix:///x", "completion", "bash"], "completion works on this machine alone"],
    [["-H", "/x", "images"], "invalid address /x: use unix:///PATH or tcp://HOST:PORT"],
    [["-H", "tcp://127.0.0.1:1", "--tlscert", "x", "images"], "TLS takes all three"],
    [["--tlscacert", "x", "--tlscert", "x", "--tlskey", "x", "images"], "are for -H tcp://HOST:PORT"],
    [["-H", "unix:///x", "--tlscacert", "x", "--tlscert", "x", "--tlskey", "x", "images"], "TLS is for tcp://"],
  ])("is a mistake in %j", async (args, message) => {
    const { status, error } = await varve(args);
    expect(error).toContain(message);
    expect(status).toBe(125);
  });

  test("without a daemon says so", async () => {
    const { status, error } = await varve(["-H", "unix:///no/such.sock", "images"]);
    expect(error).toBe(
      "varve: cannot connect to the Varve daemon at unix:///no/such.sock. Is 'varve serve' running?\n",
    );
    expect(status).toBe(1);
  });

  describe("that is interrupted", () => {
    let large: string;
    beforeAll(async () => {
      large = join(scratch, "large.tar");
      writeSampleArchive(large, "large:1", [[["noise", 150 << 20]]]);
    });

    test("in a load leaves nothing at the daemon", async () => {
      const before = await said([...host(), "images", "-q"]);
      const child = startVarve([...host(), "load"]);
      const result = ended(child);
      const archive = readFileSync(large);
      child.stdin.on("error", () => {});
      child.stdin.write(archive.subarray(0, 40 << 20));
      await sleep(500);
      child.kill("SIGINT");
      expect(await result).toMatchObject({ status: 130, error: "varve: interrupted\n" });
      expect(await said([...host(), "images", "-q"])).toBe(before);
      const left = (path: string): string[] => {
        const inside = join(place("remote"), "root", path);
        return existsSync(inside) ? readdirSync(inside) : [];
      };
      while (left("tmp").length + left("varve/leases").length > 0) await sleep(20);
    });

    test("in a save leaves no file, and one that nobody reads ends as in-process", async () => {
      await said([...host(), "load", "-i", large]);
      const child = startVarve([...host(), "save", "-o", "half.tar", "large:1"], { directory: scratch });
      const result = ended(child);
      while (!readdirSync(scratch).some((name) => name.startsWith(".tmp"))) await sleep(5);
      child.kill("SIGTERM");
      expect((await result).status).toBe(143);
      expect(readdirSync(scratch).filter((name) => name.includes("half"))).toEqual([]);
      const pipeline = `"$0" "$@" save large:1 2>&1 | head -c 10 >/dev/null; echo "$\{PIPESTATUS[0]}"`;
      const told = execFileSync("bash", ["-c", pipeline, process.execPath, varvePath(), ...host()], {
        encoding: "utf8",
      });
      expect(told).toBe("141\n");
    });

    test("while it follows events ends at once, having told those that came", async () => {
      const child = startVarve([...host(), "events", "--since", "1s", "--format", "{{.Action}}"]);
      const result = ended(child);
      const first = once(child.stdout, "data");
      const tagging = setInterval(() => void varve([...host(), "tag", "a:1", "a:2"]), 500);
      await first;
      clearInterval(tagging);
      child.kill("SIGINT");
      expect(await result).toMatchObject({ status: 130, error: "varve: interrupted\n" });
    });

    test("by the daemon's end says that it is gone", async () => {
      const child = startVarve([...host(), "events"]);
      const result = ended(child);
      await sleep(1500);
      const { socket } = daemon;
      await daemon.stop();
      expect(await result).toMatchObject({
        ...{ status: 1, error: `varve: the Varve daemon at unix://${socket} broke the work off: it is stopping\n` },
      });
    });
  });
});

/** Ids and times by the order in which they come, as they differ between two roots. */
function anonymous(text: string, known: Map<string, string>): string {
  const named = text.replace(/\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b/g, (id) => {
    const short = id.slice(0, 12);
    const name = known.get(short) ?? `ID${known.size}`;
    known.set(short, name);
    return `${name}${id.length === 64 ? "-long" : ""}`;
  });
  return named
    .replace(/\d{4}-\d\d-\d\d[T ][\d:.]+(Z| \+0000 UTC)?/g, "TIME")
    .replace(/(Less than a second|About a minute|\d+ (seconds?|minutes?)) ago/g, "AGO      ")
    .replace(/(AGO|CREATED) +/g, "$1 ");
}
