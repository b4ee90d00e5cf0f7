import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type ByteSource, collect, sourceOf } from "../../src/io/byte-source.ts";
import { decompress } from "../../src/io/compression.ts";
import { lacking } from "../tools/dockerd.ts";

const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(3_000_000, "text that repeats "), randomBytes(9)]);

function cut(bytes: Uint8Array, size: number): ByteSource {
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => i * size);
  return sourceOf(...pieces.map((at) => bytes.subarray(at, at + size)));
}

const unpack = (bytes: Uint8Array, size = 65_536) => collect(decompress(cut(bytes, size)), 1e8);
const pack = (tool: string, ...parameters: string[]) =>
  execFileSync(tool, ["-c", ...parameters], { input: content, maxBuffer: 1e8 });

/** The processes that this one has started and that are still there. */
function children(): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ")[1] === `${process.pid}`;
    } catch {
      return false; // it has just ended
    }
  });
}

describe.each([
  ["gzip", ["-1"]],
  ["gzip", ["-9"]],
  ["xz", ["-0"]],
  ["xz", ["-6"]],
  ["bzip2", ["-1"]],
  ["zstd", ["-q", "-3"]],
  ["zstd", ["-q", "--no-check", "-19"]],
] as const)("%s %j", (tool, parameters) => {
  const lack = lacking(tool);

  test.skipIf(lack)(
    `what the tool made comes back whole, also in two streams, and leaves no child${lack ?? ""}`,
    async () => {
      const before = children();
      const packed = pack(tool, ...parameters);
      expect((await unpack(packed)).equals(content)).toBe(true);
      expect((await unpack(packed, 1000)).equals(content)).toBe(true);
      expect((await unpack(Buffer.concat([packed, packed]))).equals(Buffer.concat([content, content]))).toBe(true);
      expect(children()).toEqual(before);
    },
  );

  test.skipIf(lack)(`a stream that is cut short or damaged is refused${lack ?? ""}`, async () => {
    const before = children();
    const packed = pack(tool, ...parameters);
    for (const length of [12, packed.length >> 1, packed.length - 1])
      await expect(unpack(packed.subarray(0, length)), `${length}`).rejects.toMatchObject({ code: "invalid-archive" });
    const damaged = Buffer.from(packed);
    damaged.fill(0xaa, packed.length >> 1, (packed.length >> 1) + 100);
    // Raw blocks without a checksum hide it.
    if (!parameters.some((parameter) => parameter === "--no-check"))
      await expect(unpack(damaged)).rejects.toMatchObject({ code: "invalid-archive" });
    expect(children()).toEqual(before);
  });

  test.skipIf(lack)(`a reader that stops early leaves no child and no open source${lack ?? ""}`, async () => {
    const before = children();
    const packed = pack(tool, ...parameters);
    let closed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* cut(packed, 1000);
      } finally {
        closed = true;
      }
    }
    for await (const chunk of decompress(source())) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(closed).toBe(true);
    expect(children()).toEqual(before);
  });

  test.skipIf(lack)(`a signal ends it while the source is stuck${lack ?? ""}`, async () => {
    const before = children();
    const packed = pack(tool, ...parameters);
    async function* stuck(): AsyncGenerator<Uint8Array> {
      yield packed.subarray(0, 5000);
      await new Promise(() => {});
    }
    const signal = AbortSignal.timeout(100);
    await expect(collect(decompress(stuck(), { signal }), 1e8)).rejects.toMatchObject({ code: "cancelled" });
    expect(children()).toEqual(before);
  });
});

describe("programs for rare formats", () => {
  const lack = lacking("xz");
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test.skipIf(lack)(`a missing one is asked for by name${lack ?? ""}`, async () => {
    const packed = pack("xz");
    vi.stubEnv("PATH", "/no/such/place");
    await expect(unpack(packed)).rejects.toMatchObject({
      code: "unsupported",
      message: "xz is not installed, which this archive needs",
    });
  });

  test.skipIf(lack)(`what unfolds to 300 MB costs no memory, and a limit stops it${lack ?? ""}`, async () => {
    const bomb = execFileSync("sh", ["-c", "head -c 300000000 /dev/zero | xz -0c"]);
    const before = process.memoryUsage().rss;
    const limits = { bytes: 290_000_000 };
    let size = 0;
    const reading = (async () => {
      for await (const chunk of decompress(cut(bomb, 65_536), { limits })) size += chunk.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: "too-large" });
    expect(size).toBeGreaterThan(280_000_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });
});
