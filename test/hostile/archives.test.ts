import { describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { ARCHIVES } from "./archives.ts";
import { useBench } from "./bench.ts";

const lack = lacking("root");
const DRIVERS = ["overlay2", "rootless"] as const;

describe.skipIf(lack).each(DRIVERS)(`%s is left as it was by an archive with${lack ?? ""}`, (driver) => {
  const bench = useBench(driver);

  test.each(ARCHIVES.map((each) => [each.name, each] as const))("%s", async (_, { archive, line }) => {
    const { error, late } = await bench.take(bench.file("archive.tar", archive()));
    expect(error).toMatch(line);
    expect(error, "one line that names the archive, or what in it is no name").toMatch(
      /^varve: (?:.*archive\.tar: |".*" is not a valid repository\/tag: ).*$/,
    );
    expect(late).not.toBe(true);
    expect(bench.changes()).toEqual([]);
  });
});
