import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ran, type RunOptions, varve } from "../tools/varve.ts";

/** What `docker save varve/quickstart:1 varve/quickstart:latest` of 20.10 wrote. */
const ARCHIVE = new URL("../../examples/quickstart.tar", import.meta.url).pathname;
const IMAGE = "varve/quickstart:1";
/** Nobody, where the tests run as root; else whoever runs them. */
const USER = process.getuid?.() === 0 ? { user: 65534 } : {};

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-rootless-"));
  chmodSync(directory, 0o777);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return varve(args, { ...USER, directory, environment: { VARVE_ROOT: join(directory, "root") }, ...options });
}

async function succeed(...args: string[]): Promise<string> {
  const { status, output, error } = await run(args);
  expect({ status, error }).toEqual({ status: 0, error: "" });
  return output.toString();
}

async function fail(...args: string[]): Promise<string> {
  const { status, output, error } = await run(args);
  expect(status, output.toString()).not.toBe(0);
  expect(error.split("\n"), "one line").toHaveLength(2);
  return `${status} ${error.trim()}`;
}

describe("as an ordinary user", () => {
  test("an image is loaded, listed, looked into and saved as it came", async () => {
    const { status, output, error } = await run(["load", "-i", ARCHIVE]);
    expect(status).toBe(0);
    expect(output.toString()).toBe(`Loaded image: ${IMAGE}\nLoaded image: varve/quickstart:latest\n`);
    expect(error).toMatch(/^(?:[0-9a-f]{12}: Loading layer [\d.]+[kM]?B\n){3}$/);

    expect(await succeed("images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}")).toBe(
      `${IMAGE} 1.98MB\nvarve/quickstart:latest 1.98MB\n`,
    );
    expect(await succeed("ls", `${IMAGE}:/etc`)).toBe("issue\nmotd\npasswd\n");
    expect(await succeed("ls", "-l", IMAGE, "/data", "/tmp/pipe")).toMatch(
      /^\/data:\n(?:.*\n)*-rws--x--x 0 0 +\d+ 2026-11-20 \d\d:\d\d setuid\n\n\/tmp\/pipe:\nprw-r--r-- 0 0 0 .* pipe\n$/,
    );
    expect(await succeed("cat", IMAGE, "/etc/motd", "/etc/issue")).toBe(
      "Layers of mud, one a year: a varve.\n".repeat(2),
    );
    expect(await succeed("history", "-q", "--no-trunc", IMAGE)).toMatch(/^sha256:[0-9a-f]{64}\n(?:<missing>\n){6}$/);

    const saved = join(directory, "saved.tar");
    expect(await succeed("save", "-o", saved, IMAGE, "varve/quickstart:latest")).toBe("");
    expect(readFileSync(saved).equals(readFileSync(ARCHIVE))).toBe(true);
    expect(statSync(saved).mode & 0o777).toBe(0o600);
    const piped = await run(["save", "varve/quickstart"]);
    expect(piped.output.equals(readFileSync(ARCHIVE))).toBe(true);
  });

  test("an archive is loaded from a pipe, compressed or not, and layers that are there are not read again", async () => {
    for (const input of [readFileSync(ARCHIVE), execFileSync("gzip", ["-c", ARCHIVE], { maxBuffer: 1 << 26 })]) {
      const { status, output, error } = await run(["load", "-q"], { input });
      expect({ status, output: output.toString(), error }).toEqual({
        status: 0,
        output: `Loaded image: ${IMAGE}\nLoaded image: varve/quickstart:latest\n`,
        error: "",
      });
    }
  });

  test("files are copied out, as they are or as a tar, and become the user's", async () => {
    await succeed("cp", `${IMAGE}:/etc`, "etc");
    await succeed("cp", `${IMAGE}:/etc/motd`, "etc/copy");
    expect(readdirSync(join(directory, "etc"))).toEqual(["copy", "issue", "motd", "passwd"]);
    const { uid, ino } = statSync(join(directory, "etc/motd"));
    expect(uid).toBe(USER.user ?? process.getuid?.());
    expect(statSync(join(directory, "etc/issue")).ino, "a hard link").toBe(ino);
    const tar = (await run(["cp", `${IMAGE}:/etc`, "-"])).output;
    const listed = execFileSync("tar", ["-tf", "-"], { input: tar, encoding: "utf8" });
    expect(listed).toBe("etc/\netc/issue\netc/motd\netc/passwd\n");
  });

  test("tags come and go, and what would go is told before", async () => {
    expect(await succeed("tag", IMAGE, "localhost:5000/mine:2")).toBe("");
    expect(await succeed("rmi", "--dry-run", "localhost:5000/mine:2")).toBe("Would untag: localhost:5000/mine:2\n");
    expect(await succeed("images", "localhost:5000/*", "--format", "{{.Tag}}")).toBe("2\n");
    expect(await succeed("rmi", "localhost:5000/mine:2")).toBe("Untagged: localhost:5000/mine:2\n");
    expect(await succeed("image", "prune", "-f")).toBe("Total reclaimed space: 0B\n");
    expect(await succeed("image", "prune", "--dry-run", "-a")).toMatch(
      /^Would delete images:\nuntagged: .*\nTotal reclaimable space: 1\.98\d?MB\n$/s,
    );
    expect(await succeed("images", "-q")).toMatch(/^[0-9a-f]{12}\n[0-9a-f]{12}\n$/);
  });

  test("what several names would take is what they take, one after the other", async () => {
    const environment = { VARVE_ROOT: join(directory, "other") };
    await run(["load", "-q", "-i", ARCHIVE], { environment });
    for (const tag of ["a:1", "a:2"]) await run(["tag", IMAGE, tag], { environment });
    const names = ["a:1", "a:1", "a:2", IMAGE, "varve/quickstart", "varve/quickstart"];
    const plan = await run(["rmi", "--dry-run", ...names], { environment });
    const { status, output, error } = await run(["rmi", ...names], { environment });
    expect(output.toString()).toMatch(/^Untagged: a:1\nUntagged: a:2\n(?:Untagged: .*\n){2}Deleted: sha256:/);
    const wouldBe = output.toString().replaceAll("Untagged:", "Would untag:").replaceAll("Deleted:", "Would delete:");
    expect({ ...plan, output: plan.output.toString() }).toEqual({ status, output: wouldBe, error });
    expect({ status, error }).toEqual({ status: 1, error: expect.stringMatching(/a:1.*\n.*varve\/quickstart:latest/) });
  });

  test("a prompt takes only y for a yes", async () => {
    const { status, output } = await run(["image", "prune", "-a"], { input: "n\n" });
    expect(status).toBe(0);
    expect(output.toString()).toBe(
      "WARNING! This will remove all images without at least one container associated to them.\n" +
        "Are you sure you want to continue? [y/N] Total reclaimed space: 0B\n",
    );
    expect(await succeed("images", "-q")).not.toBe("");
  });

  test("what needs root says so in one line", async () => {
    if (USER.user === undefined && process.getuid?.() === 0) return;
    for (const args of [
      ["create", IMAGE],
      ["mount", IMAGE],
    ])
      expect(await fail(...args)).toMatch(/^1 varve: .*root/);
  });

  test.each([
    [["inspect", "nope"], "1 varve: No such object: nope"],
    [["history", "nope"], "1 varve: No such image: nope:latest. 'varve images' lists what there is."],
    [["save", "-o", "none/x", IMAGE], '1 varve: invalid output path: directory "none" does not exist'],
    [["load", "-i", "nope.tar"], "1 varve: open nope.tar: no such file or directory"],
    [["images", "--format", "{{.Nope"], "125 varve: template parsing error: template: :1: unclosed action"],
    [["save", "--json", IMAGE], "125 varve: with --json the bytes need a file: add -o FILE"],
    [["ls", `${IMAGE}:/nope`], "1 varve: /nope: no such file or directory"],
    [["cat", `${IMAGE}:/etc`], "varve: /etc: not a regular file"],
    [["cp", "here", "there"], "125 varve: one of them must be in a container or an image, such as web:there"],
  ])("%j fails with its reason", async (args, message) => {
    expect(await fail(...args)).toContain(message);
  });

  test("a damaged archive is refused, and a file that was to be written is not there", async () => {
    const { status, output, error } = await run(["load"], { input: readFileSync(ARCHIVE).subarray(0, 1_500_000) });
    expect({ status, output: output.toString() }).toEqual({ status: 1, output: "" });
    expect(error).toMatch(/^varve: .*\n$/);
    await fail("save", "-o", "half.tar", IMAGE, "nope");
    expect(existsSync(join(directory, "half.tar"))).toBe(false);
    expect(readdirSync(directory).filter((name) => name.startsWith(".tmp"))).toEqual([]);
  });
});

