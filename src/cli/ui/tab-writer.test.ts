import { describe, expect, test } from "vitest";
import { alignColumns } from "./tab-writer.ts";

describe("aligned columns", () => {
  test("are at least ten wide and three apart, and the last is not padded", () => {
    expect(alignColumns("A\tB\tC\nlonger than ten\tx\ty\n")).toBe(
      "A                 B         C\nlonger than ten   x         y\n",
    );
  });

  test("end where a line does not have them", () => {
    expect(alignColumns("a\tb\nno tabs here at all\nccccccccccccc\td\n")).toBe(
      "a         b\nno tabs here at all\nccccccccccccc   d\n",
    );
  });

  test("count characters, not bytes", () => {
    expect(alignColumns("ééééééééé\tb\n")).toBe("ééééééééé   b\n");
  });
});
