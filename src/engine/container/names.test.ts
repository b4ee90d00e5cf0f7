import { describe, expect, test } from "vitest";
import { newName } from "./names.ts";

describe("a name for a container", () => {
  test("is two words that Docker takes, and not taken", () => {
    const seen = new Set<string>();
    for (let round = 0; round < 200; round++) seen.add(newName((name) => seen.has(name), "a".repeat(64)));
    expect(seen.size).toBe(200);
    for (const name of seen) expect(name).toMatch(/^[a-z]+_[a-z]+\d?$/);
  });

  test("is the beginning of the id when no other comes to mind", () => {
    expect(newName(() => true, "0123456789abcdef")).toBe("0123456789ab");
  });
});
