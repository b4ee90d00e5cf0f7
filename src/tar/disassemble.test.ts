import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  chunkLengths,
  chunksOf,
  padded,
  paxRecords,
  randomTar,
  rawHeader,
  sparseFile,
} from "../../test/tar/random-tar.ts";
import { type ByteString, fromText } from "../sys/byte-string.ts";
import { Disassembler, type EntrySink, type PayloadHome } from "./disassemble.ts";
import { type Header, newHeader, TYPE } from "./header.ts";
import { parseSplitLine, type SplitEntry } from "./split.ts";
import { END_OF_ARCHIVE, encodeHeader } from "./writer.ts";

const file = (name: string, text = ""): Buffer =>
  Buffer.concat([encodeHeader(newHeader({ name: fromText(name), size: text.length })), padded(Buffer.from(text))]);

function linesOf(tar: Buffer, tree?: EntrySink, lengths: readonly number[] = []): string[] {
  const lines: string[] = [];
  const disassembler = new Disassembler({ line: (text) => void lines.push(text), ...(tree && { tree }) });
  for (const chunk of chunksOf(tar, lengths)) disassembler.write(chunk);
  disassembler.end();
  return lines;
}

/** `segment 512`, or `file x 3` with the size and whether there is a CRC. */
function outline(lines: readonly string[]): string[] {
  return lines.map((line) => {
    const entry = parseSplitLine(line);
    if (entry.kind === "segment") return `segment ${entry.bytes.length}`;
    return `file ${entry.name} ${entry.size}${entry.crc === undefined ? "" : " crc"}`;
  });
}

/** A tree that writes down what it is told. */
function notes(home: (header: Header) => PayloadHome = () => "tree"): EntrySink & { readonly told: string[] } {
  const told: string[] = [];
  return {
    told,
    entry(header) {
      told.push(`entry ${header.name}`);
      return home(header);
    },
    data: (bytes) => void told.push(`data ${Buffer.from(bytes)}`),
    hole: (length) => void told.push(`hole ${length}`),
    entryEnd: () => void told.push("end"),
  };
}

describe("the lines of a tar", () => {
  test("are a segment and a file for each entry, the padding with the next header", () => {
    const tar = Buffer.concat([file("x", "hello\n"), file("y"), END_OF_ARCHIVE]);
    const lines = linesOf(tar);
    expect(outline(lines)).toEqual([
      "segment 512",
      "file x 6 crc",
      "segment 1018",
      "file y 0",
      "segment 1024",
      "segment 0",
    ]);
    expect(lines[1]).toBe('{"type":1,"name":"x","size":6,"payload":"YUw+7uLYEAA=","position":1}\n');
    expect(lines[5]).toBe('{"type":2,"payload":"","position":5}\n');
  });

  test("keep PAX headers with the entry that they precede, and global ones by themselves", () => {
    const tar = Buffer.concat([
      paxRecords([["comment", "x"]], "g"),
      paxRecords([["path", "long"]]),
      file("x"),
      END_OF_ARCHIVE,
    ]);
    expect(outline(linesOf(tar))).toEqual([
      "segment 525",
      "file PaxHeaders.0/x 0",
      "segment 2035",
      "file long 0",
      "segment 1024",
      "segment 0",
    ]);
  });

  test.each([
    ["nothing", Buffer.alloc(0), ["segment 0"]],
    ["an entry without an end", file("x", "abc"), ["segment 512", "file x 3 crc", "segment 509", "segment 0"]],
    ["one zero block", Buffer.alloc(512), ["segment 512", "segment 0"]],
    ["cut padding", file("x", "abc").subarray(0, 600), ["segment 512", "file x 3 crc", "segment 85", "segment 0"]],
  ])("of %s lose no byte", (_, tar, expected) => {
    expect(outline(linesOf(tar))).toEqual(expected);
  });

  test("give a link the size that its header gives it, with the CRC of nothing", () => {
    const link = rawHeader({ name: fromText("l"), type: "1", size: 1000 });
    expect(linesOf(link)[1]).toBe('{"type":1,"name":"l","size":1000,"payload":"AAAAAAAAAAA=","position":1}\n');
  });

  test("are cut at one MiB, so that an endless tail costs no memory", () => {
    let longest = 0;
    let count = 0;
    const disassembler = new Disassembler({
      line(text) {
        longest = Math.max(longest, text.length);
        count++;
      },
    });
    disassembler.write(END_OF_ARCHIVE);
    const zeros = Buffer.alloc(3_000_000);
    for (let i = 0; i < 30; i++) disassembler.write(zeros);
    disassembler.end();
    expect(longest).toBeLessThan(1.5e6);
    expect(count).toBe(1 + Math.ceil(90e6 / 2 ** 20) + 1);
  });

  test("are the same wherever the tar is cut", () => {
    fc.assert(
      fc.property(randomTar, chunkLengths, ({ bytes }, lengths) => {
        expect(linesOf(bytes, undefined, lengths)).toEqual(linesOf(bytes));
      }),
    );
  });

  test("hold every byte that is not a payload of the tree, and no other", () => {
    fc.assert(
      fc.property(randomTar, fc.nat(), ({ bytes, entries }, mask) => {
        const tree = notes(({ name }) => ((name.length ^ mask) & 1 ? "tree" : "split"));
        const lines = linesOf(bytes, tree).map(parseSplitLine);
        const kept = new Map(entries.map(({ name, payload }) => [name, payload]));
        const whole = lines.map((entry) => (entry.kind === "segment" ? entry.bytes : payloadOf(entry, kept)));
        expect(Buffer.concat(whole).equals(bytes)).toBe(true);
      }),
    );
  });
});

