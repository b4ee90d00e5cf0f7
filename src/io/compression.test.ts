import zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VarveError } from "../errors.ts";
import { type ByteSource, collect, sourceOf } from "./byte-source.ts";
import { compress, decompress, sniffCompression } from "./compression.ts";

const gzip = (text: string | Uint8Array) => zlib.gzipSync(text);
const cut = (bytes: Uint8Array, size: number): ByteSource =>
  sourceOf(
    ...Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)),
  );
const unpack = (bytes: Uint8Array, size = 1 << 20) => collect(decompress(cut(bytes, size)), 1e8);

/** "hello zstd\n" as zstd 1.5 writes it, with a checksum. */
const ZSTD_FRAME = Buffer.from("28b52ffd045859000068656c6c6f207a7374640a6c57f951", "hex");

describe("sniffing", () => {
  test.each([
    ["1f8b08", "gzip"],
    ["425a68", "bzip2"],
    ["fd377a585a00", "xz"],
    ["28b52ffd", "zstd"],
    ["502a4d1800000000", "zstd"],
    ["5f2a4d1800000000", "zstd"],
    ["602a4d1800000000", "none"],
    ["502a4d18000000", "none"],
    ["1f8b", "none"],
    ["1f8b09", "none"],
    ["fd377a585a", "none"],
    ["", "none"],
    ["7573746172", "none"],
  ])("%s is %s", (hex, compression) => {
    expect(sniffCompression(Buffer.from(hex, "hex"))).toBe(compression);
  });
});

test("what is not compressed passes through, an empty stream and a short one too", async () => {
  for (const text of ["", "a", "123456789", "a longer text that is no archive"]) {
    expect((await unpack(Buffer.from(text), 3)).toString()).toBe(text);
  }
});

describe("gzip", () => {
  test("comes back whole, in one or many members, cut anywhere", async () => {
    const members = fc.array(fc.uint8Array({ maxLength: 2000 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(members, fc.integer({ min: 1, max: 100 }), async (parts, size) => {
        const packed = Buffer.concat(parts.map(gzip));
        expect(await unpack(packed, size)).toEqual(Buffer.concat(parts));
      }),
      { numRuns: 60 },
    );
  });

  test("zeros after the last member are padding", async () => {
    for (const size of [1, 7, 1 << 20])
      expect((await unpack(Buffer.concat([gzip("x"), Buffer.alloc(600)]), size)).toString()).toBe("x");
  });

  test.each([
    ["garbage", Buffer.from("garbage")],
    ["a member after zeros", Buffer.concat([Buffer.alloc(5), gzip("lost")])],
    ["garbage after zeros", Buffer.from("\0\0\0garbage")],
    ["another magic", Buffer.from([0x1f, 0x8c])],
  ])("%s after a member is refused, cut anywhere", async (_, tail) => {
    const packed = Buffer.concat([gzip("x"), tail]);
    for (const size of [1, 2, 3, 20, 25, packed.length - 1, packed.length])
      await expect(unpack(packed, size)).rejects.toMatchObject({
        code: "invalid-archive",
        message: "gzip: invalid header",
      });
  });

  test("a stream cut short at any byte is refused", async () => {
    const packed = Buffer.concat([gzip("first"), gzip("second")]);
    const between = gzip("first").length;
    for (let length = 3; length < packed.length; length++) {
      if (length === between) continue;
      await expect(unpack(packed.subarray(0, length)), `${length}`).rejects.toMatchObject({
        code: "invalid-archive",
        message: "unexpected EOF",
      });
    }
  });

  test("a damaged stream is refused with a code, whichever byte it is", async () => {
    const text = "a text that is long enough to have some structure, structure, structure";
    const packed = gzip(text);
    for (let at = 3; at < packed.length; at++) {
      const damaged = Buffer.from(packed);
      damaged[at] = (damaged[at] as number) ^ 0x41;
      const outcome = await unpack(damaged).catch((error) => error);
      // Flags, time and system in the header protect nothing.
      if (outcome instanceof Buffer) expect(at).toBeLessThan(10);
      else expect(outcome).toMatchObject({ name: "VarveError", code: "invalid-archive" });
    }
  });

  test("compress is undone by gunzip and by decompress, and gives the same bytes every time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), fc.integer({ min: 1, max: 999 }), async (bytes, size) => {
        const packed = await collect(compress(cut(bytes, size), "gzip", { level: 1 }), 1e6);
        expect(zlib.gunzipSync(packed)).toEqual(Buffer.from(bytes));
        expect(await unpack(packed)).toEqual(Buffer.from(bytes));
        expect(await collect(compress(sourceOf(bytes), "gzip", { level: 1 }), 1e6)).toEqual(packed);
      }),
      { numRuns: 40 },
    );
  });
});

