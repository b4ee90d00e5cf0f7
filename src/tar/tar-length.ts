import { unpackSplit } from "./assemble.ts";
import { BLOCK } from "./block.ts";
import { LastBlock } from "./last-block.ts";
import { plainSegmentLength, type SplitFile, SplitLines, splitEntryOf } from "./split.ts";

/**
 * How many bytes the tar has that a `tar-split.json.gz` stands for, without reading a file: what lies in segments, and
 * the payloads between them, by the rules by which `assemble` puts them together. Segments are counted undecoded.
 *
 * @throws VarveError `corrupt`
 */
export async function tarLength(source: AsyncIterable<Uint8Array>): Promise<number> {
  const meter = new Meter();
  const lines = new SplitLines((line) => meter.add(line));
  for await (const chunk of unpackSplit(source)) lines.write(chunk);
  lines.end();
  return meter.length;
}

class Meter {
  length = 0;
  /** Lines of the last segments, which have a block together if all have. */
  #recent: Buffer[] = [];

  add(line: Buffer): void {
    const plain = plainSegmentLength(line);
    if (plain !== undefined) {
      this.#addSegment(line, plain);
      return;
    }
    const entry = splitEntryOf(line);
    if (entry?.kind === "segment") this.#addSegment(line, entry.bytes.length);
    else if (entry !== undefined && entry.size > 0 && !this.#hasNoPayload(entry)) this.length += entry.size;
  }

  #addSegment(line: Buffer, length: number): void {
    this.length += length;
    if (length >= BLOCK) this.#recent = [line];
    else if (length > 0) this.#recent = [...this.#recent.slice(1 - BLOCK), line];
  }

  #hasNoPayload(file: SplitFile): boolean {
    if (!LastBlock.matters(file)) return false;
    const lastBlock = new LastBlock();
    for (const line of this.#recent) {
      const entry = splitEntryOf(line);
      if (entry?.kind === "segment") lastBlock.remember(entry.bytes);
    }
    return lastBlock.hasNoPayload(file);
  }
}