describe("names", () => {
  test.each([
    ["x", "x"],
    ["x", "./x"],
    ["d/../x", "x"],
    ["x/", "x"],
    ["n".repeat(5000), `./${"n".repeat(5000)}`],
  ])("%.10s and %.10s are duplicates", (first, second) => {
    expect(() => linesOf(Buffer.concat([file(first.replace(/\/$/, "")), file(second)]))).toThrow(
      expect.objectContaining({ code: "invalid-archive", message: "duplicates of file paths not supported" }),
    );
  });

  test("that differ are none", () => {
    const names = ["x", "/x", "../x", "X", "n".repeat(5000), "n".repeat(5001)];
    const tar = Buffer.concat(names.map((name) => file(name)));
    expect(outline(linesOf(tar)).filter((line) => line.startsWith("file"))).toHaveLength(names.length);
  });

  test("of two global headers are duplicates too", () => {
    const global = paxRecords([["comment", "x"]], "g");
    expect(() => linesOf(Buffer.concat([global, global]))).toThrow("duplicates of file paths not supported");
  });
});

describe("the tree", () => {
  test("is told of every entry in order", () => {
    const tree = notes();
    linesOf(Buffer.concat([paxRecords([["comment", "x"]], "g"), file("x", "abc"), file("y")]), tree, [1538]);
    expect(tree.told).toEqual(["entry PaxHeaders.0/x", "end", "entry x", "data ab", "data c", "end", "entry y", "end"]);
  });

  test("may leave a payload to the split, and sees it all the same", () => {
    const tree = notes(({ name }) => (name === "x" ? "split" : "tree"));
    const lines = linesOf(Buffer.concat([file("x", "abc"), file("y", "de"), END_OF_ARCHIVE]), tree);
    expect(outline(lines)).toEqual([
      "segment 512",
      "file x 0",
      "segment 1024",
      "file y 2 crc",
      "segment 1534",
      "segment 0",
    ]);
    expect(tree.told).toContain("data abc");
  });

  test("cannot leave to the split what has no payload: the line stays as Docker writes it", () => {
    const link = rawHeader({ name: fromText("l"), type: TYPE.hardLink, size: 7 });
    expect(
      outline(
        linesOf(
          link,
          notes(() => "split"),
        ),
      ),
    ).toEqual(["segment 512", "file l 7 crc", "segment 0"]);
  });

  test.each(["old", "0.0", "0.1", "1.0"] as const)(
    "gets a sparse file with its holes, and the split its payload (%s)",
    (kind) => {
      const map = [
        { offset: 0, length: 2 },
        { offset: 5, length: 0 },
        { offset: 2 ** 32, length: 3 },
      ];
      const tar = sparseFile(kind, fromText("s"), map, 2 ** 32 + 10, Buffer.from("abcde"));
      const tree = notes();
      const lines = linesOf(tar, tree);
      expect(tree.told).toEqual(["entry s", "data ab", `hole ${2 ** 32 - 2}`, "data cde", "hole 7", "end"]);
      const header = tar.length - 512;
      expect(outline(lines)).toEqual([`segment ${header}`, "file s 0", "segment 512", "segment 0"]);
      expect(linesOf(tar, notes(), [1])).toEqual(lines);
    },
  );

  test("that throws stops it all", () => {
    const stop = new Error("stop");
    const tree = {
      ...notes(),
      data: () => {
        throw stop;
      },
    };
    const disassembler = new Disassembler({ line() {}, tree });
    expect(() => disassembler.write(file("x", "abc"))).toThrow(stop);
    expect(() => disassembler.end()).toThrow(stop);
  });
});

function payloadOf(entry: SplitEntry & { kind: "file" }, kept: ReadonlyMap<ByteString, Buffer>): Buffer {
  return entry.size > 0 ? kept.get(entry.name)! : Buffer.alloc(0);
}
