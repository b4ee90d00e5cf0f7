import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/digest/digest.ts";
import { dockerMembers, makeImage, OciLayout } from "../../src/testing/archive-bench.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { isNoEvent, KEPT_TAG, kept, useBench } from "./bench.ts";

const lack = lacking("root", "xz", "bzip2", "zstd");

/** An image with a bit of everything, on top of the one that is there. */
const layer = tarOf([
  { name: "./", type: "5" },
  { name: "etc/", type: "5" },
  { name: "etc/passwd", content: "root:x:0:0\n".repeat(60) },
  { name: "etc/link", type: "2", linkname: "passwd" },
  { name: "etc/again", type: "1", linkname: "etc/passwd" },
  { name: `${"long/".repeat(40)}name`, content: "x", xattrs: { "user.x": "y" } },
  { name: "etc/.wh.gone", content: "" },
  { name: "last", content: "z".repeat(1500) },
]);
const image = makeImage([kept.layers[0]!, layer], { history: [{}, {}] });
const TAGS = [KEPT_TAG, "other:1"];
const ARCHIVE = tarOf(dockerMembers([{ image, tags: ["other:1"] }]));

/** What a user may be told of an archive that was not copied to its end, or has a wrong byte. */
const FAULT =
  /cut short|it is empty|not a tar|invalid tar header|gzip: |zstd: |xz: |bzip2: |no such file|does not contain|neither in it nor in the store|invalid|header field too long|"|max depth/;

describe.skipIf(lack).each(["overlay2", "rootless"] as const)(`%s stands archives that${lack ?? ""}`, (driver) => {
  const bench = useBench(driver);

  /** Either the archive is refused without a trace, or what comes out of it is what went in. */
  async function stands(archive: Buffer): Promise<"refused" | "taken"> {
    const { error, late, loaded } = await bench.take(bench.file("archive", archive));
    const changes = bench.changes();
    if (error === undefined) {
      expect(loaded).toHaveLength(1);
      expect(bench.savedLayers().map((saved) => digestOf(saved))).toEqual(image.diffIDs);
      expect(changes.filter(isNoEvent)).toEqual([]);
      return "taken";
    }
    expect(late, error).not.toBe(true);
    expect(error).toMatch(FAULT);
    expect(error).toMatch(/^varve: (?!this is a bug).*$/);
    expect(changes).toEqual([]);
    return "refused";
  }

  test("are cut anywhere", async () => {
    const lastByte = ARCHIVE.lastIndexOf("}]") + 2;
    const endBlocks = ARCHIVE.length - 1024;
    const whole = (at: number): boolean => at >= lastByte && (at <= endBlocks || at % 512 === 0);
    const edges = [0, 1, lastByte - 1, lastByte, endBlocks, endBlocks + 1, endBlocks + 512, ARCHIVE.length - 1];
    for (const at of [...offsets(ARCHIVE.length, 40), ...edges])
      expect(await stands(ARCHIVE.subarray(0, at)), `${at}`).toBe(whole(at) ? "taken" : "refused");
  });

  test.each(["gzip", "zstd", "xz", "bzip2"])("are cut anywhere in their %s", async (tool) => {
    const squeezed = execFileSync(tool, ["-c"], { input: ARCHIVE });
    for (const at of offsets(squeezed.length, 12))
      expect(await stands(squeezed.subarray(0, at)), `${at}`).toBe("refused");
    expect(await stands(squeezed)).toBe("taken");
  });

  test.each([
    ["plain", (bytes: Buffer) => bytes],
    ["gzip", (bytes: Buffer) => gzipSync(bytes)],
    ["zstd", (bytes: Buffer) => execFileSync("zstd", ["-c", "-q"], { input: bytes })],
  ] as const)("have a layer that is cut anywhere, %s", async (_, squeeze) => {
    const stored = squeeze(layer);
    for (const at of offsets(stored.length, 12)) {
      const members = dockerMembers([{ image, tags: TAGS }]);
      const cut = members.map((member) =>
        member.content === layer ? { ...member, content: stored.subarray(0, at) } : member,
      );
      expect(await stands(tarOf(cut)), `${at}`).toBe("refused");
    }
  });

  test("have a wrong byte anywhere", async () => {
    const counts = { refused: 0, taken: 0 };
    for (const at of offsets(ARCHIVE.length, 50)) {
      const wrong = Buffer.from(ARCHIVE);
      wrong[at]! ^= 0x20;
      counts[await stands(wrong)]++;
    }
    expect(counts.refused).toBeGreaterThan(10);
  });

  test("have a wrong byte anywhere in a layer", async () => {
    for (const at of offsets(layer.length, 20)) {
      const wrong = Buffer.from(layer);
      wrong[at]! ^= 0x20;
      const members = dockerMembers([{ image, tags: TAGS }]);
      const spoiled = members.map((member) => (member.content === layer ? { ...member, content: wrong } : member));
      expect(await stands(tarOf(spoiled)), `${at}`).toBe("refused");
    }
  });

  test("are OCI layouts with a wrong byte anywhere", async () => {
    const layout = new OciLayout();
    const archive = tarOf(layout.members([layout.addImage(image, gzipSync)]));
    for (const at of offsets(archive.length, 25)) {
      const wrong = Buffer.from(archive);
      wrong[at]! ^= 0x04;
      await stands(wrong);
    }
  });
});

/** Some numbers below `length`, no two runs of the tests with others. */
function offsets(length: number, count: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => Math.floor((length * i) / count) + ((i * 7919) % Math.floor(length / count)),
  );
}
