import { VarveError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const RLE_BLOCK = 1;

/**
 * Cuts a zstd stream where its frames and blocks begin (RFC 8878), and passes on every byte. A block holds 128 KiB at
 * most, so a decoder that is fed one piece at a time cannot run away with memory; and where a stream may end is known
 * here, whatever a decoder thinks of a frame that stops in the middle or of a second frame after the first.
 *
 * @throws VarveError `invalid-archive` for an end inside a frame, or for anything but a frame after a frame
 */
export async function* zstdPieces(source: ByteSource): AsyncGenerator<Uint8Array> {
  const scanner = new FrameScanner();
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const next = at + scanner.advance(chunk, at);
      yield chunk.subarray(at, next);
      at = next;
    }
  }
  if (!scanner.betweenFrames) throw new VarveError("invalid-archive", "zstd: unexpected EOF");
}

/** Where in the stream we are: collecting a header of a known length, or passing over bytes that are not looked at. */
class FrameScanner {
  #state: "magic" | "skippable" | "descriptor" | "header" | "block" = "magic";
  #header: number[] = [];
  #wanted = 4;
  /** Bytes to pass over before the next header. */
  #pass = 0;
  #checksum = false;

  get betweenFrames(): boolean {
    return this.#state === "magic" && this.#header.length === 0 && this.#pass === 0;
  }

  /** How many bytes from `at` on belong to one piece. */
  advance(chunk: Uint8Array, at: number): number {
    let end = at;
    while (end < chunk.length) {
      if (this.#pass > 0) {
        const passed = Math.min(this.#pass, chunk.length - end);
        this.#pass -= passed;
        return end + passed - at;
      }
      this.#header.push(chunk[end++] as number);
      if (this.#header.length === this.#wanted) this.#headerDone();
      if (this.betweenFrames) break;
    }
    return end - at;
  }

  #headerDone(): void {
    const value = this.#header.reduceRight((sum, byte) => sum * 256 + byte, 0);
    this.#header = [];
    if (this.#state === "magic") {
      if (value === FRAME_MAGIC) this.#expect("descriptor", 1);
      else if (value >= SKIPPABLE_MAGIC && value < SKIPPABLE_MAGIC + 16) this.#expect("skippable", 4);
      else throw new VarveError("invalid-archive", "zstd: magic number mismatch");
    } else if (this.#state === "skippable") {
      this.#pass = value;
      this.#expect("magic", 4);
    } else if (this.#state === "descriptor") {
      this.#checksum = (value & 0x04) !== 0;
      this.#expect("header", headerRest(value));
    } else if (this.#state === "header") this.#expect("block", 3);
    else {
      const type = (value >> 1) & 3;
      this.#pass = type === RLE_BLOCK ? 1 : value >> 3;
      if ((value & 1) === 0) return;
      if (this.#checksum) this.#pass += 4;
      this.#expect("magic", 4);
    }
  }

  #expect(state: "magic" | "skippable" | "descriptor" | "header" | "block", length: number): void {
    this.#state = state;
    this.#wanted = length;
  }
}

/** The bytes of a frame header after its descriptor: window, dictionary id, content size. */
function headerRest(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] as number;
  const contentSize = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  return (single ? 0 : 1) + dictionary + contentSize;
}
