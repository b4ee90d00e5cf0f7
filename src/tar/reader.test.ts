import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  chunkLengths,
  chunksOf,
  padded,
  paxRecords,
  randomTar,
  rawHeader,
  reseal,
  type SparseKind,
  sparseFile,
  ustarMagic,
} from "../../test/tar/random-tar.ts";
import { VarveError } from "../errors.ts";
import { type ByteString, fromText } from "../sys/byte-string.ts";
import type { TarLimits } from "./entries.ts";
import { type Header, newHeader } from "./header.ts";
import { TarReader } from "./reader.ts";
import { END_OF_ARCHIVE, encodeHeader } from "./writer.ts";

interface Seen {
  readonly headers: Header[];
  readonly payloads: Buffer[];
  /** All that came through, raw or payload. */
  readonly bytes: Buffer;
  /** Raw bytes behind the two zero blocks. */
  readonly tail: number;
}

function read(tar: Buffer, lengths: readonly number[] = [], limits: TarLimits = {}): Seen {
  const headers: Header[] = [];
  const payloads: Buffer[] = [];
  const all: Buffer[] = [];
  let payload: Buffer[] = [];
  let ended = false;
  let tail = 0;
  const reader = new TarReader(
    {
      raw(bytes) {
        all.push(Buffer.from(bytes));
        if (ended) tail += bytes.length;
      },
      header: (header) => void headers.push(header),
      payload(bytes) {
        all.push(Buffer.from(bytes));
        payload.push(Buffer.from(bytes));
      },
      payloadEnd() {
        payloads.push(Buffer.concat(payload));
        payload = [];
      },
      archiveEnd() {
        ended = true;
      },
    },
    limits,
  );
  for (const chunk of chunksOf(tar, lengths)) reader.write(chunk);
  reader.end();
  return { headers, payloads, bytes: Buffer.concat(all), tail };
}

const file = (name: string, text = ""): Buffer =>
  Buffer.concat([encodeHeader(newHeader({ name: fromText(name), size: text.length })), padded(Buffer.from(text))]);

const special = (type: string, text: string): Buffer =>
  Buffer.concat([rawHeader({ name: fromText("././@LongLink"), type, size: text.length }), padded(Buffer.from(text))]);

describe("a tar", () => {
  test("comes through whole and the same, wherever it is cut", () => {
    fc.assert(
      fc.property(randomTar, chunkLengths, ({ bytes, entries }, lengths) => {
        const seen = read(bytes, lengths);
        expect(seen.bytes.equals(bytes)).toBe(true);
        const headers = seen.headers.filter(({ type }) => type !== "g");
        const payloads = seen.payloads.filter((_, i) => seen.headers[i]!.type !== "g");
        expect(headers.map(({ name, size }) => [name, size])).toEqual(entries.map(({ name, size }) => [name, size]));
        expect(payloads.map((payload) => payload.toString("hex"))).toEqual(
          entries.map(({ payload }) => payload.toString("hex")),
        );
        expect(headers.map(({ sparse }) => sparse)).toEqual(
          entries.map(({ fragments }) => fragments?.filter(({ length }) => length > 0)),
        );
      }),
    );
  });

  test("that is damaged makes nothing but a VarveError", () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(randomTar, damage, fc.boolean(), fc.nat(), ({ bytes }, hits, mend, cut) => {
        const damaged = Buffer.from(bytes);
        for (const [at, byte] of hits) {
          const where = at % (damaged.length + 1);
          damaged[where] = byte;
          const block = where - (where % 512);
          if (mend && block + 512 <= damaged.length) reseal(damaged.subarray(block, block + 512));
        }
        expectOnlyVarveErrors(() => read(damaged.subarray(0, cut % (damaged.length + 1))));
      }),
      { numRuns: 300 },
    );
  });

  test("that is any bytes at all makes nothing but a VarveError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        expectOnlyVarveErrors(() => read(Buffer.from(bytes)));
        expectOnlyVarveErrors(() => read(reseal(Buffer.concat([bytes, Buffer.alloc(512)]))));
      }),
    );
  });
});

