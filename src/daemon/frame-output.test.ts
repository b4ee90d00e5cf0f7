import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { type Frame, readFrames } from "../remote/frames.ts";
import { FrameOutput } from "./frame-output.ts";

/** A client that reads when it is told to. */
class SlowClient extends Writable {
  readonly chunks: Buffer[] = [];
  #release: () => void = () => {};

  constructor() {
    super({ highWaterMark: 10 });
  }

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    this.#release = done;
  }

  async read(): Promise<void> {
    for (let before = -1; before < this.chunks.length; ) {
      before = this.chunks.length;
      this.#release();
      await new Promise(setImmediate);
    }
  }

  async frames(): Promise<Frame[]> {
    const { chunks } = this;
    const frames: Frame[] = [];
    const source = async function* (): AsyncGenerator<Buffer> {
      yield* chunks;
    };
    for await (const frame of readFrames(source())) frames.push(frame);
    return frames;
  }
}

const layer = (label: string, current: number): object => ({ kind: "layer", label, current, total: 1000 });

test("a slow client misses progress that is overtaken, and gets the last of each thing and all else", async () => {
  const client = new SlowClient();
  const output = new FrameOutput(client);
  for (let current = 1; current <= 1000; current++) {
    output.tell("onEvent", layer("a", current));
    output.tell("onEvent", layer("b", current));
    output.tell("onBytes", current);
  }
  output.tell("onEvent", { kind: "image", id: "x" });
  output.result("done");
  await client.read();
  expect(await client.frames()).toEqual([
    { kind: "told", name: "onEvent", event: layer("a", 1) },
    { kind: "told", name: "onEvent", event: layer("b", 1000) },
    { kind: "told", name: "onBytes", event: 1000 },
    { kind: "told", name: "onEvent", event: layer("a", 1000) },
    { kind: "told", name: "onEvent", event: { kind: "image", id: "x" } },
    { kind: "result", value: "done" },
  ]);
});

test("bytes wait for the client, and end when it goes", async () => {
  const client = new SlowClient();
  const bytes = new FrameOutput(client).bytes();
  let taken = 0;
  const write = (): boolean => bytes.write(Buffer.alloc(100), () => taken++);
  expect(write()).toBe(false);
  await new Promise(setImmediate);
  expect(taken).toBe(0);
  client.destroy();
  await new Promise(setImmediate);
  expect(bytes.destroyed).toBe(true);
});