describe("--json", () => {
  test.each([
    [["images"]],
    [["history", IMAGE]],
    [["inspect", IMAGE]],
    [["image", "inspect", IMAGE]],
    [["ls", IMAGE, "/etc"]],
    [["df"]],
    [["info"]],
    [["version"]],
    [["image", "prune", "--dry-run"]],
    [["completion", "bash"]],
    [["tag", IMAGE, "other:1"]],
    [["save", "-o", "x.tar", IMAGE]],
  ])("%j is one document", async (args) => {
    expect(typeof JSON.parse(await succeed(...args, "--json"))).toBe("object");
  });

  test.each([
    [["cat", IMAGE, "/etc/motd", "/bin/busybox"], 2],
    [["rmi", "--dry-run", IMAGE], 1],
    [["events", "--since", "1h", "--until", "0s", "-f", "event=load"], 3],
  ])("%j is an object a line", async (args, count) => {
    const lines = (await succeed(...args, "--json")).trimEnd().split("\n");
    expect(lines).toHaveLength(count);
    for (const line of lines) expect(typeof JSON.parse(line)).toBe("object");
  });

  test("of load tells every event", async () => {
    const { output } = await run(["load", "--json", "-i", ARCHIVE, "--root", join(directory, "second")]);
    const kinds = output
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).kind);
    expect(new Set(kinds)).toEqual(new Set(["layer", "image"]));
  });
});