describe("the end", () => {
  test.each([
    ["of nothing", Buffer.alloc(0)],
    ["behind an entry", file("x", "abc")],
    ["within the padding", file("x", "abc").subarray(0, 700)],
    ["behind one zero block", Buffer.concat([file("x"), Buffer.alloc(512)])],
    ["behind a PAX header without an entry", paxRecords([["path", "x"]])],
  ])("may come %s", (_, tar) => {
    expect(read(tar).bytes.equals(tar)).toBe(true);
  });

  test.each([
    ["within a header", file("x").subarray(0, 511)],
    ["within a payload", file("x", "abc").subarray(0, 514)],
    ["within the second zero block", Buffer.alloc(513)],
    ["within PAX records", paxRecords([["path", "x"]]).subarray(0, 515)],
    ["where a payload should start", file("x", "abc").subarray(0, 512)],
    [
      "within an old sparse map",
      sparseFile("old", fromText("s"), tenFragments(), 10, Buffer.alloc(5)).subarray(0, 600),
    ],
    [
      "within a sparse map in the payload",
      sparseFile("1.0", fromText("s"), tenFragments(), 10, Buffer.alloc(5)).subarray(0, 2000),
    ],
  ])("%s is unexpected", (_, tar) => {
    expect(() => read(tar)).toThrow("unexpected EOF");
  });

  test("a zero block before another one is no end", () => {
    expect(() => read(Buffer.concat([Buffer.alloc(512), file("x")]))).toThrow("archive/tar: invalid tar header");
  });

  test("everything behind two zero blocks is passed on, whatever it is", () => {
    const tail = Buffer.alloc(3000, "garbage");
    expect(read(Buffer.concat([file("x"), END_OF_ARCHIVE, tail]), [7]).tail).toBe(3000);
  });
});

describe("headers about the next header", () => {
  const only = (...parts: Buffer[]): Header => {
    const { headers } = read(Buffer.concat(parts));
    expect(headers).toHaveLength(1);
    return headers[0]!;
  };

  test("PAX records override it, but not with nothing", () => {
    const header = only(
      paxRecords([
        ["path", "long"],
        ["uid", "3000000"],
        ["mtime", "-1.5"],
        ["gname", ""],
        ["SCHILY.xattr.user.a", "\xff"],
      ]),
      rawHeader({ name: fromText("short"), groupName: fromText("wheel"), gid: 7 }, ustarMagic),
    );
    expect(header).toMatchObject({ name: "long", uid: 3000000, gid: 7, groupName: "wheel", format: "pax" });
    expect(header.mtime).toEqual({ seconds: -2, nanoseconds: 500000000 });
    expect(header.records.get("SCHILY.xattr.user.a")).toBe("\xff");
  });

  test("long names are GNU's, and make other headers contradict them", () => {
    expect(only(special("L", "long"), rawHeader({ name: fromText("x") })).format).toBe("gnu");
    const ustar = rawHeader({ name: fromText("l"), type: "L", size: 4 }, ustarMagic);
    expect(only(ustar, padded(Buffer.from("long")), file("x")).format).toBe("unknown");
  });

  test("of several PAX headers the last one counts", () => {
    expect(only(paxRecords([["path", "first"]]), paxRecords([["path", "last"]]), file("x")).name).toBe("last");
  });

  test("GNU's long names override even PAX's, and end at the first NUL", () => {
    const header = only(special("L", "gnu\0rest"), special("K", "target\0"), paxRecords([["path", "pax"]]), file("x"));
    expect(header).toMatchObject({ name: "gnu", linkname: "target", format: "unknown" });
  });

  test("a global one is an entry of its own and swallows what came before it", () => {
    const tar = [paxRecords([["path", "lost"]]), paxRecords([["comment", "hi"]], "g"), file("x", "abc")];
    const { headers } = read(Buffer.concat(tar));
    expect(headers.map(({ name, type }) => [name, type])).toEqual([
      ["PaxHeaders.0/x", "g"],
      ["x", "0"],
    ]);
    expect(only(paxRecords([["path", "named"]], "g")).name).toBe("named");
    expect(headers[0]!.records.get("comment")).toBe("hi");
  });

  test("no more than the limit is held of one", () => {
    const size = 5e9;
    const huge = rawHeader({ name: fromText("x"), type: "x", size });
    const chunk = Buffer.alloc(1 << 20, " ");
    const reader = new TarReader({ raw() {}, header() {}, payload() {} });
    reader.write(huge);
    reader.write(chunk);
    expect(() => reader.write(chunk)).toThrow("archive/tar: header field too long");
    expect(() => read(special("L", "12345"), [], { specialBytes: 4 })).toThrow("archive/tar: header field too long");
    expect(read(Buffer.concat([special("L", "1234"), file("x")]), [], { specialBytes: 4 }).headers[0]!.name).toBe(
      "1234",
    );
  });
});

