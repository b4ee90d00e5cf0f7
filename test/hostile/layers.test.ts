import { describe, expect, test } from "vitest";
import { dockerMembers, makeImage } from "../../src/testing/archive-bench.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { DRIVERS, isNoEvent, kept, useBench } from "./bench.ts";
import { LAYERS, verdictFor } from "./layers.ts";

const lack = lacking("root");

describe.skipIf(lack).each(DRIVERS)(`a layer in %s${lack ?? ""}`, (driver) => {
  const bench = useBench(driver);

  test.each(LAYERS.map((each) => [each.name, each] as const))("of %s", async (_, { layer, ...rest }) => {
    const verdict = verdictFor({ layer, ...rest }, driver);
    const image = makeImage([kept.layers[0]!, layer]);
    const archive = bench.file("archive.tar", tarOf(dockerMembers([{ image, tags: ["other:1"] }])));
    const { error, late } = await bench.take(archive);
    expect(late, "never later than at load").not.toBe(true);
    if (verdict === "kept") {
      expect(error).toBeUndefined();
      expect(bench.savedLayers()[1]!.equals(layer), "the same bytes").toBe(true);
      expect(bench.changes().filter(isNoEvent), "once it is removed").toEqual([]);
    } else {
      expect(error).toMatch(verdict);
      expect(error, "names the layer").toMatch(/^varve: .*archive\.tar: layer [0-9a-f]{12}: .*$/);
      expect(bench.changes()).toEqual([]);
    }
  });
});
