import { inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GO_HEADERS } from "../../test/tar/go-headers.ts";
import { randomHeader } from "../../test/tar/random-tar.ts";
import { TRICKY_HEADERS } from "../../test/tar/tricky-headers.ts";
import { type ByteString, fromText } from "../sys/byte-string.ts";
import { type Header, newHeader } from "./header.ts";
import { TarReader } from "./reader.ts";
import { END_OF_ARCHIVE, encodeHeader, paddingOf } from "./writer.ts";

const refused = Object.keys(TRICKY_HEADERS).filter((title) => GO_HEADERS[title] === undefined);
const written = Object.keys(TRICKY_HEADERS).filter((title) => GO_HEADERS[title] !== undefined);

describe("Go's writer and this one make the same bytes of", () => {
  test.each(written)("%s", (title) => {
    const expected = inflateRawSync(Buffer.from(GO_HEADERS[title]!, "base64"));
    expect(encodeHeader(TRICKY_HEADERS[title]!).toString("latin1")).toBe(expected.toString("latin1"));
  });
});

describe("Go's writer and this one refuse", () => {
  test.each(refused)("%s", (title) => {
    expect(() => encodeHeader(TRICKY_HEADERS[title]!)).toThrow(
      expect.objectContaining({ code: "invalid-argument", message: expect.stringMatching(/^archive\/tar: /) }),
    );
  });
});

describe("the block of a file", () => {
  const block = encodeHeader(TRICKY_HEADERS["a file as docker packs it"]!);

  // FORMATS 8.7.
  test.each([
    ["name", 0, 100, "etc/motd".padEnd(100, "\0")],
    ["mode", 100, 108, "0100644\0"],
    ["uid", 108, 116, "0000000\0"],
    ["size", 124, 136, "00000000014\0"],
    ["mtime", 136, 148, "12036615200\0"],
    ["type", 156, 157, "0"],
    ["magic and version", 257, 265, "ustar\x0000"],
    ["user name", 265, 297, "root".padEnd(32, "\0")],
    ["device numbers", 329, 345, "0000000\x000000000\0"],
    ["rest", 345, 512, "\0".repeat(167)],
  ])("has its %s where USTAR has it", (_, from, to, text) => {
    expect(block.toString("latin1", from, to)).toBe(text);
  });

  test("ends its checksum with NUL and space", () => {
    const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
    expect(block.toString("latin1", 148, 156)).toBe(`${sum.toString(8).padStart(6, "0")}\0 `);
  });
});

test("a PAX header bears the name of its entry in a directory of its own, cut to ASCII", () => {
  const nameOf = (name: string): string =>
    encodeHeader(newHeader({ name: name as ByteString }))
      .toString("latin1", 0, 100)
      .replace(/\0+$/, "");
  const encoded = (name: string, type: string): string =>
    encodeHeader(newHeader({ name: name as ByteString, type }))
      .toString("latin1", 0, 100)
      .replace(/\0+$/, "");
  expect(nameOf("odd/bad-\xff\xfe")).toBe("odd/PaxHeaders.0/bad-");
  expect(nameOf("\xff")).toBe("PaxHeaders.0");
  expect(encoded("x\xff/", "5")).toBe("x/PaxHeaders.0");
  expect(nameOf(`${"d".repeat(95)}/\xff`)).toBe(`${"d".repeat(95)}/PaxH`);
});

test("what was read from written bytes is written as the same bytes", () => {
  fc.assert(
    fc.property(randomHeader, (header) => {
      const bytes = written1(header);
      if (bytes === undefined) return;
      expect(encodeHeader(readBack(bytes)).toString("latin1")).toBe(bytes.toString("latin1"));
    }),
    { numRuns: 500 },
  );
});

test("what was written is read with all that it said", () => {
  fc.assert(
    fc.property(randomHeader, (header) => {
      const bytes = written1(header);
      if (bytes === undefined) return;
      const { name, linkname, mode, uid, gid, size, mtime, userName, deviceMajor, type } = readBack(bytes);
      expect({ name, linkname, mode, uid, gid, size, userName, deviceMajor, type }).toEqual({
        name: header.name,
        linkname: header.linkname,
        mode: header.mode,
        uid: header.uid,
        gid: header.gid,
        size: header.size,
        userName: header.userName,
        deviceMajor: header.deviceMajor,
        type: header.type,
      });
      if (header.format === "pax") expect(mtime).toEqual(header.mtime);
    }),
    { numRuns: 500 },
  );
});

test("padding fills the last block", () => {
  expect([0, 1, 511, 512, 513, 2 ** 40 + 1].map((size) => paddingOf(size).length)).toEqual([0, 511, 1, 0, 511, 511]);
  expect(END_OF_ARCHIVE.equals(Buffer.alloc(1024))).toBe(true);
});

test("a header needs no more than a name", () => {
  expect(readBack(encodeHeader(newHeader({ name: fromText("x") })))).toMatchObject({
    name: "x",
    type: "0",
    size: 0,
    mode: 0,
  });
});

function written1(header: Header): Buffer | undefined {
  try {
    return encodeHeader(header);
  } catch {
    return undefined;
  }
}

function readBack(bytes: Buffer): Header {
  let header: Header | undefined;
  const reader = new TarReader({
    raw() {},
    payload() {},
    header(entry) {
      header = entry;
    },
  });
  reader.write(bytes);
  return header!;
}
