import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { ended, startVarve, varve, varvePath } from "../tools/varve.ts";

const ARCHIVE = new URL("../../examples/quickstart.tar", import.meta.url).pathname;
const IMAGE = "varve/quickstart:1";

let directory = "";
let environment: Readonly<Record<string, string>> = {};
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "varve-process-"));
  environment = { VARVE_ROOT: join(directory, "root") };
  expect(await varve(["load", "-q", "-i", await bigArchive()], { environment })).toMatchObject({
    status: 0,
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** An image of 64 MB, so that there is time to interrupt and more than a pipe holds. */
async function bigArchive(): Promise<string> {
  const tree = join(directory, "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "zeros"), Buffer.alloc(64 << 20));
  const layer = execFileSync("tar", ["-C", tree, "-c", "."], { maxBuffer: 1 << 27 });
  const diffID = `sha256:${createHash("sha256").update(layer).digest("hex")}`;
  const archive = join(directory, "archive");
  mkdirSync(archive);
  writeFileSync(join(archive, "layer.tar"), layer);
  writeFileSync(
    join(archive, "config.json"),
    JSON.stringify({ os: "linux", rootfs: { type: "layers", diff_ids: [diffID] } }),
  );
  writeFileSync(
    join(archive, "manifest.json"),
    JSON.stringify([{ Config: "config.json", RepoTags: ["big:1"], Layers: ["layer.tar"] }]),
  );
  execFileSync("tar", ["-C", archive, "-cf", join(directory, "big.tar"), "manifest.json", "config.json", "layer.tar"]);
  return join(directory, "big.tar");
}

/** Everything in a directory, to see that nothing was left behind. */
function filesIn(path: string): string[] {
  return existsSync(path)
    ? (readdirSync(path, { recursive: true }) as string[]).filter((name) => !name.startsWith("varve")).sort()
    : [];
}

describe("an interrupted command", () => {
  test("ends with 130, says so in one line, and leaves the store as it was", async () => {
    const root = join(directory, "interrupted");
    const child = startVarve(["--root", root, "load"], { environment });
    const result = ended(child);
    const bytes = readFileSync(join(directory, "big.tar"));
    child.stdin.on("error", () => {});
    child.stdin.write(bytes.subarray(0, bytes.length >> 1));
    await sleep(1500);
    child.kill("SIGINT");
    expect(await result).toMatchObject({ status: 130, error: "varve: interrupted\n" });
    expect(
      filesIn(root).filter((name) =>
        /layerdb\/sha256\/|overlay2\/[^l]|rootless\/|imagedb\/content\/sha256\/|tmp\//.test(name),
      ),
    ).toEqual([]);
  });

  test("does not leave half of a file that it was writing", async () => {
    const child = startVarve(["save", "-o", "half.tar", "big:1"], { environment, directory });
    const result = ended(child);
    for (
      let waited = 0;
      waited < 10_000 && !readdirSync(directory).some((name) => name.startsWith(".tmp"));
      waited += 5
    )
      await sleep(5);
    child.kill("SIGTERM");
    const { status } = await result;
    if (status === 0)
      expect(existsSync(join(directory, "half.tar"))).toBe(true); // it was faster than the signal
    else expect({ status, written: existsSync(join(directory, "half.tar")) }).toEqual({ status: 143, written: false });
    expect(readdirSync(directory).filter((name) => name.startsWith(".tmp"))).toEqual([]);
  });

  test("that waits for events ends at once", async () => {
    const child = startVarve(["events"], { environment });
    const result = ended(child);
    await sleep(1500);
    child.kill("SIGINT");
    expect(await result).toMatchObject({ status: 130, error: "varve: interrupted\n" });
  });
});

describe("a reader that goes away", () => {
  test("is no error to speak of", async () => {
    const pipeline = `"$0" "$1" save big:1 | head -c 10 >/dev/null; echo "$\{PIPESTATUS[0]}"`;
    const told = execFileSync("bash", ["-c", `${pipeline} 2>&1`, process.execPath, varvePath()], {
      env: { ...process.env, ...environment },
      encoding: "utf8",
    });
    expect(told).toBe("141\n");
  });
});

describe("an output without room", () => {
  const told = "no space left on device. Free some space, or choose another disk.\n";

  test.each([["images"], ["save", "big:1"], ["cat", "big:1:/zeros"]])("standard output of %j", async (...args) => {
    const line = ["-c", `exec "$0" "$@" >/dev/full`, process.execPath, varvePath(), ...args];
    const { status, stderr } = spawnSync("sh", line, { env: { ...process.env, ...environment }, encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 1, stderr: `varve: cannot write standard output: ${told}` });
  });

  test("a file", async () => {
    const { status, error } = await varve(["save", "-o", "/dev/full", "big:1"], { environment });
    expect({ status, error }).toEqual({ status: 1, error: `varve: cannot write /dev/full: ${told}` });
  });
});

const lack = lacking("script");
describe.skipIf(lack)(`on a terminal${lack ?? ""}`, () => {
  /** What a terminal of 120 columns gets. */
  async function onTerminal(command: string): Promise<{ text: string; status: number }> {
    const log = join(directory, "typescript");
    const line = `stty cols 120; '${process.execPath}' '${varvePath()}' ${command}`;
    execFileSync("script", ["-qec", `${line}; echo "status $?" >&2`, log], { env: { ...process.env, ...environment } });
    const text = readFileSync(log, "utf8")
      .replace(/^Script started.*\n/, "")
      .replace(/\n*Script done.*\n$/, "");
    const [, before = "", status] = /^(.*)status (\d+)\r\n$/s.exec(`${text}\n`.replace(/\n+$/, "\n")) ?? [];
    return { text: before, status: Number(status) };
  }

  test("load draws a bar for each layer, over its own line, as docker does", async () => {
    const { text, status } = await onTerminal(`--root '${join(directory, "drawn")}' load -i '${ARCHIVE}'`);
    expect(status).toBe(0);
    const drawn = String.raw`\r\n\x1b\[1A\x1b\[2K\r[0-9a-f]{12}: Loading layer \[=*> *\] {1,3}[\d.]+[kM]?B/[\d.]+[kM]?B\r\x1b\[1B`;
    expect(text).toMatch(new RegExp(`^${drawn}`));
    expect(text.match(/\[={50}>\]/g)).toHaveLength(3);
    expect(text.endsWith(`Loaded image: ${IMAGE}\r\nLoaded image: varve/quickstart:latest\r\n`)).toBe(true);
  });

  test("no archive is printed, and none is expected to be typed", async () => {
    expect(await onTerminal("save big:1")).toEqual({
      text: "varve: cowardly refusing to save to a terminal. Use the -o flag or redirect\r\n",
      status: 1,
    });
    expect(await onTerminal("load")).toMatchObject({
      status: 1,
      text: expect.stringContaining("requested load from stdin"),
    });
  });
});

describe("start-up", () => {
  test("of --help and version loads neither the engine nor libc", async () => {
    for (const args of [["--help"], ["version"], ["images", "--help"], ["help", "load"]]) {
      const { status, error } = await varve(args, { environment: { NODE_DEBUG: "esm" } });
      expect(status).toBe(0);
      expect(error).not.toMatch(/dist\/engine\/store\.js|node_modules\/koffi/);
    }
  });
});
