import fc from "fast-check";
import { expect, test } from "vitest";
import { VarveError } from "../errors.ts";
import { collect, sourceOf } from "./byte-source.ts";
import { zstdPieces } from "./zstd-frames.ts";

/** A frame with any of the headers that RFC 8878 allows, and the bytes at which its blocks end. */
const frame = fc
  .record({
    single: fc.boolean(),
    checksum: fc.boolean(),
    dictionary: fc.nat(3),
    contentSize: fc.nat(3),
    blocks: fc.array(fc.record({ type: fc.constantFrom(0, 1, 2), size: fc.nat(300) }), { minLength: 1, maxLength: 5 }),
  })
  .map(({ single, checksum, dictionary, contentSize, blocks }) => {
    const descriptor = (contentSize << 6) | (single ? 0x20 : 0) | (checksum ? 4 : 0) | dictionary;
    const contentBytes = [single ? 1 : 0, 2, 4, 8][contentSize] as number;
    const rest = (single ? 0 : 1) + ([0, 1, 2, 4][dictionary] as number) + contentBytes;
    const parts = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor]), Buffer.alloc(rest, 0x28)];
    for (const [i, { type, size }] of blocks.entries()) {
      const header = Buffer.alloc(3);
      header.writeUIntLE((size << 3) | (type << 1) | (i === blocks.length - 1 ? 1 : 0), 0, 3);
      parts.push(header, Buffer.alloc(type === 1 ? 1 : size, 0xb5));
    }
    if (checksum) parts.push(Buffer.alloc(4, 0x2f));
    return { bytes: Buffer.concat(parts), blocks: blocks.length };
  });

const skippable = fc.tuple(fc.nat(15), fc.uint8Array({ maxLength: 50 })).map(([magic, content]) => {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a50 + magic, 0);
  header.writeUInt32LE(content.length, 4);
  return { bytes: Buffer.concat([header, content]), blocks: 1 };
});

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

/** Where each of the pieces ends in their sum. */
function endsOf(pieces: readonly Uint8Array[]): number[] {
  let at = 0;
  return pieces.map((piece) => {
    at += piece.length;
    return at;
  });
}

test("every byte is passed on, and no piece reaches from one block or frame into the next", async () => {
  const frames = fc.array(fc.oneof(frame, skippable), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(frames, fc.integer({ min: 1, max: 2000 }), async (parts, size) => {
      const stream = Buffer.concat(parts.map(({ bytes }) => bytes));
      const pieces: Buffer[] = [];
      for await (const piece of zstdPieces(sourceOf(...cut(stream, size)))) pieces.push(Buffer.from(piece));
      expect(Buffer.concat(pieces).equals(stream)).toBe(true);
      const reached = endsOf(pieces);
      for (const end of endsOf(parts.map(({ bytes }) => bytes))) expect(reached).toContain(end);

      const whole: Uint8Array[] = [];
      for await (const piece of zstdPieces(sourceOf(stream))) whole.push(piece);
      expect(whole.length).toBeLessThanOrEqual(parts.reduce((sum, { blocks }) => sum + blocks + 1, 0));
      for (const piece of whole) expect(piece.length).toBeLessThanOrEqual(330 + 5 * 3);
    }),
  );
});

test("an end anywhere but between frames is refused", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(frame, skippable), frame, async (first, second) => {
      const stream = Buffer.concat([first.bytes, second.bytes]);
      for (let length = 1; length < stream.length; length += 1 + (length % 7)) {
        const outcome = await collect(zstdPieces(sourceOf(stream.subarray(0, length))), 1e6).catch((error) => error);
        if (length === first.bytes.length) expect(outcome).toHaveLength(length);
        else expect(outcome).toMatchObject({ code: "invalid-archive", message: "zstd: unexpected EOF" });
      }
    }),
    { numRuns: 30 },
  );
});

test("anything else than a frame is refused, and nothing ends uncoded", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1 }), async (bytes) => {
      const outcome = await collect(zstdPieces(sourceOf(bytes)), 1e6).catch((error) => error);
      expect(outcome).toBeInstanceOf(VarveError);
    }),
  );
});
