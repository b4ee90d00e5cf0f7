import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChainID, DiffID } from "../digest/chain-id.ts";
import { digestOf } from "../digest/digest.ts";
import { fromText } from "../sys/byte-string.ts";
import { newHeader } from "../tar/header.ts";
import { END_OF_ARCHIVE, encodeHeader } from "../tar/writer.ts";
import { MemoryLayers } from "../testing/memory-layers.ts";
import { ImageTar } from "./image-tar.ts";

const TARS = [tarOf("a", 5), new Uint8Array(0), tarOf("b", 3000), tarOf("c", 0)];
const WHOLE = Buffer.concat(TARS);

describe("the tar of an image", () => {
  test("is its layers' tars one behind the other, of a size that is known before", async () => {
    const { layers, diffIDs } = stack();
    await using tar = await ImageTar.open(diffIDs, layers);
    expect(tar.size).toBe(WHOLE.length);
    expect(tar.parts.map(({ offset, size }) => [offset, size])).toEqual([
      [0, 2048],
      [2048, 0],
      [2048, 512 + 3072 + 1024],
      [2048 + 4608, 1536],
    ]);
    expect(tar.parts.map(({ diffID }) => diffID)).toEqual(diffIDs);
    expect([...layers.reads]).toEqual([]);
    expect(await collect(tar.stream())).toEqual(WHOLE);
  });

  test("streams from anywhere, without reading the layers before", async () => {
    const { layers, diffIDs, chains } = stack();
    await using tar = await ImageTar.open(diffIDs, layers);
    await fc.assert(
      fc.asyncProperty(fc.nat(WHOLE.length), async (offset) => {
        expect(await collect(tar.stream(offset))).toEqual(WHOLE.subarray(offset));
      }),
      { numRuns: 30 },
    );
    layers.reads.clear();
    await collect(tar.stream(2048));
    expect([...layers.reads.keys()]).toEqual([chains[2], chains[3]]);
  });

  test("reads any pieces in any order, also at once", async () => {
    const { layers, diffIDs } = stack();
    await using tar = await ImageTar.open(diffIDs, layers);
    const pieces = fc.array(fc.tuple(fc.nat(WHOLE.length), fc.nat(4000)), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(pieces, async (wanted) => {
        const read = await Promise.all(wanted.map(([offset, length]) => tar.read(offset, length)));
        expect(read).toEqual(wanted.map(([offset, length]) => WHOLE.subarray(offset, offset + length)));
      }),
      { numRuns: 30 },
    );
  });

  test("read from front to end reads each layer once, and on the way to another none", async () => {
    const { layers, diffIDs, chains } = stack();
    await using tar = await ImageTar.open(diffIDs, layers);
    const pieces: Buffer[] = [];
    for (let at = 0; at < tar.size; at += 333) pieces.push(await tar.read(at, 333));
    expect(Buffer.concat(pieces)).toEqual(WHOLE);
    expect([...layers.reads.values()]).toEqual([1, 1, 1, 1]);
    layers.reads.clear();
    await tar.read(0, 1);
    await tar.read(1000, 1);
    await tar.read(tar.size - 1, 1);
    expect([...layers.reads]).toEqual([
      [chains[0], 1],
      [chains[3], 1],
    ]);
  });

  test("holds its layers, and gives them back once", async () => {
    const { layers, diffIDs, chains } = stack();
    const before = chains.map((chain) => layers.references(chain));
    const tar = await ImageTar.open(diffIDs, layers);
    await tar.read(10, 1);
    expect(chains.map((chain) => layers.references(chain))).toEqual(before.map((count) => count + 1));
    await tar[Symbol.asyncDispose]();
    await tar[Symbol.asyncDispose]();
    expect(chains.map((chain) => layers.references(chain))).toEqual(before);
    await expect(tar.read(0, 1)).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(collect(tar.stream())).rejects.toMatchObject({ code: "invalid-argument" });
  });

  test("gives layers back when one is missing", async () => {
    const { layers, diffIDs, chains } = stack();
    const before = chains.map((chain) => layers.references(chain));
    await expect(ImageTar.open([...diffIDs, digestOf("x")], layers)).rejects.toMatchObject({ code: "not-found" });
    expect(chains.map((chain) => layers.references(chain))).toEqual(before);
  });

  test("learns each length once when told where to keep it", async () => {
    const { layers, diffIDs } = stack();
    const lengths = new Map<DiffID, number>();
    for (let i = 0; i < 2; i++) await (await ImageTar.open(diffIDs, layers, lengths))[Symbol.asyncDispose]();
    expect(layers.splitReads).toBe(4);
  });

  test("refuses offsets outside, and a layer of another length", async () => {
    const { layers, diffIDs, chains } = stack();
    await using tar = await ImageTar.open(diffIDs, layers);
    for (const offset of [-1, tar.size + 1, 0.5, Number.NaN])
      await expect(tar.read(offset, 1)).rejects.toMatchObject({ code: "invalid-argument" });
    expect(await tar.read(tar.size, 9)).toHaveLength(0);
    layers.tamper(chains[2]!, tarOf("b", 3));
    await expect(collect(tar.stream())).rejects.toMatchObject({ code: "corrupt" });
    await expect(tar.read(tar.size - 9, 9)).resolves.toHaveLength(9);
    await expect(tar.read(2048, 3000)).rejects.toMatchObject({ code: "corrupt" });
    await expect(tar.read(2048 + 2048, 9)).rejects.toMatchObject({ code: "corrupt" });
    await expect(tar.read(0, 10)).resolves.toEqual(WHOLE.subarray(0, 10));
  });
});

function stack(): { layers: MemoryLayers; diffIDs: DiffID[]; chains: ChainID[] } {
  const layers = new MemoryLayers();
  const chains: ChainID[] = [];
  for (const tar of TARS) chains.push(layers.add(tar, chains.at(-1)));
  layers.get(chains.at(-1)!);
  return { layers, chains, diffIDs: TARS.map((tar) => digestOf(tar)) };
}

function tarOf(name: string, size: number): Buffer {
  const padded = Buffer.alloc(Math.ceil(size / 512) * 512, name);
  return Buffer.concat([encodeHeader(newHeader({ name: fromText(name), size })), padded.fill(0, size), END_OF_ARCHIVE]);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
