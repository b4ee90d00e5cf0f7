import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { fromCallback } from "./callback-stream.ts";

async function collect<Item>(source: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of source) items.push(item);
  return items;
}

describe("a callback as a stream", () => {
  test("gives every item in order, however they come", async () => {
    const source = fromCallback<number>(async (emit) => {
      emit(1);
      emit(2);
      await sleep(5);
      emit(3);
    });
    expect(await collect(source)).toEqual([1, 2, 3]);
  });

  test("fails after the items that came before the failure", async () => {
    const items: number[] = [];
    const source = fromCallback<number>(async (emit) => {
      emit(1);
      await sleep(1);
      emit(2);
      throw new Error("broken");
    });
    await expect(
      (async () => {
        for await (const item of source) items.push(item);
      })(),
    ).rejects.toThrow("broken");
    expect(items).toEqual([1, 2]);
  });

  test("waits for the operation when the reader stops early", async () => {
    let ended = false;
    const source = fromCallback<number>(async (emit) => {
      emit(1);
      await sleep(20);
      ended = true;
    });
    for await (const _ of source) break;
    expect(ended).toBe(true);
  });
});
