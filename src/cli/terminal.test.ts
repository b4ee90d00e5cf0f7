import { describe, expect, test } from "vitest";
import { harmless } from "./terminal.ts";

describe("text for a terminal", () => {
  test("loses its control characters, but not its lines, tabs and letters", () => {
    expect(harmless("a\tb\n\x1b[31mé漢\x07\x9b\r")).toBe("a\tb\n?[31mé漢???");
  });

  test("may be bytes, of which those beyond ASCII stay", () => {
    const name = Buffer.from("é\x1b\xff\n", "latin1");
    expect(Buffer.from(harmless(name) as Uint8Array).toString("latin1")).toBe("é?\xff\n");
  });
});
