import { describe, expect, test } from "vitest";
import { FirstFailure } from "./first-failure.ts";

const failing = (error: unknown): Promise<never> => Promise.reject(error);

describe("of several pieces of work", () => {
  test("the first that fails stops the others, and is what is told, whatever those say", async () => {
    using failure = new FirstFailure(undefined);
    const stopped = new Promise((_, reject) =>
      failure.signal.addEventListener("abort", () => reject(new Error("late"))),
    );
    await Promise.allSettled([failure.watch(stopped), failure.watch(failing("first"))]);
    expect(failure.signal.aborted).toBe(true);
    expect(failure.or("something else")).toBe("first");
  });

  test("none that succeeds stops another", async () => {
    using failure = new FirstFailure(undefined);
    expect(await failure.watch(Promise.resolve(3))).toBe(3);
    expect(failure.signal.aborted).toBe(false);
    expect(failure.or("something else")).toBe("something else");
  });

  test.each(["before", "after"])("all are stopped by the caller's signal that fires %s they begin", async (when) => {
    const caller = new AbortController();
    if (when === "before") caller.abort("reason");
    using failure = new FirstFailure(caller.signal);
    if (when === "after") caller.abort("reason");
    expect(failure.signal.reason).toBe("reason");
    await Promise.allSettled([failure.watch(failing("told to stop"))]);
    expect(failure.or("cancelled")).toBe("cancelled");
  });
});
