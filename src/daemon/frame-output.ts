import type { Writable } from "node:stream";
import { type ByteSource, writeAll } from "../io/byte-source.ts";
import { writeFrame } from "../remote/frames.ts";

/**
 * Where an answer in frames is written. A client that reads slowly slows the bytes and items that it gets; of progress it
 * then misses what is overtaken, and gets the last.
 */
export class FrameOutput {
  readonly #output: Writable;
  /** The latest of each thing's progress, for which there was no room. */
  readonly #late = new Map<string, Buffer>();

  constructor(output: Writable) {
    this.#output = output;
  }

  /** Tells what a listener of the caller is to be told. */
  tell(listener: string, event: unknown): void {
    const frame = writeFrame({ kind: "told", name: listener, event });
    const thing = thingOf(event);
    if (thing !== undefined && this.#output.writableNeedDrain) {
      this.#late.set(`${listener} ${thing}`, frame);
      return;
    }
    if (thing === undefined) this.#catchUp();
    else this.#late.delete(`${listener} ${thing}`);
    this.#output.write(frame);
  }

  async bytes(source: ByteSource): Promise<void> {
    await writeAll(
      this.#output,
      framed(source, (bytes) => writeFrame({ kind: "bytes", bytes })),
    );
  }

  async items(source: AsyncIterable<unknown>): Promise<void> {
    await writeAll(
      this.#output,
      framed(source, (value) => writeFrame({ kind: "item", value })),
    );
  }

  result(value: unknown): void {
    this.#catchUp();
    this.#output.write(writeFrame({ kind: "result", value }));
  }

  #catchUp(): void {
    for (const frame of this.#late.values()) this.#output.write(frame);
    this.#late.clear();
  }
}

/** What an event is the progress of; nothing for one that says more than that. */
function thingOf(event: unknown): string | undefined {
  if (typeof event === "number") return "";
  const { kind, label } = (event ?? {}) as { readonly kind?: unknown; readonly label?: unknown };
  return kind === "layer" ? `${label}` : undefined;
}

async function* framed<Item>(source: AsyncIterable<Item>, write: (item: Item) => Buffer): ByteSource {
  for await (const item of source) yield write(item);
}