describe("old dialects", () => {
  const read1 = (block: Buffer): Header => read(block).headers[0]!;

  test("V7 knows no owners by name, and a directory by its slash", () => {
    const v7 = (name: string): Header =>
      read1(
        rawHeader({ name: fromText(name), type: "\0", userName: fromText("root") }, (block) => block.fill(0, 257, 265)),
      );
    expect(v7("dir/")).toMatchObject({ type: "5", format: "v7", userName: "" });
    expect(v7("file")).toMatchObject({ type: "0", format: "v7" });
  });

  test("a directory by its slash has no payload, whatever its size", () => {
    const header = rawHeader({ name: fromText("dir/"), type: "\0", size: 1000 });
    expect(
      read(Buffer.concat([header, file("x")])).headers.map(({ name, payloadSize }) => [name, payloadSize]),
    ).toEqual([
      ["dir/", 0],
      ["x", 0],
    ]);
  });

  test("STAR has a shorter prefix, and times", () => {
    const star = rawHeader({ name: fromText("b") }, (block) => {
      ustarMagic(block);
      block.write("prefix", 345, "latin1");
      block.write("00000000001\0", 476, "latin1");
      block.write("00000000002\0", 488, "latin1");
      block.write("tar\0", 508, "latin1");
    });
    expect(read1(star)).toMatchObject({
      name: "prefix/b",
      format: "star",
      atime: { seconds: 1 },
      ctime: { seconds: 2 },
    });
  });

  test("STAR is refused when its times are no numbers", () => {
    const star = rawHeader({ name: fromText("b") }, (block) => {
      ustarMagic(block);
      block.write("x", 476, "latin1");
      block.write("tar\0", 508, "latin1");
    });
    expect(() => read(star)).toThrow("archive/tar: invalid tar header");
  });

  test("USTAR is not what it says when it is not ASCII or a number fills its field", () => {
    const format = (patch: (block: Buffer) => void): string =>
      read1(
        rawHeader({ name: fromText("b") }, (block) => {
          ustarMagic(block);
          patch(block);
        }),
      ).format;
    expect(format(() => {})).toBe("ustar");
    expect(format((block) => block.write("\xe4", "latin1"))).toBe("unknown");
    for (const end of [135, 107, 115, 123, 147, 336, 344])
      expect(format((block) => block.write("0", end))).toBe("unknown");
  });

  test("GNU has times where others have a prefix, or a prefix all the same", () => {
    const gnu = (field: string): Header =>
      read1(rawHeader({ name: fromText("b") }, (block) => block.write(field, 345, "latin1")));
    expect(gnu("00000000001\x0000000000002\0")).toMatchObject({ name: "b", format: "gnu", ctime: { seconds: 2 } });
    expect(gnu("old/go")).toMatchObject({ name: "old/go/b", format: "unknown", atime: undefined });
    expect(gnu("old/g\xf6")).toMatchObject({ name: "b", format: "unknown" });
  });

  test("a checksum may be that of signed bytes", () => {
    const block = rawHeader({ name: "\xff\xff\xff" as ByteString });
    const unsigned = Number.parseInt(block.toString("latin1", 148, 154), 8);
    block.write((unsigned - 3 * 256).toString(8).padStart(6, "0"), 148, "latin1");
    expect(read1(block).name).toBe("\xff\xff\xff");
    block[0]! ^= 1;
    expect(() => read1(block)).toThrow("invalid tar header");
  });
});

