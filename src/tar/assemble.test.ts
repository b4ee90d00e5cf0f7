import { mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chunkLengths, chunksOf, padded, type RandomTar, randomTar, rawHeader } from "../../test/tar/random-tar.ts";
import { VarveError } from "../errors.ts";
import { type ByteString, fromText } from "../sys/byte-string.ts";
import { assemble, type PayloadFiles, readHeaders, readSplit } from "./assemble.ts";
import { Disassembler, type EntrySink } from "./disassemble.ts";
import { type Header, newHeader } from "./header.ts";
import { parseSplitLine, type SplitEntry } from "./split.ts";
import { END_OF_ARCHIVE, encodeHeader } from "./writer.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-assemble-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Keeps payloads as a tree does, one file a name; every other one it leaves to the split if it `splits`. */
class Kept implements EntrySink, PayloadFiles {
  readonly files = new Map<ByteString, string>();
  readonly headers: Header[] = [];
  readonly #splits: boolean;
  #data: Buffer[] = [];

  constructor(splits = false) {
    this.#splits = splits;
  }

  entry(header: Header): "tree" | "split" {
    this.headers.push(header);
    this.#data = [];
    return this.#splits && this.headers.length % 2 === 0 ? "split" : "tree";
  }

  data(bytes: Uint8Array): void {
    this.#data.push(Buffer.from(bytes));
  }

  hole(): void {}

  entryEnd(): void {
    const path = join(directory, String(this.files.size));
    writeFileSync(path, Buffer.concat(this.#data));
    this.files.set(this.headers.at(-1)!.name, path);
  }

  open(name: ByteString): number {
    return openSync(this.files.get(name)!, "r");
  }
}

function takeApart(tar: Buffer, kept: Kept, lengths: readonly number[] = []): string {
  const lines: string[] = [];
  const disassembler = new Disassembler({ line: (text) => void lines.push(text), tree: kept });
  for (const chunk of chunksOf(tar, lengths)) disassembler.write(chunk);
  disassembler.end();
  return lines.join("");
}

async function join1(split: string, files: PayloadFiles, lengths: readonly number[] = []): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of assemble(readSplit(stream(gzipSync(split), lengths)), files))
    chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Chunks that are overwritten as soon as the next one is asked for. */
async function* stream(bytes: Buffer, lengths: readonly number[] = []): AsyncGenerator<Uint8Array> {
  for (const chunk of chunksOf(bytes, lengths)) {
    const lent = Buffer.from(chunk);
    yield lent;
    lent.fill(0xaa);
  }
}

const file = (name: string, content: Buffer | string): Buffer => {
  const payload = Buffer.from(content);
  return Buffer.concat([encodeHeader(newHeader({ name: fromText(name), size: payload.length })), padded(payload)]);
};

describe("a tar that was taken apart", () => {
  test("is joined to the same bytes, whatever it is and wherever it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(randomTar, chunkLengths, fc.boolean(), async ({ bytes }: RandomTar, lengths, splits) => {
        const kept = new Kept(splits);
        const split = takeApart(bytes, kept, lengths);
        expect((await join1(split, kept, lengths)).equals(bytes)).toBe(true);
      }),
    );
  });

  test("tells its headers without its files", async () => {
    await fc.assert(
      fc.asyncProperty(randomTar, fc.boolean(), async ({ bytes }, splits) => {
        const kept = new Kept(splits);
        const split = takeApart(bytes, kept);
        const headers: Header[] = [];
        for await (const header of readHeaders(stream(gzipSync(split)))) headers.push(header);
        expect(headers).toEqual(kept.headers);
      }),
    );
  });

  test("is joined across windows, with files and segments of any length", async () => {
    const sizes = [524287, 524288, 524289, 1, 1048576, 700000, 0, 3_000_000];
    const tar = Buffer.concat([
      ...sizes.map((size, i) => file(`f${i}`, Buffer.alloc(size, `${i}abc`))),
      END_OF_ARCHIVE,
      Buffer.alloc(2_500_000),
    ]);
    for (const splits of [false, true]) {
      const kept = new Kept(splits);
      expect((await join1(takeApart(tar, kept), kept)).equals(tar)).toBe(true);
    }
  });

  test.each([
    ["a hard link", { type: "1", name: "l" }],
    ["a directory of V7", { type: "\0", name: "l/" }],
  ])("is joined when %s has a size, for which there is no file", async (_, { type, name }) => {
    const tar = Buffer.concat([
      file("x", "abc"),
      rawHeader({ name: fromText(name), type, size: 3 }),
      file("y", "de"),
      END_OF_ARCHIVE,
    ]);
    const kept = new Kept();
    const split = takeApart(tar, kept);
    expect(split).toContain('"size":3,"payload":"AAAAAAAAAAA="');
    const files = { open: (asked: ByteString) => (asked === name ? expect.fail("opened") : kept.open(asked)) };
    expect((await join1(split, files)).equals(tar)).toBe(true);
  });

  test("is not joined when a link has the checksum of something", async () => {
    const split = takeApart(rawHeader({ name: fromText("l"), type: "1", size: 3 }), new Kept());
    const files = { open: () => openSync("/dev/null", "r") };
    await expect(join1(split.replace("AAAAAAAAAAA=", "AAAAAAAAAAE="), files)).rejects.toThrow(
      "file integrity checksum failed",
    );
  });

  test("leaves no file open, whether it was joined or not", async () => {
    const kept = new Kept();
    const split = takeApart(Buffer.concat([file("x", "abc"), file("y", "de")]), kept);
    let opened = 0;
    const files = {
      open(name: ByteString): number {
        opened++;
        return kept.open(name);
      },
    };
    await join1(split, files);
    writeFileSync(kept.files.get("y" as ByteString)!, "??");
    await expect(join1(split, files)).rejects.toThrow("file integrity checksum failed");
    expect(opened).toBe(4);
    expect(openFiles().filter((path) => path.startsWith(directory))).toEqual([]);
  });

  test("is joined from segments that were cut by hand", async () => {
    const tar = Buffer.concat([rawHeader({ name: fromText("l"), type: "2", size: 9 }), file("x", "abc")]);
    const kept = new Kept();
    const entries: SplitEntry[] = [];
    for (const line of takeApart(tar, kept).trim().split("\n")) {
      const entry = parseSplitLine(line);
      if (entry.kind === "file") entries.push(entry);
      else for (const byte of entry.bytes) entries.push({ kind: "segment", bytes: Uint8Array.of(byte) });
    }
    const chunks: Buffer[] = [];
    for await (const chunk of assemble(batchesOf(entries), kept)) chunks.push(Buffer.from(chunk));
    expect(Buffer.concat(chunks).equals(tar)).toBe(true);
  });
});

