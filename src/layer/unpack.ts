import { setImmediate } from "node:timers/promises";
import type { DiffID } from "../digest/chain-id.ts";
import { Digester } from "../digest/digest.ts";
import type { DiffApplier } from "../driver/driver.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { Disassembler } from "../tar/disassemble.ts";
import type { SplitSink } from "./metadata.ts";

export interface UnpackTarget {
  readonly applier: DiffApplier;
  readonly split: SplitSink;
}

/**
 * One pass over a layer's uncompressed tar: every byte is hashed, taken apart for the tar-split, and what is a file goes
 * into the tree. Memory stays bounded by the window, whatever the layer's size: the stream is not asked for more while
 * the tar-split has not been stored so far.
 *
 * @returns the DiffID, of all bytes up to the end of the stream; nothing is finished or aborted here
 */
export async function unpack(
  stream: ByteSource,
  into: UnpackTarget,
  onBytes?: (total: number) => void,
): Promise<DiffID> {
  const digester = new Digester();
  await takeApart(stream, into, onBytes, (window) => digester.update(window));
  return digester.digest();
}

/** As `unpack`, for when the DiffID comes from elsewhere. @param alsoTo gets every byte */
export async function takeApart(
  stream: ByteSource,
  { applier, split }: UnpackTarget,
  onBytes?: (total: number) => void,
  alsoTo?: (window: Uint8Array) => void,
): Promise<void> {
  const disassembler = new Disassembler({ line: (text) => split.write(text), tree: applier.sink });
  let total = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; at += WINDOW) {
      const window = chunk.subarray(at, at + WINDOW);
      alsoTo?.(window);
      disassembler.write(window);
      if (split.full) await split.drained();
    }
    total += chunk.length;
    onBytes?.(total);
    // A stream that never waits, as that of a container's changes, would keep everybody else from their turn until its end.
    if (total % BREATH < chunk.length) await setImmediate();
  }
  disassembler.end();
}

const WINDOW = 1 << 20;

/** Bytes after which the event loop gets its turn. */
const BREATH = 4 << 20;
