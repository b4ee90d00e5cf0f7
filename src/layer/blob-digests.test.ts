import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf, hexOf } from "../digest/digest.ts";
import { noteBlob } from "./blob-digests.ts";

describe("the digests of a layer's blobs", () => {
  const diffID = digestOf("layer");
  const blob = digestOf("blob");
  let directory: string;
  let list: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "varve-blobs-"));
    list = join(directory, "v2metadata-by-diffid", "sha256", hexOf(diffID));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const note = (digest = blob, sourceRepository = ""): void =>
    noteBlob(directory, diffID, { digest, sourceRepository }, { sync: false });
  const noted = (): { Digest: string }[] => JSON.parse(readFileSync(list, "utf8"));

  test("are noted where dockerd looks for them, and as it writes them", () => {
    note();
    expect(readFileSync(list, "utf8")).toBe(`[{"Digest":"${blob}","SourceRepository":"","HMAC":""}]`);
    const back = join(directory, "diffid-by-digest", "sha256", hexOf(blob));
    expect(readFileSync(back, "utf8")).toBe(diffID);
    expect([list, back].map((path) => statSync(path).mode & 0o777)).toEqual([0o644, 0o644]);
  });

  test("are noted once each, the latest last, and not more than fifty", () => {
    note();
    note(blob, "docker.io/library/ubuntu");
    note();
    expect(noted()).toEqual([
      { Digest: blob, SourceRepository: "docker.io/library/ubuntu", HMAC: "" },
      { Digest: blob, SourceRepository: "", HMAC: "" },
    ]);
    for (let i = 0; i < 60; i++) note(digestOf(`${i}`));
    expect(noted().map(({ Digest }) => Digest)).toEqual(Array.from({ length: 50 }, (_, i) => digestOf(`${i + 10}`)));
  });

  test.each(["no JSON", '{"Digest":1}', '[{"Digest":1}]', ""])("take the place of what is none: %s", (content) => {
    mkdirSync(dirname(list), { recursive: true });
    writeFileSync(list, content);
    note();
    expect(noted()).toHaveLength(1);
  });
});
