import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteString, chunkLengths, chunksOf } from "../../test/tar/random-tar.ts";
import { VarveError } from "../errors.ts";
import { type ByteString, fromText } from "../sys/byte-string.ts";
import { formatSplitLine, MAX_LINE, parseSplitLine, type SplitEntry, SplitParser } from "./split.ts";

const file = (name: string, size = 0, crc?: string): SplitEntry => ({
  kind: "file",
  name: name as ByteString,
  size,
  crc: crc === undefined ? undefined : Buffer.from(crc, "hex"),
});
const segment = (text: string): SplitEntry => ({ kind: "segment", bytes: Buffer.from(text) });

const randomEntry: fc.Arbitrary<SplitEntry> = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((bytes): SplitEntry => ({ kind: "segment", bytes: Buffer.from(bytes) })),
  fc.record({
    kind: fc.constant("file" as const),
    name: fc.oneof(
      byteString,
      fc.string({ unit: "binary" }).map((text) => fromText(text)),
    ),
    size: fc.maxSafeInteger(),
    crc: fc.option(
      fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
      { nil: undefined },
    ),
  }),
);

describe("a line", () => {
  // The first four are dockerd 20.10's (FORMATS 9.3), the others made by tar-split 0.11.2 built with Go 1.19.8.
  test.each<[SplitEntry, number, string]>([
    [file("./"), 1, '{"type":1,"name":"./","payload":null,"position":1}'],
    [
      file("./etc/selinux/semanage.conf", 2065, "9d75f9a92c830e44"),
      9,
      '{"type":1,"name":"./etc/selinux/semanage.conf","size":2065,"payload":"nXX5qSyDDkQ=","position":9}',
    ],
    [segment(""), 13539, '{"type":2,"payload":"","position":13539}'],
    [segment("hello\n"), 0, '{"type":2,"payload":"aGVsbG8K","position":0}'],
    [file("a&b<c>"), 0, '{"type":1,"name":"a\\u0026b\\u003cc\\u003e","payload":null,"position":0}'],
    [
      file('q"\\\n\r\t\b\f\x00\x7f'),
      0,
      '{"type":1,"name":"q\\"\\\\\\n\\r\\t\\u0008\\u000c\\u0000\x7f","payload":null,"position":0}',
    ],
    [file(fromText("ä\u2028\u2029\ufffd")), 0, '{"type":1,"name":"ä\\u2028\\u2029\ufffd","payload":null,"position":0}'],
    [file("bad-\xff"), 0, '{"type":1,"name_raw":"YmFkLf8=","payload":null,"position":0}'],
    [file(""), 0, '{"type":1,"payload":null,"position":0}'],
    [
      file("big", 2 ** 40, "0000000000000000"),
      3,
      '{"type":1,"name":"big","size":1099511627776,"payload":"AAAAAAAAAAA=","position":3}',
    ],
    [file("less", -5), 3, '{"type":1,"name":"less","size":-5,"payload":null,"position":3}'],
  ])("of %j at %d is the one that Docker writes", (entry, position, line) => {
    expect(formatSplitLine(entry, position)).toBe(`${line}\n`);
    expect(parseSplitLine(line)).toEqual(entry);
  });

  test("is read back as what it was written for", () => {
    fc.assert(
      fc.property(randomEntry, fc.nat(), (entry, position) => {
        expect(parseSplitLine(formatSplitLine(entry, position))).toEqual(entry);
      }),
    );
  });

  test.each<[string, SplitEntry]>([
    ['{"payload":"aGVsbG8K","type":2}', segment("hello\n")],
    ['{ "position" : -1, "TYPE":2, "Payload":"aGVs\\u0062G8K", "extra":{"type":1} }', segment("hello\n")],
    ['{"type":2,"payload":"aGVsbG8\\u004b","position":0}', segment("hello\n")],
    ['{"type":2,"payload":"aGVsbG8K","position":0} ', segment("hello\n")],
    ['{"type":1,"name":"x","name_raw":"eQ=="}', file("y")],
    ['{"type":1,"name":"x","name_raw":""}', file("x")],
    ['{"type":1,"name":null,"size":null,"payload":null}', file("")],
    ['{"type":2,"payload":null}', segment("")],
    ['{"type":3,"payload":"aGVsbG8K"}', segment("")],
    ["{}", segment("")],
    ['{"__proto__":{"type":1}}', segment("")],
  ])("%s is understood as Go understands it", (line, entry) => {
    expect(parseSplitLine(line)).toEqual(entry);
  });

  test.each([
    "",
    "null",
    "[]",
    "1",
    '{"type":"1"}',
    '{"type":1.5}',
    '{"type":1,"size":9007199254740992}',
    '{"type":1,"size":"1"}',
    '{"type":1,"name":1}',
    '{"type":1,"name_raw":[1]}',
    '{"type":2,"payload":"a"}',
    '{"type":2,"payload":"aGVsbG8"}',
    '{"type":2,"payload":"aGV*bG8K","position":0}',
    '{"type":2,"payload":"aA==bA==","position":0}',
    '{"type":2,"payload":"aGVsbG8K","position":0',
  ])("%s is corrupt", (line) => {
    expect(() => parseSplitLine(line)).toThrow(expect.objectContaining({ code: "corrupt" }));
  });

  test("that is anything makes nothing but a VarveError", () => {
    const mangled = fc.tuple(randomEntry, fc.nat(), fc.string({ maxLength: 3 })).map(([entry, at, text]) => {
      const line = formatSplitLine(entry, 0);
      return line.slice(0, at % line.length) + text + line.slice((at % line.length) + text.length);
    });
    fc.assert(
      fc.property(fc.oneof(mangled, fc.json(), fc.string()), (line) => expectOnlyCorrupt(() => parseSplitLine(line))),
      {
        numRuns: 1000,
      },
    );
  });
});

