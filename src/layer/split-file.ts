import { once } from "node:events";
import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, type Gzip } from "node:zlib";
import { asVarveError } from "../errors.ts";
import type { SplitSink } from "./metadata.ts";

/**
 * `tar-split.json.gz` while it is written (FORMATS 9.1). Lines are gathered to windows and compressed in the thread
 * pool, beside the hashing and unpacking of the layer; what waits there is bounded as long as the writer waits for
 * `drained` when it is `full`. Nothing hashes the compressed bytes, so the level is the fastest.
 */
export class SplitFile implements SplitSink {
  readonly #gzip: Gzip;
  readonly #stored: Promise<void>;
  #window: string[] = [];
  #length = 0;

  /** @param fd stays open, and is the caller's to sync and close */
  constructor(fd: number) {
    this.#gzip = createGzip({ level: 1, chunkSize: WINDOW, writableHighWaterMark: 4 * WINDOW } as object);
    this.#stored = pipeline(this.#gzip, writerTo(fd));
    this.#stored.catch(() => {}); // told by `drained` and `end`
  }

  write(line: string): void {
    this.#window.push(line);
    this.#length += line.length;
    if (this.#length >= WINDOW) this.#flush();
  }

  get full(): boolean {
    return this.#gzip.writableNeedDrain || this.#gzip.destroyed;
  }

  async drained(): Promise<void> {
    try {
      if (this.#gzip.writableNeedDrain) await Promise.race([once(this.#gzip, "drain"), this.#stored]);
      if (this.#gzip.destroyed) await this.#stored;
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /** After the last line. When it returns, all bytes were written to the descriptor. */
  async end(): Promise<void> {
    try {
      this.#flush();
      this.#gzip.end();
      await this.#stored;
    } catch (error) {
      throw asVarveError(error);
    }
  }

  /** Stops in the middle. When it returns, nothing writes to the descriptor any more. */
  async abort(): Promise<void> {
    this.#gzip.destroy();
    await this.#stored.catch(() => {}); // the premature end that was asked for
  }

  #flush(): void {
    if (this.#length === 0) return;
    this.#gzip.write(this.#window.join(""));
    this.#window = [];
    this.#length = 0;
  }
}

const WINDOW = 256 << 10;

/** Writes at once, so that nothing is under way to the descriptor when the stream is destroyed. */
function writerTo(fd: number): Writable {
  return new Writable({
    write(bytes: Buffer, _encoding, done) {
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}