describe("sizes", () => {
  const sized = (size: number, type = "0"): Buffer =>
    rawHeader({ name: fromText("x"), type }, (block) => sizeField(block, BigInt(size)));

  test("negative ones are refused where there is a payload, and kept where there is none", () => {
    expect(() => read(sized(-1))).toThrow("archive/tar: invalid tar header");
    expect(read(sized(-1, "5")).headers[0]).toMatchObject({ size: -1, payloadSize: 0 });
  });

  test("a negative one is refused even when a record has a better one", () => {
    const tar = Buffer.concat([paxRecords([["size", "5"]]), sized(-1)]);
    expect(() => read(tar)).toThrow("archive/tar: invalid tar header");
    expect(() => read(Buffer.concat([paxRecords([["size", "-5"]]), sized(5)]))).toThrow(
      "archive/tar: invalid tar header",
    );
  });

  test("beyond 2^53 - 1 they are refused, for nothing could count the bytes", () => {
    expect(() => read(sized(2 ** 53))).toThrow("archive/tar: invalid tar header");
    expect(() => read(sized(2 ** 53 - 1))).toThrow("unexpected EOF");
    const records = paxRecords([["size", "9007199254740992"]]);
    expect(() => read(Buffer.concat([records, sized(0)]))).toThrow("archive/tar: invalid tar header");
  });

  test("types without payload have none, however large they say they are", () => {
    for (const type of "123456") expect(read(Buffer.concat([sized(1e6, type), file("y")])).headers).toHaveLength(2);
  });
});

describe("a sparse file", () => {
  const kinds: SparseKind[] = ["old", "0.0", "0.1", "1.0"];
  const holes = (kind: SparseKind, size: number): Buffer =>
    sparseFile(kind, fromText("s"), [{ offset: size - 1, length: 1 }], size, Buffer.from("x"));

  test.each(kinds)("of a few kilobytes may declare terabytes (%s)", (kind) => {
    const size = kind === "old" ? 8 ** 11 - 1 : 2 ** 52;
    const { headers } = read(holes(kind, size));
    expect(headers[0]).toMatchObject({ name: "s", size, payloadSize: 1, sparse: [{ offset: size - 1, length: 1 }] });
  });

  test.each(kinds)("is refused when its map and its payload differ (%s)", (kind) => {
    const map = [{ offset: 5, length: 3 }];
    expect(() => read(sparseFile(kind, fromText("s"), map, 10, Buffer.from("ab")))).toThrow(
      "references non-existent data",
    );
    expect(() => read(sparseFile(kind, fromText("s"), map, 10, Buffer.from("abcd")))).toThrow(
      "contains unreferenced data",
    );
  });

  test.each(kinds)("is refused when its map is in no order or leaves the file (%s)", (kind) => {
    const make = (map: [number, number][], size: number): Buffer => {
      const fragments = map.map(([offset, length]) => ({ offset, length }));
      return sparseFile(
        kind,
        fromText("s"),
        fragments,
        size,
        Buffer.alloc(map.reduce((sum, [, length]) => sum + length, 0)),
      );
    };
    const invalid = "archive/tar: invalid tar header";
    expect(
      read(
        make(
          [
            [1, 2],
            [3, 2],
          ],
          5,
        ),
      ).headers[0]!.sparse,
    ).toHaveLength(2);
    expect(() =>
      read(
        make(
          [
            [1, 2],
            [2, 2],
          ],
          5,
        ),
      ),
    ).toThrow(invalid);
    expect(() =>
      read(
        make(
          [
            [3, 2],
            [1, 2],
          ],
          5,
        ),
      ),
    ).toThrow(invalid);
    expect(() => read(make([[3, 3]], 5))).toThrow(invalid);
  });

  test.each(kinds)("has no more fragments than the limit (%s)", (kind) => {
    const tar = sparseFile(kind, fromText("s"), tenFragments(), 10, Buffer.alloc(5));
    expect(read(tar, [], { fragments: 10 }).headers).toHaveLength(1);
    expect(() => read(tar, [], { fragments: 9 })).toThrow("archive/tar: header field too long");
  });

  test("of version 1.0 is refused at once when its map announces too much", () => {
    const table = padded(Buffer.from("99999999999\n"));
    const records = paxRecords([
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
    ]);
    const tar = Buffer.concat([records, rawHeader({ name: fromText("s"), size: 5e9 }, ustarMagic), table]);
    expect(() => read(tar)).toThrow("archive/tar: header field too long");
  });

  test.each(["x\n", "-1\n", `${"1".repeat(600)}\n`, "2\n0\nx\n"])(
    "of version 1.0 is refused when its map is %.8j",
    (text) => {
      const table = padded(Buffer.from(text));
      const records = paxRecords([
        ["GNU.sparse.major", "1"],
        ["GNU.sparse.minor", "0"],
      ]);
      const tar = Buffer.concat([records, rawHeader({ name: fromText("s"), size: table.length }, ustarMagic), table]);
      expect(() => read(tar)).toThrow(VarveError);
    },
  );

  test("of version 1.0 is refused when its map is longer than its payload, or has no end", () => {
    const records = paxRecords([
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
    ]);
    const tar = (size: number): Buffer =>
      Buffer.concat([records, rawHeader({ name: fromText("s"), size }, ustarMagic), Buffer.alloc(1024, "1")]);
    expect(() => read(tar(100))).toThrow("unexpected EOF");
    expect(() => read(tar(5e9))).toThrow("archive/tar: invalid tar header");
  });

  test("of a negative size is refused", () => {
    const records = paxRecords([
      ["GNU.sparse.major", "0"],
      ["GNU.sparse.minor", "1"],
      ["GNU.sparse.numblocks", "0"],
      ["GNU.sparse.size", "-1"],
    ]);
    expect(() => read(Buffer.concat([records, file("x")]))).toThrow("archive/tar: invalid tar header");
  });

  test("of an unknown version is a file like others", () => {
    const records = paxRecords([
      ["GNU.sparse.major", "2"],
      ["GNU.sparse.minor", "0"],
    ]);
    expect(read(Buffer.concat([records, file("x", "abc")])).headers[0]).toMatchObject({ size: 3, sparse: undefined });
  });

  test("is no type without payload", () => {
    const records = paxRecords([
      ["GNU.sparse.map", "0,1"],
      ["GNU.sparse.numblocks", "1"],
    ]);
    const directory = rawHeader({ name: fromText("d/"), type: "5" }, ustarMagic);
    expect(() => read(Buffer.concat([records, directory]))).toThrow(VarveError);
  });
});