describe("zstd", () => {
  const text = "hello zstd\n";
  const skippable = Buffer.concat([Buffer.from("502a4d1804000000", "hex"), Buffer.from("skip")]);
  /** One frame of 8 MiB of zeros: 64 RLE blocks of 128 KiB, four bytes each. */
  const bomb = Buffer.concat([
    Buffer.from("28b52ffd0058", "hex"),
    ...Array.from({ length: 64 }, (_, i) => {
      const block = Buffer.alloc(4);
      block.writeUIntLE((131072 << 3) | 2 | (i === 63 ? 1 : 0), 0, 3);
      return block;
    }),
  ]);

  test("frames come back whole, also several, with skippable frames among them, cut anywhere", async () => {
    const streams: [Buffer[], string][] = [
      [[ZSTD_FRAME], text],
      [[ZSTD_FRAME, ZSTD_FRAME, ZSTD_FRAME], text.repeat(3)],
      [[skippable, ZSTD_FRAME], text],
      [[ZSTD_FRAME, skippable, ZSTD_FRAME, skippable], text.repeat(2)],
      [[skippable], ""],
    ];
    for (const [frames, content] of streams)
      for (const size of [1, 2, 3, 5, 21, 1000])
        expect((await unpack(Buffer.concat(frames), size)).toString()).toBe(content);
  });

  test("a stream cut short at any byte is refused", async () => {
    const packed = Buffer.concat([ZSTD_FRAME, skippable, ZSTD_FRAME]);
    const ends = [ZSTD_FRAME.length, ZSTD_FRAME.length + skippable.length];
    for (let length = 4; length < packed.length; length++) {
      if (ends.includes(length)) continue;
      await expect(unpack(packed.subarray(0, length)), `${length}`).rejects.toMatchObject({ code: "invalid-archive" });
    }
  });

  test("garbage after a frame is refused", async () => {
    for (const tail of [Buffer.alloc(8), Buffer.from("garbage"), gzip("x")])
      for (const size of [1, 1000])
        await expect(unpack(Buffer.concat([ZSTD_FRAME, tail]), size)).rejects.toMatchObject({
          code: "invalid-archive",
        });
  });

  test("a few bytes that unfold to megabytes come out piece by piece", async () => {
    let size = 0;
    for await (const chunk of decompress(sourceOf(bomb))) {
      expect(chunk.length).toBeLessThanOrEqual(512 * 1024);
      size += chunk.length;
    }
    expect(size).toBe(8 << 20);
  });

  test("any bytes after the magic give content or a coded error", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 60 }), async (bytes, size) => {
        const outcome = await unpack(Buffer.concat([ZSTD_FRAME.subarray(0, 4), bytes]), size).catch((error) => error);
        if (!Buffer.isBuffer(outcome)) expect(outcome).toBeInstanceOf(VarveError);
      }),
      { numRuns: 200 },
    );
  });
});

test("any bytes at all give content or a coded error", async () => {
  const magic = fc.constantFrom("", "1f8b08", "28b52ffd", "502a4d18").map((hex) => Buffer.from(hex, "hex"));
  await fc.assert(
    fc.asyncProperty(magic, fc.uint8Array({ maxLength: 100 }), async (first, rest) => {
      const outcome = await unpack(Buffer.concat([first, rest]), 7).catch((error) => error);
      if (!Buffer.isBuffer(outcome)) expect(outcome).toBeInstanceOf(VarveError);
    }),
    { numRuns: 200 },
  );
});

describe("a reader that stops", () => {
  function watched(bytes: Uint8Array): ByteSource & { closed: boolean; taken: number } {
    const source = {
      closed: false,
      taken: 0,
      async *[Symbol.asyncIterator]() {
        try {
          for (;;) {
            source.taken += bytes.length;
            yield bytes;
          }
        } finally {
          source.closed = true;
        }
      },
    };
    return source;
  }

  test("closes the source at once, after reading no more of it than a few buffers", async () => {
    for (const bytes of [gzip(Buffer.alloc(1 << 20)), ZSTD_FRAME, Buffer.from("plain text")]) {
      const source = watched(bytes);
      const iterator = decompress(source);
      await iterator.next();
      await new Promise((resolve) => setTimeout(resolve, 20));
      await iterator.return(undefined);
      expect(source.closed).toBe(true);
      expect(source.taken).toBeLessThan(100_000);
    }
  });

  test("is cancelled by its signal while the source is stuck", async () => {
    const controller = new AbortController();
    async function* stuck(): AsyncGenerator<Uint8Array> {
      yield gzip("begun").subarray(0, 12);
      await new Promise(() => {});
    }
    const reading = collect(decompress(stuck(), { signal: controller.signal }), 100);
    setTimeout(() => controller.abort(), 10);
    await expect(reading).rejects.toMatchObject({ code: "cancelled" });
  });

  test("gets the source's own error", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield gzip("begun").subarray(0, 12);
      throw new VarveError("no-space", "elsewhere");
    }
    await expect(collect(decompress(failing()), 100)).rejects.toMatchObject({ code: "no-space" });
  });
});

test("a limit stops what unfolds too far, and what is not compressed alike", async () => {
  const limits = { bytes: 1000 };
  for (const bytes of [gzip(Buffer.alloc(1001)), Buffer.alloc(1001, "x")])
    await expect(collect(decompress(sourceOf(bytes), { limits }), 1e6)).rejects.toMatchObject({ code: "too-large" });
  expect(await collect(decompress(sourceOf(gzip(Buffer.alloc(1000))), { limits }), 1e6)).toHaveLength(1000);
});
