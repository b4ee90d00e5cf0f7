import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { writeSampleArchive } from "../tools/sample-archive.ts";
import { said as varve, varvePath } from "../tools/varve.ts";

/** Several processes on one root, and processes that die there. */
const LAYERS = [0, 1, 2].map((layer) => [
  ...Array.from({ length: 300 }, (_, i) => [`${layer}/${i}`, 2000] as const),
  [`${layer}/large`, 5 << 20] as const,
]);
const driver = process.getuid?.() === 0 ? "overlay2" : "rootless";

describe("processes on one root", () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-company-"));
  const archive = join(scratch, "image.tar");
  let root: string;
  let roots = 0;
  let id: string;

  beforeAll(() => {
    id = writeSampleArchive(archive, "sample:1", LAYERS);
  });
  beforeEach(() => {
    root = join(scratch, `root-${roots++}`);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const load = (): ChildProcess =>
    spawn(process.execPath, [varvePath(), "--root", root, "--driver", driver, "load", "-q", "-i", archive], {
      stdio: ["ignore", "ignore", "pipe"],
    });

  /** Three layers, three trees, and nothing half-made. */
  async function expectWhole(): Promise<void> {
    expect(await varve(["--root", root, "images", "-q", "--no-trunc"])).toBe(`${id}\n`);
    await varve(["--root", root, "save", "-o", join(scratch, "saved.tar"), "sample:1"]);
    expect(trees()).toHaveLength(LAYERS.length);
    expect(readdirSync(join(root, "image", driver, "layerdb", "sha256"))).toHaveLength(LAYERS.length);
    expect(readdirSync(join(root, "image", driver, "layerdb", "tmp"))).toEqual([]);
    if (existsSync(join(root, "tmp"))) expect(readdirSync(join(root, "tmp"))).toEqual([]);
  }

  function trees(): string[] {
    return readdirSync(join(root, driver)).filter((name) => name !== "l");
  }

  test("that load the same image at once all succeed, and keep one of everything", async () => {
    const results = await Promise.all([load(), load(), load()].map(endOf));
    expect(results).toEqual([0, 0, 0].map((code) => ({ code, stderr: "" })));
    await expectWhole();
  });

  test("one loads while another removes the same image, over and over: each ends well, and the next load is whole", async () => {
    await varve(["--root", root, "--driver", driver, "load", "-q", "-i", archive]);
    for (let round = 0; round < 5; round++) {
      const loading = endOf(load());
      await sleep(round * 60);
      const removed = spawnSync(process.execPath, [varvePath(), "--root", root, "rmi", "-f", id], { encoding: "utf8" });
      expect(`${removed.status} ${removed.stderr}`).toMatch(/^(0 |1 .*No such image)/);
      expect(await loading).toEqual({ code: 0, stderr: "" });
    }
    await varve(["--root", root, "--driver", driver, "load", "-q", "-i", archive]);
    await expectWhole();
  });

  test("that are killed in the middle of a load leave a store that opens, and the next load finishes the job", async () => {
    const fresh = Date.now();
    await endOf(load());
    const usual = Date.now() - fresh;
    for (let round = 0; round < 8; round++) {
      root = join(scratch, `killed-${round}`);
      const loading = load();
      const ended = endOf(loading);
      await sleep((usual * (round + 1)) / 9);
      loading.kill("SIGKILL");
      await ended;
      if (existsSync(root)) await varve(["--root", root, "--driver", driver, "images"]);
      await varve(["--root", root, "--driver", driver, "load", "-q", "-i", archive]);
      await expectWhole();
    }
  });

  test("an interrupted load says so, takes back what it did, and exits with 130", async () => {
    await varve(["--root", root, "--driver", driver, "load", "-q", "-i", archive]);
    await varve(["--root", root, "rmi", "sample:1"]);
    const fifo = join(scratch, "fifo");
    spawnSync("mkfifo", [fifo]);
    const loading = spawn(process.execPath, [varvePath(), "--root", root, "load", "-i", fifo], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = endOf(loading);
    const feeding = spawn("sh", ["-c", `(head -c 3000000 ${archive}; sleep 5) > ${fifo}`]);
    while (!isReading(loading.pid!, fifo)) await sleep(20);
    loading.kill("SIGINT");
    const { code, stderr } = await ended;
    feeding.kill();
    expect(code).toBe(130);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(trees()).toEqual([]);
    expect(readdirSync(join(root, "tmp"))).toEqual([]);
  });
});

function isReading(pid: number, path: string): boolean {
  const descriptors = `/proc/${pid}/fd`;
  return readdirSync(descriptors).some((fd) => {
    try {
      return readlinkSync(join(descriptors, fd)) === path;
    } catch {
      return false; // closed meanwhile
    }
  });
}

function endOf(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve) => {
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.once("close", (code) => resolve({ code, stderr }));
  });
}
