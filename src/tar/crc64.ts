/**
 * CRC-64/GO-ISO, the checksum of file contents in a tar-split (FORMATS 9.1). Its polynomial x^64 + x^4 + x^3 + x + 1 is so
 * sparse that no table is needed: to shift the remainder by 64 bits is to multiply it by x^4 + x^3 + x + 1, three
 * shifts by 1, 3 and 4 bits. In the reflected order a shift goes to the right, and the bits that fall out, which stand for
 * x^64 and more, are folded in at the top. About 2 GB/s.
 *
 * @example
 * const crc = new Crc64();
 * crc.update(Buffer.from("hello\n"));
 * crc.digest().toString("hex"); // "614c3eeee2d81000"
 */
export class Crc64 {
  /** The halves of the remainder, inverted. */
  #low = -1;
  #high = -1;

  update(bytes: Uint8Array): void {
    let low = this.#low;
    let high = this.#high;
    let at = 0;
    if (bytes.length >= 16) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (const end = bytes.length - 7; at < end; at += 8) {
        const l = low ^ view.getInt32(at, true);
        const h = high ^ view.getInt32(at + 4, true) ^ (l << 31) ^ (l << 29) ^ (l << 28);
        low = l ^ ((l >>> 1) | (h << 31)) ^ ((l >>> 3) | (h << 29)) ^ ((l >>> 4) | (h << 28));
        high = h ^ (h >>> 1) ^ (h >>> 3) ^ (h >>> 4);
      }
    }
    for (; at < bytes.length; at++) {
      const top = (low ^ bytes[at]!) << 24;
      low = (low >>> 8) | (high << 24);
      high = (high >>> 8) ^ top ^ (top >>> 1) ^ (top >>> 3) ^ (top >>> 4);
    }
    this.#low = low;
    this.#high = high;
  }

  /** The eight bytes of the checksum, big-endian. `update` may go on. */
  digest(): Buffer {
    const sum = Buffer.allocUnsafe(8);
    sum.writeInt32BE(~this.#high, 0);
    sum.writeInt32BE(~this.#low, 4);
    return sum;
  }

  /** Starts anew. */
  reset(): void {
    this.#low = -1;
    this.#high = -1;
  }
}
