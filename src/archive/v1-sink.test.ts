import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { collect, sourceOf } from "../io/byte-source.ts";
import { fromText } from "../sys/byte-string.ts";
import { readTar } from "../testing/tar-entries.ts";
import { placeTar, type StreamedContent, streamTar } from "./tar-output.ts";
import { planDocker19, type V1ArchiveImage } from "./v1-sink.ts";

const [A, B] = ["a".repeat(64), "b".repeat(64)] as [string, string];

function image(id: string, content: string, size: number = content.length): V1ArchiveImage {
  const layer: StreamedContent = { size: async () => size, open: () => sourceOf(Buffer.from(content)) };
  return { id, json: Buffer.from(`{"id":"${id}"}`), created: { seconds: 1_446_458_400 }, layer };
}

const archiveOf = (plan: ReturnType<typeof planDocker19>): Promise<Buffer> => collect(streamTar(plan), 1 << 20);

describe("the archive of Docker 1.9", () => {
  const plan = planDocker19(
    [image(B, "upper"), image(A, "lower")],
    [
      { repository: "z", tag: "2", id: B },
      { repository: "a:1/b", tag: "1", id: A },
      { repository: "z", tag: "1", id: A },
    ],
  );

  test("has its images by their ids, with their times, and then all names", async () => {
    const headers = readTar(await archiveOf(plan)).map(({ header }) => header);
    expect(headers.map(({ name, mtime, mode }) => [name, mtime.seconds, mode])).toEqual([
      ...[A, B].flatMap((id) => [
        [fromText(`${id}/`), 1_446_458_400, 0o40755],
        [fromText(`${id}/VERSION`), 1_446_458_400, 0o100644],
        [fromText(`${id}/json`), 1_446_458_400, 0o100644],
        [fromText(`${id}/layer.tar`), 1_446_458_400, 0o100644],
      ]),
      [fromText("repositories"), 0, 0o100644],
    ]);
    expect(plan.members.at(-1)).toMatchObject({
      bytes: Buffer.from(`{"a:1/b":{"1":"${A}"},"z":{"1":"${A}","2":"${B}"}}\n`),
    });
  });

  test("has no names where nobody asked for any", () => {
    expect(planDocker19([image(A, "")], []).members.at(-1)).toMatchObject({ bytes: Buffer.from("{}\n") });
  });

  test("is the same in a file", async () => {
    const directory = mkdtempSync(join(tmpdir(), "varve-v1-sink-"));
    const file = openSync(join(directory, "archive.tar"), "w");
    try {
      const archive = await archiveOf(plan);
      expect(await placeTar(plan, file)).toBe(archive.length);
      expect(readFileSync(join(directory, "archive.tar")).equals(archive)).toBe(true);
      for (const size of [4, 6]) {
        const wrong = planDocker19([image(A, "lower", size)], []);
        const error = { code: "corrupt", message: `${A}/layer.tar does not have the ${size} bytes that were counted` };
        await expect(archiveOf(wrong)).rejects.toMatchObject(error);
        await expect(placeTar(wrong, file)).rejects.toMatchObject(error);
      }
    } finally {
      closeSync(file);
      rmSync(directory, { recursive: true });
    }
  });
});
