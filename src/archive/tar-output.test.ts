import { describe, expect, test } from "vitest";
import { digestOf } from "../digest/digest.ts";
import { collect, sourceOf } from "../io/byte-source.ts";
import type { SourceLayer } from "./archive.ts";
import { fileTime, streamTar } from "./tar-output.ts";

describe("an archive on its way out", () => {
  function layer(bytes: Buffer, size: number): SourceLayer {
    return {
      diffID: digestOf(bytes),
      label: "layer",
      descriptor: undefined,
      available: true,
      tarSize: async () => size,
      open: () => sourceOf(bytes),
    };
  }

  test.each([4, 6])("fails when a layer of 5 bytes was announced with %i", async (size) => {
    const members = [{ kind: "layer", name: "layer.tar", mtime: 0, layer: layer(Buffer.from("12345"), size) }] as const;
    await expect(collect(streamTar({ members, style: "plain" }), 1 << 20)).rejects.toMatchObject({ code: "corrupt" });
  });

  test("has times between 1970 and 2262, and 1970 for others, as Docker", () => {
    expect([-1, 0, 1_600_000_000, 9_223_372_036, 9_223_372_037].map((seconds) => fileTime({ seconds }))).toEqual([
      0, 0, 1_600_000_000, 9_223_372_036, 0,
    ]);
  });
});
