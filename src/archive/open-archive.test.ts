import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ByteSource, sourceOf } from "../io/byte-source.ts";
import { ArchiveBench } from "../testing/archive-bench.ts";
import { tarOf } from "../testing/tar-entries.ts";
import { findFile, readFile } from "./archive-files.ts";
import { type ArchiveInput, type OpenOptions, openArchive } from "./open-archive.ts";

const tar = tarOf([
  { name: "a", content: "first" },
  { name: "zeros", content: Buffer.alloc(1 << 20) },
  { name: "b", content: "x".repeat(100_000) },
]);

describe("opening an archive", () => {
  let bench: ArchiveBench;
  beforeEach(() => {
    bench = new ArchiveBench();
  });
  afterEach(() => bench.dispose());

  function open(input: ArchiveInput, options: Partial<OpenOptions> = {}): ReturnType<typeof openArchive> {
    return openArchive(input, { temporary: bench.temporary, ...options });
  }

  /** Counts how much of a source was asked for. */
  function counted(chunks: Iterable<Uint8Array>): { source: ByteSource; taken: () => number } {
    let taken = 0;
    const source = (async function* () {
      for (const chunk of chunks) {
        taken += chunk.length;
        yield chunk;
      }
    })();
    return { source, taken: () => taken };
  }

  function* cut(bytes: Buffer, size: number): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }

  test("a file is read where it lies", async () => {
    writeFileSync(bench.path("archive.tar"), tar);
    using files = await open(bench.path("archive.tar"));
    expect(existsSync(bench.temporary)).toBe(false);
    expect((await readFile(findFile(files, "a")!, 10)).toString()).toBe("first");
  });

  test.each([1, 511, 512, 700, 65_536, 10_000_000])(
    "a stream in pieces of %i is kept in a file that nobody sees",
    async (size) => {
      const bytes =
        size === 1
          ? tarOf([
              { name: "a", content: "first" },
              { name: "b", content: "x" },
            ])
          : tar;
      for (const input of [sourceOf(...cut(bytes, size)), sourceOf(gzipSync(bytes))]) {
        using files = await open(input);
        expect(readdirSync(bench.temporary)).toEqual([]);
        expect((await readFile(findFile(files, "a")!, 10)).toString()).toBe("first");
        expect(
          (await readFile(findFile(files, "b")!, 200_000)).equals(Buffer.from("x".repeat(size === 1 ? 1 : 100_000))),
        ).toBe(true);
      }
    },
  );

  test("zeros of a stream take no room on the disk", async () => {
    using files = await open(sourceOf(tar));
    expect((await readFile(findFile(files, "zeros")!, 2 << 20)).equals(Buffer.alloc(1 << 20))).toBe(true);
    const fds = readdirSync("/proc/self/fd").flatMap((fd) => {
      const stat = statSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false });
      return stat?.isFile() && stat.nlink === 0 && stat.size === tar.length ? [stat] : [];
    });
    expect(fds).toHaveLength(1);
    expect(fds[0]!.blocks * 512).toBeLessThan(600_000);
  });

  test("a stream that is no tar is refused at its first block", async () => {
    const { source, taken } = counted(cut(Buffer.alloc(1 << 24, "no tar "), 1 << 16));
    await expect(open(source)).rejects.toThrow("it is not a tar (archive/tar: invalid tar header)");
    expect(taken()).toBeLessThan(1 << 18);
  });

  test("what follows the end is taken from the writer, but not for ever", async () => {
    const padded = counted([tar, Buffer.alloc(10_240), Buffer.alloc(1 << 20)]);
    (await open(padded.source))[Symbol.dispose]();
    expect(padded.taken()).toBe(tar.length + 10_240 + (1 << 20));
    const endless = (function* () {
      yield tar;
      for (const zeros = Buffer.alloc(1 << 22); ; ) yield zeros;
    })();
    const { source, taken } = counted(endless);
    (await open(source, { limits: { spoolBytes: 4 << 20 } }))[Symbol.dispose]();
    expect(taken()).toBeLessThan(100 << 20);
  });

  test("a stream that is longer than is allowed is refused, with nothing left", async () => {
    await expect(open(sourceOf(...cut(tar, 4096)), { limits: { spoolBytes: 50_000 } })).rejects.toMatchObject({
      code: "too-large",
      message: "the archive is larger than the 50000 bytes that are allowed",
    });
    expect(readdirSync(bench.temporary)).toEqual([]);
  });

  test("descriptors are closed, whatever happens", async () => {
    writeFileSync(bench.path("good.tar"), tar);
    writeFileSync(bench.path("good.tar.gz"), gzipSync(tar));
    writeFileSync(bench.path("bad.tar"), tar.subarray(0, 5000));
    writeFileSync(bench.path("bad.tar.gz"), gzipSync(tar).subarray(0, 500));
    const before = readdirSync("/proc/self/fd").length;
    for (const name of ["good.tar", "good.tar.gz", "bad.tar", "bad.tar.gz"])
      await open(bench.path(name)).then(
        (files) => files[Symbol.dispose](),
        () => undefined,
      );
    for (let i = 0; i < 20 && readdirSync("/proc/self/fd").length > before; i++)
      await new Promise((go) => setTimeout(go, 20));
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });
});