describe("a tar-split", () => {
  const parse = (bytes: Buffer, lengths: readonly number[]): SplitEntry[] => {
    const parser = new SplitParser();
    const entries: SplitEntry[] = [];
    for (const chunk of chunksOf(bytes, lengths)) entries.push(...parser.write(chunk));
    return [...entries, ...parser.end()];
  };

  test("is read the same wherever it is cut, with or without a newline at its end", () => {
    fc.assert(
      fc.property(fc.array(randomEntry), chunkLengths, fc.boolean(), (entries, lengths, ended) => {
        const text = entries.map(formatSplitLine).join("");
        expect(parse(Buffer.from(ended ? text : text.trimEnd()), lengths)).toEqual(entries);
      }),
    );
  });

  test("is read from chunks that do not last", () => {
    const parser = new SplitParser();
    const chunk = Buffer.from('{"type":2,"payload":"aGVs');
    parser.write(chunk);
    chunk.fill("x");
    expect(parser.write(Buffer.from('bG8K","position":0}\n'))).toEqual([segment("hello\n")]);
  });

  test("may have empty lines", () => {
    expect(parse(Buffer.from('\n{"type":2}\r\n \n{"type":2}'), [])).toHaveLength(2);
  });

  test("of one endless line is refused before it fills the memory", () => {
    const parser = new SplitParser();
    const chunk = Buffer.alloc(1 << 20, " ");
    for (let length = 0; length < MAX_LINE; length += chunk.length) parser.write(chunk);
    expect(() => parser.write(chunk)).toThrow(expect.objectContaining({ code: "corrupt" }));
    expect(() => parseSplitLine(" ".repeat(MAX_LINE + 1))).toThrow("a line is too long");
  });

  test("that is any bytes makes nothing but a VarveError", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => expectOnlyCorrupt(() => parse(Buffer.from(bytes), []))));
  });
});

function expectOnlyCorrupt(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(VarveError);
    expect((error as VarveError).code).toBe("corrupt");
  }
}
