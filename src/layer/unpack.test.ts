import { describe, expect, test } from "vitest";
import { digestOf } from "../digest/digest.ts";
import type { DiffApplier } from "../driver/driver.ts";
import { abortable, type ByteSource } from "../io/byte-source.ts";
import type { EntrySink } from "../tar/disassemble.ts";
import { tarOf } from "../testing/tar-entries.ts";
import type { SplitSink } from "./metadata.ts";
import { unpack } from "./unpack.ts";

describe("unpacking", () => {
  const tar = tarOf([{ name: "a", content: "a".repeat(3000) }, { name: "b" }, { name: "c/" }]);

  /** Keeps what it is told. */
  class Tree implements EntrySink {
    readonly names: string[] = [];
    bytes = 0;
    entry({ name }: Parameters<EntrySink["entry"]>[0]): "tree" {
      this.names.push(name);
      return "tree";
    }
    data(bytes: Uint8Array): void {
      this.bytes += bytes.length;
    }
    hole(): void {}
    entryEnd(): void {}
  }

  const applierOf = (sink: EntrySink): DiffApplier => ({ sink, finish: async () => 0, abort: async () => {} });

  test("hashes every byte, and tells tree and tar-split of every entry", async () => {
    const tree = new Tree();
    const lines: string[] = [];
    const split: SplitSink = { full: false, write: (line) => void lines.push(line), drained: async () => {} };
    const totals: number[] = [];
    async function* pieces(): ByteSource {
      for (let at = 0; at < tar.length; at += 700) yield tar.subarray(at, at + 700);
      yield Buffer.alloc(0);
    }
    const diffID = await unpack(pieces(), { applier: applierOf(tree), split }, (total) => totals.push(total));
    expect(diffID).toBe(digestOf(tar));
    expect(tree).toMatchObject({ names: ["a", "b", "c/"], bytes: 3000 });
    expect(lines.filter((line) => line.startsWith('{"type":1,'))).toHaveLength(3);
    expect(totals.slice(-2)).toEqual([tar.length, tar.length]);
    expect(totals).toEqual([...totals].sort((a, b) => a - b));
  });

  test("takes no more of the stream, nor of one huge chunk, while the tar-split is full", async () => {
    const events: string[] = [];
    let full = false;
    const split: SplitSink = {
      get full() {
        return full;
      },
      write: () => {
        if (!full) events.push("full");
        full = true;
      },
      drained: async () => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        events.push("drained");
        full = false;
      },
    };
    async function* pieces(): ByteSource {
      events.push("first");
      yield tar.subarray(0, 5000);
      events.push("second");
      yield Buffer.concat([tar.subarray(5000), Buffer.alloc(3 << 20)]);
    }
    await unpack(pieces(), { applier: applierOf(new Tree()), split });
    expect(events.slice(0, 4)).toEqual(["first", "full", "drained", "second"]);
    expect(events.filter((event) => event === "drained").length).toBeGreaterThanOrEqual(4);
  });

  test("can be cancelled though its stream never waits", async () => {
    const split: SplitSink = { full: false, write() {}, drained: async () => {} };
    const abort = new AbortController();
    async function* endless(): ByteSource {
      setImmediate(() => abort.abort());
      const zeros = Buffer.alloc(64 << 10);
      for (let at = 0; at < 1000; at++) yield zeros;
    }
    const stream = abortable(endless(), abort.signal);
    await expect(unpack(stream, { applier: applierOf(new Tree()), split })).rejects.toMatchObject({
      code: "cancelled",
    });
  });
});
