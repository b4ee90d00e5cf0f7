import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { abortable, type ByteSource, collect, fileSource, peek, sourceOf, writeAll } from "./byte-source.ts";

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "varve-bytes-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const openDescriptors = () => readdirSync("/proc/self/fd").length;
const text = async (source: ByteSource) => (await collect(source, 1e6)).toString("latin1");

/** Never gives anything, like a terminal that nobody types at. */
function stuck(): ByteSource & { returned: boolean } {
  const source = {
    returned: false,
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<never>(() => {}),
      return: () => {
        source.returned = true;
        return new Promise<never>(() => {});
      },
    }),
  };
  return source;
}

describe("fileSource", () => {
  test("gives any part of a file, in chunks of any size, by path and by descriptor", async () => {
    const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
    const file = join(path, "f");
    writeFileSync(file, content);
    const fd = openSync(file, "r");
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1000),
        fc.nat(1000),
        fc.integer({ min: 1, max: 300 }),
        async (offset, rest, chunkSize) => {
          const length = Math.min(rest, 1000 - offset);
          const part = content.subarray(offset, offset + length);
          expect(await collect(fileSource(file, { offset, length, chunkSize }), 1000)).toEqual(part);
          expect(await collect(fileSource(fd, { offset, length, chunkSize }), 1000)).toEqual(part);
          expect(await collect(fileSource(fd, { offset, chunkSize }), 1000)).toEqual(content.subarray(offset));
        },
      ),
      { numRuns: 50 },
    );
    closeSync(fd);
  });

  test("reads a descriptor from where it stands, as a pipe must be", async () => {
    writeFileSync(join(path, "f"), "0123456789");
    const fd = openSync(join(path, "f"), "r");
    expect(await text(fileSource(fd, { length: 4, chunkSize: 3 }))).toBe("0123");
    expect(await text(fileSource(fd))).toBe("456789");
    closeSync(fd);
  });

  test("closes what it opened when the reader stops early, and refuses a file that became shorter", async () => {
    writeFileSync(join(path, "f"), "0123456789");
    const before = openDescriptors();
    for await (const chunk of fileSource(join(path, "f"), { chunkSize: 2 })) {
      expect(chunk).toHaveLength(2);
      break;
    }
    await expect(text(fileSource(join(path, "f"), { length: 11 }))).rejects.toMatchObject({ code: "corrupt" });
    expect(openDescriptors()).toBe(before);
  });

  test("an absent file and a directory are coded errors, a fired signal too", async () => {
    await expect(text(fileSource(join(path, "no")))).rejects.toMatchObject({ code: "not-found" });
    await expect(text(fileSource(path))).rejects.toMatchObject({
      code: "system",
      message: `read ${path}: is a directory`,
      details: { errno: "EISDIR", path },
    });
    writeFileSync(join(path, "f"), "x");
    const signal = AbortSignal.abort("enough");
    await expect(text(fileSource(join(path, "f"), { signal }))).rejects.toMatchObject({
      code: "cancelled",
      cause: "enough",
    });
  });
});

describe("collect", () => {
  test("copies chunks, since their memory may be used again", async () => {
    async function* reusing(): AsyncGenerator<Uint8Array> {
      const buffer = Buffer.alloc(1);
      for (const byte of [1, 2, 3]) {
        buffer[0] = byte;
        yield buffer;
      }
    }
    expect([...(await collect(reusing(), 3))]).toEqual([1, 2, 3]);
  });

  test("stops at its limit and closes the source", async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(10);
      } finally {
        closed = true;
      }
    }
    await expect(collect(endless(), 95)).rejects.toMatchObject({ code: "too-large" });
    expect(closed).toBe(true);
  });
});

describe("peek", () => {
  test("shows the first bytes and loses none, however they are cut", async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.nat(12), async (parts, length) => {
        const all = Buffer.concat(parts);
        const { head, whole } = await peek(sourceOf(...parts), length);
        expect(head).toEqual(all.subarray(0, length));
        expect(await collect(whole, 100)).toEqual(all);
      }),
    );
  });

  test("a whole that is returned unread closes the source", async () => {
    const before = openDescriptors();
    writeFileSync(join(path, "f"), "0123456789");
    const { whole } = await peek(fileSource(join(path, "f"), { chunkSize: 2 }), 1);
    expect(openDescriptors()).toBe(before + 1);
    await whole.return?.();
    expect(openDescriptors()).toBe(before);
  });
});

describe("abortable", () => {
  test("passes everything on", async () => {
    const { signal } = new AbortController();
    expect(await text(abortable(sourceOf(Buffer.from("ab"), Buffer.from("c")), signal))).toBe("abc");
    expect(await text(abortable(sourceOf(Buffer.from("ab")), undefined))).toBe("ab");
  });

  test("ends while the source is stuck, and tells the source", async () => {
    const controller = new AbortController();
    const source = stuck();
    const reading = text(abortable(source, controller.signal));
    controller.abort();
    await expect(reading).rejects.toMatchObject({ code: "cancelled" });
    expect(source.returned).toBe(true);
  });

  test("ends between two chunks", async () => {
    const controller = new AbortController();
    const iterator = abortable(sourceOf(Buffer.from("a"), Buffer.from("b")), controller.signal);
    await iterator.next();
    controller.abort();
    await expect(iterator.next()).rejects.toMatchObject({ code: "cancelled" });
  });
});

describe("writeAll", () => {
  test("writes to a descriptor and to a stream, and counts", async () => {
    const fd = openSync(join(path, "f"), "w");
    expect(await writeAll(fd, sourceOf(Buffer.from("abc"), Buffer.from("de")))).toBe(5);
    closeSync(fd);
    expect(readFileSync(join(path, "f"), "utf8")).toBe("abcde");

    const stream = new PassThrough();
    expect(await writeAll(stream, sourceOf(Buffer.from("abc"), Buffer.from("de")))).toBe(5);
    expect(stream.writable).toBe(true);
    expect(stream.read().toString()).toBe("abcde");
    expect(stream.listenerCount("error")).toBe(0);
  });

  test("waits for a slow stream instead of filling memory", async () => {
    let inFlight = 0;
    const slow = new Writable({
      write(_chunk, _encoding, done) {
        setTimeout(() => {
          inFlight--;
          done();
        }, 1);
      },
    });
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 20; i++) {
        expect(inFlight).toBe(0);
        inFlight++;
        yield new Uint8Array(100_000);
      }
    }
    expect(await writeAll(slow, chunks())).toBe(2_000_000);
  });

  test("a stream that fails or is closed ends the writing and the source", async () => {
    let closed = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(10);
      } finally {
        closed++;
      }
    }
    const failing = new Writable({ write: (_chunk, _encoding, done) => done(new Error("no more")) });
    await expect(writeAll(failing, endless())).rejects.toThrow("no more");
    const hanging = new Writable({ write: () => {} });
    const writing = writeAll(hanging, endless());
    setImmediate(() => hanging.destroy());
    await expect(writing).rejects.toMatchObject({ code: "cancelled" });
    await expect(writeAll(hanging, endless())).rejects.toMatchObject({ code: "cancelled" });
    expect(closed).toBe(3);
  });

  test("a full disk is no-space", async () => {
    const fd = openSync("/dev/full", "w");
    await expect(writeAll(fd, sourceOf(Buffer.from("x")))).rejects.toMatchObject({ code: "no-space" });
    closeSync(fd);
  });
});
