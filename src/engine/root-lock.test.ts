import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VarveError } from "../errors.ts";
import { RootLock } from "./root-lock.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "varve-lock-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** As another process would open the root: `flock` tells apart descriptors, not processes. */
function open(options: { beforeCommit?: () => void } = {}): { lock: RootLock; refreshes: () => number } {
  let count = 0;
  const lock = new RootLock(join(root, "varve"), {
    watched: [join(root, "watched")],
    refresh: async () => void count++,
    prepare: () => mkdirSync(join(root, "varve"), { recursive: true }),
    beforeCommit: options.beforeCommit ?? (() => {}),
  });
  lock.noteStamp();
  return { lock, refreshes: () => count };
}

describe("the root lock", () => {
  test("a reader of a root that nobody changed leaves no trace", async () => {
    expect(await open().lock.read(() => 7)).toBe(7);
    expect(existsSync(join(root, "varve"))).toBe(false);
  });

  test("commits of two openers never overlap", async () => {
    const [a, b] = [open(), open()];
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await sleep(2);
      inside--;
    };
    await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? a : b).lock.commit(work)));
    expect(most).toBe(1);
  });

  test("a reader waits for a commit to end, and then reads the disk again", async () => {
    const [writer, reader] = [open(), open()];
    let done = false;
    const commit = writer.lock.commit(async () => {
      await sleep(30);
      done = true;
    });
    await sleep(5);
    expect(await reader.lock.read(() => done)).toBe(true);
    await commit;
    expect(reader.refreshes()).toBe(1);
    expect(writer.refreshes()).toBe(0);
    await reader.lock.read(() => undefined);
    expect(reader.refreshes()).toBe(1);
  });

  test("whoever is tired of waiting leaves, and its work is not done", async () => {
    const [holder, reader, writer] = [open(), open(), open()];
    let letGo = (): void => {};
    const held = holder.lock.commit(
      () =>
        new Promise<void>((resolve) => {
          letGo = resolve;
        }),
    );
    await sleep(5);
    let worked = 0;
    const work = (): number => worked++;
    const impatient = [
      reader.lock.read(work, AbortSignal.timeout(20)),
      writer.lock.commit(work, AbortSignal.timeout(20)),
    ];
    for (const { status, reason } of (await Promise.allSettled(impatient)) as PromiseRejectedResult[])
      expect([status, reason.code]).toEqual(["rejected", "cancelled"]);
    letGo();
    await held;
    expect(worked).toBe(0);
    expect(await reader.lock.read(() => "next")).toBe("next");
  });

  test("what a dockerd changed without a stamp is noticed too", async () => {
    const reader = open();
    writeFileSync(join(root, "watched"), "");
    await reader.lock.read(() => undefined);
    expect(reader.refreshes()).toBe(1);
  });

  test("a section inside a section joins it; a reading one cannot become a changing one", async () => {
    const { lock } = open();
    expect(await lock.commit(() => lock.commit(() => lock.read(() => "inside")))).toBe("inside");
    await expect(lock.read(() => lock.commit(() => 1))).rejects.toThrow("cannot change the root");
  });

  test("what was started in a section and outlives it gets a section of its own", async () => {
    const { lock } = open();
    let late: Promise<string> | undefined;
    await lock.commit(async () => {
      late = sleep(5).then(() => lock.commit(() => "later"));
    });
    expect(await late).toBe("later");
  });

  test("a refused commit changes nothing, not even the stamp, and a failing one lets go of the lock", async () => {
    const refusing = open({
      beforeCommit: () => {
        throw new VarveError("locked", "no");
      },
    });
    const other = open();
    await expect(refusing.lock.commit(() => 1)).rejects.toMatchObject({ code: "locked" });
    await expect(other.lock.commit(() => Promise.reject(new Error("broke")))).rejects.toThrow("broke");
    expect(await other.lock.commit(() => 2)).toBe(2);
    expect(existsSync(join(root, "varve", "generation"))).toBe(true);
  });

  test("what is left to afterwards is done when the lock is free again, all of it, before the commit returns", async () => {
    const [mine, other] = [open(), open()];
    const done: string[] = [];
    const leave = (what: string, fail = false): Promise<void> =>
      mine.lock.afterwards(async () => {
        done.push(`${what} ${await other.lock.commit(() => "unlocked")}`);
        if (fail) throw new Error(what);
      });
    const committed = mine.lock.commit(async () => {
      await mine.lock.commit(() => leave("first", true));
      await leave("second");
      expect(done).toEqual([]);
    });
    await expect(committed).rejects.toThrow("first");
    expect(done).toEqual(["first unlocked", "second unlocked"]);
    await leave("third");
    expect(done).toHaveLength(3);
  });

  test("a commit that fails does what it left to afterwards, and tells its own failure", async () => {
    const { lock } = open();
    let done = false;
    const committed = lock.commit(async () => {
      await lock.afterwards(async () => {
        done = true;
        throw new Error("later");
      });
      throw new Error("first");
    });
    await expect(committed).rejects.toThrow("first");
    expect(done).toBe(true);
  });
});
