import { BLOCK, parseBlock } from "./block.ts";
import { isHeaderOnly } from "./header.ts";
import type { SplitFile } from "./split.ts";

/** The last block of all segments of a tar-split so far: the header of the entry whose file line comes. */
export class LastBlock {
  #bytes: Uint8Array = new Uint8Array(0);

  remember(segment: Uint8Array): void {
    if (segment.length >= BLOCK) this.#bytes = segment.subarray(segment.length - BLOCK);
    else if (segment.length > 0) this.#bytes = Buffer.concat([this.#bytes, segment]).subarray(-BLOCK);
  }

  /** Whether it is for the last block to say if there is a payload. */
  static matters({ crc }: SplitFile): boolean {
    return crc?.every((byte) => byte === 0) ?? false;
  }

  /** Some old tools gave links the size of their target: a line with that size, the CRC of nothing, and no file to read. */
  hasNoPayload(file: SplitFile): boolean {
    if (!LastBlock.matters(file) || this.#bytes.length < BLOCK) return false;
    const { buffer, byteOffset } = this.#bytes;
    const type = parseBlock(Buffer.from(buffer, byteOffset, BLOCK))?.header.type;
    return type !== undefined && (isHeaderOnly(type) || (type === "\0" && file.name.endsWith("/")));
  }
}
