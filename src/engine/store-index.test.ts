import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ChainID } from "../digest/chain-id.ts";
import { digestOf } from "../digest/digest.ts";
import { stampOf } from "../io/stamp.ts";
import { FileLock } from "../sys/lock.ts";
import { formatIndex, parseIndex, StoreIndex } from "./store-index.ts";

let directory: string;
let path: string;
let stamp: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-store-index-"));
  path = join(directory, "index");
  writeFileSync(join(directory, "file"), "");
  stamp = stampOf(directory, ["file"])!;
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 }); // what was written just now has settled
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

const ids = Array.from({ length: 150 }, (_, i): ChainID => digestOf(`${i}`));
const time = { seconds: -1, nanoseconds: 999_999_999, offset: -3600 };

function filled(): StoreIndex {
  const index = StoreIndex.open(path);
  for (const [i, id] of ids.entries()) {
    const parent = i === 0 ? undefined : ids[i - 1];
    index.layers.note(id, stamp, {
      diffID: id,
      size: 2 ** 40 + i,
      cacheID: `tree ${i} ä`,
      parent,
      descriptor: undefined,
    });
    const labels = i % 3 === 0 ? null : new Map(Array.from({ length: i % 5 }, (_, n) => [`${n}`, "🐳"]));
    const outline = {
      id,
      chainID: i % 7 === 0 ? undefined : id,
      created: time,
      os: "linux",
      hasConfig: i % 2 === 0,
      labels,
    };
    index.images.note(id, stamp, { outline: { ...outline, labels: outline.hasConfig ? labels : null }, parent });
  }
  return index;
}

function expectSame(index: Pick<StoreIndex, "layers" | "images">, other: StoreIndex): void {
  for (const id of ids) {
    // Of the one it is what was noted, of the other what was read.
    expect(index.layers.recall(id, stamp)).toEqual(other.layers.recall(id, stamp));
    expect(index.images.recall(id, stamp)).toEqual(other.images.recall(id, stamp));
  }
}

describe("an index of a root", () => {
  test("comes back from its file as it was", () => {
    const before = filled();
    expect(before.isStale).toBe(true);
    before.save();
    const after = StoreIndex.open(path);
    expect(after.layers.recall(ids[1]!, stamp)).toEqual({
      diffID: ids[1],
      size: 2 ** 40 + 1,
      cacheID: "tree 1 ä",
      parent: ids[0],
      descriptor: undefined,
    });
    expect(after.images.recall(ids[4]!, stamp)).toEqual({
      outline: {
        id: ids[4],
        chainID: ids[4],
        created: time,
        os: "linux",
        hasConfig: true,
        labels: new Map(["0", "1", "2", "3"].map((name) => [name, "🐳"])),
      },
      parent: ids[3],
    });
    after.save();
    expectSame(parseIndex(readFileSync(path)), StoreIndex.open(path));
  });

  test("is worth writing only if much has changed", () => {
    filled().save();
    const index = StoreIndex.open(path);
    for (const id of ids) {
      index.layers.recall(id, stamp);
      index.images.recall(id, stamp);
    }
    expect(index.isStale).toBe(false);
    index.layers.note(digestOf("new"), stamp, { ...index.layers.recall(ids[0]!, stamp)! });
    expect(index.isStale).toBe(false);
    expect(StoreIndex.open(path).isStale).toBe(true);
  });

  test("is empty when its bytes are anything else, or some of them are", () => {
    filled().save();
    const bytes = readFileSync(path);
    const isEmpty = (damaged: Buffer): void => {
      expect(ids.filter((id) => parseIndex(damaged).layers.recall(id, stamp) !== undefined)).toEqual([]);
    };
    isEmpty(Buffer.alloc(0));
    isEmpty(Buffer.concat([bytes, Buffer.alloc(1)]));
    fc.assert(fc.property(fc.nat(bytes.length - 1), (length) => isEmpty(bytes.subarray(0, length))));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= flip;
        isEmpty(damaged);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (any) => isEmpty(Buffer.from(any))));
  });

  test("is an index or empty even where the checksum of nonsense is right", () => {
    const head = formatIndex(parseIndex(undefined)).length - 8;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (any) => {
        const bytes = Buffer.concat([formatIndex(parseIndex(undefined)).subarray(0, head), any]);
        bytes.writeUInt32LE(crc32(any), head - 4);
        parseIndex(bytes);
      }),
    );
  });

  test("is written over the draft of a process that died", () => {
    writeFileSync(`${path}.new`, "half of an index, longer than".repeat(100_000));
    filled().save();
    expectSame(parseIndex(readFileSync(path)), StoreIndex.open(path));
    expect(readdirSync(directory).sort()).toEqual(["file", "index"]);
  });

  test("is left to the process that is writing it", () => {
    filled().save();
    const before = readFileSync(path);
    utimesSync(path, 0, 0);
    const lock = FileLock.tryAcquire(`${path}.new`, "exclusive")!;
    filled().save();
    lock.release();
    expect(readFileSync(path)).toEqual(before);
    expect(existsSync(`${path}.new`)).toBe(true);
    filled().save();
    expect(readdirSync(directory).sort()).toEqual(["file", "index"]);
  });

  test("that cannot be written leaves nothing behind", () => {
    const index = filled();
    mkdirSync(path);
    expect(StoreIndex.open(path).isStale).toBe(false);
    expect(() => index.save()).toThrow(expect.objectContaining({ code: "EISDIR" }));
    expect(readdirSync(directory).sort()).toEqual(["file", "index"]);
  });
});
