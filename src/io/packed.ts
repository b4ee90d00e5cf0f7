/**
 * Values in a row, without names and without padding, for files that only this version of Varve reads. Whoever unpacks
 * asks for what was packed, in the same order; bytes that do not hold it are a `RangeError`, which costs as little as
 * the bytes that there are, whatever lengths stand in them.
 *
 * @example new Unpacker(new Packer().text("a").number(1).finish()).text() // "a"
 */
export class Packer {
  #bytes: Buffer = Buffer.allocUnsafe(1 << 16);
  #length = 0;

  number(value: number): this {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
    return this;
  }

  count(value: number): this {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
    return this;
  }

  /** Any text, at three bytes a character at most. */
  text(value: string): this {
    this.#reserve(4 + 3 * value.length);
    const length = this.#bytes.write(value, this.#length + 4, "utf8");
    this.count(length);
    this.#length += length;
    return this;
  }

  /** Text of which no character is above U+00FF. */
  latin(value: string): this {
    this.#reserve(4 + value.length);
    this.count(value.length);
    this.#length += this.#bytes.write(value, this.#length, "latin1");
    return this;
  }

  /** The bytes so far, until more is packed. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + size));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

export class Unpacker {
  readonly #bytes: Buffer;
  /** A text that is cut out of a longer one is made in no time. */
  readonly #characters: string;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#characters = bytes.toString("latin1");
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** What has not been asked for yet. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  number(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  count(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  text(): string {
    const length = this.count();
    const start = this.#take(length);
    const characters = this.#characters.slice(start, start + length);
    return ASCII.test(characters) ? characters : this.#bytes.toString("utf8", start, start + length);
  }

  latin(): string {
    const length = this.count();
    const start = this.#take(length);
    return this.#characters.slice(start, start + length);
  }

  #take(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new RangeError("the packed bytes end here");
    this.#at = start + length;
    return start;
  }
}

const ASCII = /^[\x00-\x7f]*$/;
