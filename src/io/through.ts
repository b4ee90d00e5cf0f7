import type { Readable, Writable } from "node:stream";
import { type ByteSource, throwIfCancelled } from "./byte-source.ts";

/** What takes bytes at one end and gives others at its other end: a zlib stream, a child process. */
export interface Converter {
  readonly input: Writable;
  /** The same object as `input` where a stream is both. */
  readonly output: Readable;
  /** Looks at a chunk that the converter is done with, and throws if it should have made more of it. */
  taken?(chunk: Uint8Array): void;
  /** Waits until the converter is through after its last byte, and throws if that was not meant to be the last. */
  finished?(): Promise<void>;
  /** The error that callers see instead of what a stream reported. */
  explain(error: Error): Error | Promise<Error>;
  /** Frees everything, wherever the conversion stands. */
  destroy(): void | Promise<void>;
}

/**
 * Runs a source through a converter. A chunk is asked for when the one before has been taken whole, and output is made
 * about one buffer ahead of its reader, so that memory is bounded on both sides. While the caller holds a chunk nothing
 * is pending, and a `return` closes the source and the converter at once.
 */
export async function* through(
  source: ByteSource,
  converter: Converter,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const { input, output } = converter;
  let ended = false;
  let failure: Error | undefined;
  let wake = (): void => {};
  const fail = (error: Error): void => {
    failure ??= error;
    wake();
  };
  output.on("readable", () => wake());
  output.on("end", () => {
    ended = true;
    wake();
  });
  output.on("close", () => ended || fail(new Error("closed before the end")));
  for (const stream of new Set([input, output])) stream.on("error", fail);
  const abort = (): void => wake();
  signal?.addEventListener("abort", abort);

  /** Gives what comes out until something has happened. */
  async function* outputUntil(happened: () => boolean): AsyncGenerator<Uint8Array> {
    for (;;) {
      throwIfCancelled(signal);
      const bytes: Uint8Array | null = output.read();
      if (bytes !== null) yield bytes;
      else if (failure !== undefined) throw await converter.explain(failure);
      else if (happened()) return;
      // Events come only while we wait, so none can slip in before the next line.
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  try {
    for await (const chunk of source) {
      let taken = false;
      input.write(chunk, (error) => {
        taken = true;
        if (error) fail(error);
        wake();
      });
      yield* outputUntil(() => taken);
      converter.taken?.(chunk);
    }
    input.end();
    yield* outputUntil(() => ended);
    await converter.finished?.();
  } finally {
    signal?.removeEventListener("abort", abort);
    await converter.destroy();
  }
}
