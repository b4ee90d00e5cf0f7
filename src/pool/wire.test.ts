import { describe, expect, test } from "vitest";
import { isVarveError, VarveError } from "../errors.ts";
import { fromWire, toWire } from "./wire.ts";

const across = (error: unknown): Error => fromWire(structuredClone(toWire(error)));

describe("an error that crosses between threads", () => {
  test("keeps its code, its details and what caused it", () => {
    const cause = new VarveError("no-space", "write: no space left on device", { errno: "ENOSPC", path: "/x" });
    const error = across(new VarveError("invalid-archive", "bad", { name: "etc/passwd" }, cause));
    expect(isVarveError(error, "invalid-archive")).toBe(true);
    expect(error).toMatchObject({ message: "bad", details: { name: "etc/passwd" } });
    expect(isVarveError(error.cause, "no-space")).toBe(true);
    expect(error.cause).toMatchObject({ details: { errno: "ENOSPC", path: "/x" } });
  });

  test("of ours stays a bug of ours, with its stack", () => {
    const bug = new TypeError("x is not a function");
    const error = across(bug);
    expect(isVarveError(error)).toBe(false);
    expect(error).toMatchObject({ message: bug.message, stack: bug.stack });
  });

  test.each(["text", undefined, 7])("%s becomes one", (thrown) => {
    expect(across(thrown).message).toBe(String(thrown));
  });
});
