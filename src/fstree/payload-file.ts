import { ftruncateSync, writeSync } from "node:fs";

/**
 * A file that is being filled from a tar. What is zeros for a long way becomes a hole, so that neither a sparse file nor a
 * bomb of compressed zeros takes the room that it claims.
 */
export class PayloadFile {
  readonly fd: number;
  /** Where the next byte goes. */
  #position: number;
  /** Where the last written byte ends; between there and the position are zeros. */
  #end: number;

  constructor(fd: number, position = 0) {
    this.fd = fd;
    this.#position = position;
    this.#end = position;
  }

  get position(): number {
    return this.#position;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || isZero(bytes)) {
      this.#position += bytes.length;
      return;
    }
    const zeros = this.#position - this.#end;
    if (zeros < MIN_HOLE) this.#write(ZEROS.subarray(0, zeros));
    this.#end = this.#position;
    this.#write(bytes);
    this.#position = this.#end;
  }

  skip(length: number): void {
    this.#position += length;
  }

  /** Gives the file its full length. */
  end(): void {
    if (this.#position > this.#end) ftruncateSync(this.fd, this.#position);
  }

  #write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const written = writeSync(this.fd, bytes, done, bytes.length - done, this.#end);
      done += written;
      this.#end += written;
    }
  }
}

const MIN_HOLE = 32 * 1024;
const ZEROS = Buffer.alloc(MIN_HOLE);

function isZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0 || bytes[bytes.length - 1] !== 0) return false;
  for (let at = 0; at < bytes.length; at += MIN_HOLE) {
    const part = bytes.subarray(at, at + MIN_HOLE);
    if (Buffer.compare(part, part.length === MIN_HOLE ? ZEROS : ZEROS.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}
