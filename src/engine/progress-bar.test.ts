import { describe, expect, test } from "vitest";
import { progressBar } from "./progress-bar.ts";

describe("the bar of a layer", () => {
  test.each([
    [360_400, 33_450_000, 120, "[>                                                  ]  360.4kB/33.45MB"],
    [25_230_000, 33_450_000, 120, "[=====================================>             ]  25.23MB/33.45MB"],
    [33_450_000, 33_450_000, 120, "[==================================================>]  33.45MB/33.45MB"],
    [360_400, 33_450_000, 80, " 360.4kB/33.45MB"],
    [40, 30, 120, "[==================================================>]      40B"],
    [5_000_000, 0, 120, "     5MB"],
    [0, 0, 120, ""],
  ])("at %d of %d on %d columns is what Docker's client 20.10.24 drew", (current, total, columns, drawn) => {
    expect(progressBar({ current, total }, columns)).toBe(drawn);
  });
});
