import { describe, expect, test } from "vitest";
import { SharedRun } from "./shared-run.ts";

describe("a run that is shared", () => {
  test("begins after everybody who waits for it has asked, and those who come later share the next", async () => {
    const runs: (() => void)[] = [];
    const shared = new SharedRun(() => new Promise((resolve) => runs.push(resolve)));
    const ended: string[] = [];
    const ask = (name: string): Promise<unknown> => shared.run().then(() => ended.push(name));
    const all = [ask("a"), ask("b")];
    await turn();
    expect(runs).toHaveLength(1);
    all.push(ask("c"), ask("d"));
    await turn();
    expect(runs).toHaveLength(1);
    runs[0]!();
    await turn();
    expect(ended).toEqual(["a", "b"]);
    expect(runs).toHaveLength(2);
    runs[1]!();
    await Promise.all(all);
    expect(ended).toEqual(["a", "b", "c", "d"]);
  });

  test("fails for those who share it, and the next one is none the worse", async () => {
    let count = 0;
    const shared = new SharedRun(async () => {
      if (++count === 1) throw new Error("the disk is on fire");
    });
    const first = [shared.run(), shared.run()];
    for (const run of first) await expect(run).rejects.toThrow("on fire");
    await shared.run();
    expect(count).toBe(2);
  });
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
