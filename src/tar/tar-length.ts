import { readSplit } from "./assemble.ts";
import { LastBlock } from "./last-block.ts";

/**
 * How many bytes the tar has that a `tar-split.json.gz` stands for, without reading a file: what lies in segments, and
 * the payloads between them, by the rules by which `assemble` puts them together.
 *
 * @throws VarveError `corrupt`
 */
export async function tarLength(source: AsyncIterable<Uint8Array>): Promise<number> {
  const lastBlock = new LastBlock();
  let length = 0;
  for await (const batch of readSplit(source))
    for (const entry of batch) {
      if (entry.kind === "segment") {
        length += entry.bytes.length;
        lastBlock.remember(entry.bytes);
      } else if (entry.size > 0 && !lastBlock.hasNoPayload(entry)) length += entry.size;
    }
  return length;
}
