import { Writable } from "node:stream";
import { type ByteSource, writeAll } from "../io/byte-source.ts";
import { writeFrame, writeHeader } from "../remote/frames.ts";

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

  /** A stream for bytes, of which each piece becomes a frame, without a copy. It closes with the answer. */
  bytes(): Writable {
    const output = this.#output;
    const stream = new Writable({
      highWaterMark: 0,
      write(bytes: Uint8Array, _, taken) {
        output.cork();
        output.write(writeHeader("bytes", bytes.length));
        output.write(bytes, taken);
        output.uncork();
      },
    });
    output.once("close", () => stream.destroy());
    return stream.on("error", () => {}); // who writes learns it from the write
  }

  async items(source: AsyncIterable<unknown>): Promise<void> {
    await writeAll(this.#output, framed(source));
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

async function* framed(items: AsyncIterable<unknown>): ByteSource {
  for await (const value of items) yield writeFrame({ kind: "item", value });
}
