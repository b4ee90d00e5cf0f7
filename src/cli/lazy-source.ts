import type { ByteSource } from "../io/byte-source.ts";

/** Bytes whose source has to be waited for; nothing happens before they are asked for. */
export async function* lazySource(open: () => Promise<ByteSource>): ByteSource {
  yield* await open();
}
