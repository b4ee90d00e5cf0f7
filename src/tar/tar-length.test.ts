import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { fromText } from "../sys/byte-string.ts";
import { Disassembler } from "./disassemble.ts";
import { type Header, newHeader, TYPE } from "./header.ts";
import { tarLength } from "./tar-length.ts";
import { END_OF_ARCHIVE, encodeHeader, paddingOf } from "./writer.ts";

const entries = fc.array(
  fc.record({
    type: fc.constantFrom(TYPE.file, TYPE.file, TYPE.directory, TYPE.symlink, TYPE.hardLink),
    size: fc.nat(3000),
    home: fc.constantFrom("tree" as const, "split" as const),
  }),
  { maxLength: 8 },
);

test("the length is that of the tar, wherever its payloads are kept", async () => {
  await fc.assert(
    fc.asyncProperty(entries, fc.nat(3000), async (list, trailing) => {
      const parts: Uint8Array[] = [];
      list.forEach(({ type, size }, i) => {
        const length = type === TYPE.file ? size : 0;
        parts.push(encodeHeader(newHeader({ name: fromText(`n${i}`), type, size: length, linkname: fromText("t") })));
        parts.push(Buffer.alloc(length, 1), Buffer.alloc(Number(paddingOf(length).length)));
      });
      const tar = Buffer.concat([...parts, END_OF_ARCHIVE, Buffer.alloc(trailing, 7)]);
      const split = splitOf(tar, (header) => list[Number(header.name.slice(1))]!.home);
      expect(await tarLength(stream(gzipSync(split)))).toBe(tar.length);
    }),
  );
});

test("a link that has the size of its target has no payload all the same", async () => {
  const tar = Buffer.concat([linkOfSize(1000), END_OF_ARCHIVE]);
  const split = splitOf(tar, () => "tree");
  expect(split).toContain('"size":1000');
  expect(await tarLength(stream(gzipSync(split)))).toBe(tar.length);
});

test("segments count however they are written, down to a byte each, and tell of a link all the same", async () => {
  const [header, trailing] = [linkOfSize(1000), Buffer.alloc(1023, 0xff)];
  const file = { type: 1, name: "link", size: 1000, payload: Buffer.alloc(8).toString("base64") };
  const segments = [...header].map((byte) => ({ type: 2, payload: Buffer.of(byte).toString("base64") }));
  const rest = { type: 2, payload: trailing.toString("base64") };
  const plain = (line: object): string => JSON.stringify(line);
  const spaced = (line: object): string => JSON.stringify(line, undefined, 1).replaceAll("\n", "");
  const escaped = (line: object): string => plain(line).replaceAll("/", "\\/");
  for (const write of [plain, spaced, escaped]) {
    const lines = [...segments, file, rest].map((line, position) => write({ ...line, position }));
    expect(await tarLength(stream(gzipSync(lines.join("\n"))))).toBe(header.length + trailing.length);
  }
});

test("no tar-split makes anything but a length or a corrupt error", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.constant('{"type":1,"size":9,"payload":null}\n')), async (text) => {
      try {
        expect(await tarLength(stream(gzipSync(text)))).toBeGreaterThanOrEqual(0);
      } catch (error) {
        expect(isVarveError(error, "corrupt")).toBe(true);
      }
    }),
  );
  await expect(tarLength(stream(Buffer.from("no gzip")))).rejects.toMatchObject({ code: "corrupt" });
});

/** What no writer of ours makes: a hard link with the size of its target. */
function linkOfSize(size: number): Buffer {
  const header = Buffer.from(encodeHeader(newHeader({ name: fromText("link"), type: TYPE.hardLink, size: 0 })));
  header.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  header.write("        ", 148, "latin1");
  const sum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

function splitOf(tar: Uint8Array, home: (header: Header) => "tree" | "split"): string {
  const lines: string[] = [];
  const tree = { entry: home, data() {}, hole() {}, entryEnd() {} };
  const disassembler = new Disassembler({ line: (text) => void lines.push(text), tree });
  disassembler.write(tar);
  disassembler.end();
  return lines.join("");
}

async function* stream(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