describe("a file that is not the one of the tar", () => {
  const tar = Buffer.concat([file('a "b"', "hello\n"), END_OF_ARCHIVE]);
  const damage: [string, (path: string) => void][] = [
    ["other bytes", (path) => writeFileSync(path, "hellx\n")],
    ["fewer", (path) => truncateSync(path, 5)],
    ["none", (path) => truncateSync(path, 0)],
    ["more", (path) => writeFileSync(path, "hello\nx")],
    ["terabytes more", (path) => truncateSync(path, 2 ** 42)],
  ];

  test.each(damage)("is found out: %s", async (_, harm) => {
    const kept = new Kept();
    const split = takeApart(tar, kept);
    harm([...kept.files.values()][0]!);
    await expect(join1(split, kept)).rejects.toThrow(
      expect.objectContaining({ code: "corrupt", message: 'file integrity checksum failed for "a \\"b\\""' }),
    );
  });

  test("is found out by its lack of a checksum, even when it is a link with a size", async () => {
    const kept = new Kept();
    const split = takeApart(tar, kept).replace(/"payload":"[^"]{12}"/, '"payload":null');
    await expect(join1(split, kept)).rejects.toThrow("file integrity checksum failed");
  });

  test("stops the joining when it is a directory or not there", async () => {
    const kept = new Kept();
    const split = takeApart(tar, kept);
    await expect(join1(split, { open: () => openSync(directory, "r") })).rejects.toMatchObject({
      details: { errno: "EISDIR" },
    });
    const gone = new VarveError("not-found", "gone");
    const absent = {
      open: () => {
        throw gone;
      },
    };
    await expect(join1(split, absent)).rejects.toBe(gone);
  });
});

describe("a tar-split.json.gz", () => {
  const drain = async (source: AsyncIterable<Uint8Array>): Promise<SplitEntry[]> => {
    const entries: SplitEntry[] = [];
    for await (const batch of readSplit(source)) entries.push(...batch);
    return entries;
  };
  const zipped = gzipSync('{"type":2,"payload":"aGVsbG8K","position":0}\n{"type":2,"payload":"","position":1}\n');

  test("is read from chunks that do not last", async () => {
    expect(await drain(stream(zipped, [3]))).toHaveLength(2);
  });

  test.each([
    ["that is cut off", zipped.subarray(0, zipped.length - 9)],
    ["that is no gzip", Buffer.from("hello, world")],
    ["with a wrong checksum", Buffer.concat([zipped.subarray(0, -8), Buffer.alloc(8)])],
    ["of something else", gzipSync("hello")],
  ])("%s is corrupt", async (_, bytes) => {
    await expect(drain(stream(bytes))).rejects.toMatchObject({ name: "VarveError", code: "corrupt" });
  });

  test("that does not hold a tar is corrupt to who asks for its headers", async () => {
    const heads = async (line: string): Promise<void> => {
      for await (const _ of readHeaders(stream(gzipSync(line))));
    };
    await expect(heads(`{"type":2,"payload":"${Buffer.alloc(512, 1).toString("base64")}"}`)).rejects.toMatchObject({
      code: "corrupt",
      message: "tar-split: archive/tar: invalid tar header",
    });
    await expect(heads('{"type":2,"payload":"aGVsbG8K"}')).rejects.toMatchObject({ code: "corrupt" });
  });

  test("passes on what its source throws, and lets go of a source that it does not need any more", async () => {
    const failure = new Error("disk");
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield zipped.subarray(0, 20);
      throw failure;
    }
    await expect(drain(failing())).rejects.toBe(failure);

    let released = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        const line = `{"type":2,"payload":"${"A".repeat(1 << 20)}","position":0}\n`;
        for (const block = gzipSync(line.repeat(4)); ; ) yield block;
      } finally {
        released = true;
      }
    }
    for await (const batch of readSplit(endless())) if (batch.length > 0) break;
    expect(released).toBe(true);
  });
});

function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the one by which the directory was read
    }
  });
}

async function* batchesOf(entries: readonly SplitEntry[]): AsyncGenerator<readonly SplitEntry[]> {
  yield entries;
}