describe("a reader", () => {
  test("that has thrown throws the same again", () => {
    const reader = new TarReader({ raw() {}, header() {}, payload() {} });
    const attempt = (work: () => void): unknown => {
      try {
        work();
      } catch (error) {
        return error;
      }
    };
    const first = attempt(() => reader.write(Buffer.alloc(512, 1)));
    expect(first).toBeInstanceOf(VarveError);
    expect(attempt(() => reader.write(Buffer.alloc(512)))).toBe(first);
    expect(attempt(() => reader.end())).toBe(first);
    expect(attempt(() => reader.skipPayload())).toBe(first);
  });

  test("stops at what its sink throws", () => {
    const stop = new Error("stop");
    let raws = 0;
    const reader = new TarReader({
      raw: () => void raws++,
      payload() {},
      header() {
        throw stop;
      },
    });
    expect(() => reader.write(Buffer.concat([file("x"), file("y")]))).toThrow(stop);
    expect(() => reader.end()).toThrow(stop);
    expect(raws).toBe(1);
  });

  test("tells where in the stream it could not go on", () => {
    const tar = Buffer.concat([file("x", "abc"), Buffer.alloc(512, 1)]);
    for (const lengths of [[], [1], [600]])
      expect(() => read(tar, lengths)).toThrow(
        expect.objectContaining({ details: expect.objectContaining({ offset: 1024 }) }),
      );
  });

  test("goes on behind a payload that is kept elsewhere", () => {
    const names: string[] = [];
    const reader = new TarReader({ raw() {}, payload() {}, header: ({ name }) => void names.push(name) });
    const tar = Buffer.concat([file("x", "abc"), file("y/z", "d")]);
    reader.write(tar.subarray(0, 512));
    reader.skipPayload();
    reader.write(tar.subarray(515, 1536));
    reader.skipPayload();
    reader.write(tar.subarray(1537));
    reader.skipPayload();
    reader.end();
    expect(names).toEqual(["x", "y/z"]);
  });
});

function tenFragments(): { offset: number; length: number }[] {
  return Array.from({ length: 10 }, (_, i) => ({ offset: i, length: i % 2 }));
}

function sizeField(block: Buffer, size: bigint): void {
  block.writeBigInt64BE(size, 128);
  block.fill(size < 0n ? 0xff : 0, 124, 128);
  block[124]! |= 0x80;
}

function expectOnlyVarveErrors(work: () => void): void {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(VarveError);
    expect((error as VarveError).code).toBe("invalid-archive");
  }
}
