import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileLock } from "./lock.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-lock-"));
  path = join(directory, "lock");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const descriptors = () => readdirSync("/proc/self/fd").length;

describe("tryAcquire", () => {
  test("shares with sharers and with nobody else", () => {
    const first = FileLock.tryAcquire(path, "shared");
    const second = FileLock.tryAcquire(path, "shared");
    expect(first).toBeDefined();
    expect(second).toBeDefined();
    expect(FileLock.tryAcquire(path, "exclusive")).toBeUndefined();
    first?.release();
    expect(FileLock.tryAcquire(path, "exclusive")).toBeUndefined();
    second?.release();
    const exclusive = FileLock.tryAcquire(path, "exclusive");
    expect(exclusive).toBeDefined();
    expect(FileLock.tryAcquire(path, "shared")).toBeUndefined();
    exclusive?.release();
    exclusive?.release();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("locks a directory, and an open file, which stays open", () => {
    const before = descriptors();
    mkdirSync(path);
    const lock = FileLock.tryAcquire(path, "exclusive");
    expect(FileLock.tryAcquire(path, "shared")).toBeUndefined();
    lock?.release();
    expect(descriptors()).toBe(before);

    const fd = openSync(path, "r");
    {
      using held = FileLock.tryAcquire(fd, "exclusive");
      expect(held).toBeDefined();
      expect(FileLock.tryAcquire(path, "shared")).toBeUndefined();
    }
    FileLock.tryAcquire(path, "shared")?.release();
    closeSync(fd);
  });

  test("a missing directory is an error, not a lock", () => {
    expect(() => FileLock.tryAcquire(join(path, "no", "lock"), "shared")).toThrow(
      expect.objectContaining({ code: "not-found" }),
    );
  });
});

describe("acquire", () => {
  test("waits for its turn", async () => {
    const first = await FileLock.acquire(path, "exclusive");
    const order: string[] = [];
    const waiting = FileLock.acquire(path, "exclusive").then((lock) => {
      order.push("second");
      lock.release();
    });
    await pause(30);
    order.push("first");
    first.release();
    await waiting;
    expect(order).toEqual(["first", "second"]);
  });

  test("does not wait when told not to", async () => {
    using _held = await FileLock.acquire(path, "shared");
    await expect(FileLock.acquire(path, "exclusive", { wait: false })).rejects.toMatchObject({ code: "locked" });
    (await FileLock.acquire(path, "shared", { wait: false })).release();
  });

  test("is cancelled by its signal, before and while it waits, and leaves nothing open", async () => {
    using _held = await FileLock.acquire(path, "exclusive");
    const before = descriptors();
    const controller = new AbortController();
    const waiting = FileLock.acquire(path, "shared", { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    await expect(FileLock.acquire(path, "shared", { signal: controller.signal })).rejects.toMatchObject({
      code: "cancelled",
    });
    expect(descriptors()).toBe(before);
  });

  test("gets the lock of the file that is there, when the one it waited for was removed by its holder", async () => {
    const holder = await FileLock.acquire(path, "exclusive");
    const waiting = FileLock.acquire(path, "exclusive");
    await pause(10);
    rmSync(path);
    holder.release();
    const lock = await waiting;
    expect(FileLock.tryAcquire(path, "shared")).toBeUndefined();
    lock.release();
  });

  test("nobody is inside together with somebody else, whoever removes the file", async () => {
    let inside = 0;
    const work = async () => {
      for (let i = 0; i < 20; i++) {
        using _lock = await FileLock.acquire(path, "exclusive");
        expect(++inside).toBe(1);
        await pause(0);
        if (i % 3 === 0) rmSync(path, { force: true });
        inside--;
      }
    };
    await Promise.all([work(), work(), work()]);
  });
});

test("the lock of a process that is killed is free", async () => {
  writeFileSync(path, "");
  // flock(1) would do; perl and python may be absent as well, node is not.
  const child = spawn(process.execPath, ["-e", HOLDER, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  expect(FileLock.tryAcquire(path, "shared")).toBeUndefined();
  await kill(child);
  const lock = FileLock.tryAcquire(path, "exclusive");
  expect(lock).toBeDefined();
  lock?.release();
});

const HOLDER = `
  const koffi = require("koffi");
  const flock = koffi.load(null).func("int flock(int, int)");
  if (flock(require("node:fs").openSync(process.argv[1], "r"), 2) === 0) console.log("locked");
  setInterval(() => {}, 1000);
`;

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}
