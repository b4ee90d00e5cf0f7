/** Standard output and standard error, and what they are connected to. */
import type { WriteStream } from "node:tty";
import { type ByteSource, sourceOf, writeAll } from "../io/byte-source.ts";
import type { ProgressOutput } from "./ui/progress.ts";

/** The width of an old terminal, for one that does not tell. */
const COLUMNS = 80;

export class Output implements ProgressOutput {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Width in characters. */
  get columns(): number {
    return (this.#stream as Partial<WriteStream>).columns ?? COLUMNS;
  }

  /** Without waiting, for progress and warnings. */
  write(text: string): void {
    this.#stream.write(text);
  }

  /** For results: resolves when they were taken. @throws VarveError with the errno `EPIPE` when nobody reads them */
  async print(text: string | Uint8Array): Promise<void> {
    if (text.length > 0) await this.printAll(sourceOf(Buffer.from(text as string)));
  }

  /** @throws VarveError */
  async printAll(source: ByteSource): Promise<void> {
    await writeAll(this.#stream, source);
  }

  /** Lets somebody write who knows how, and has much to write. */
  async take(write: (stream: NodeJS.WriteStream) => Promise<unknown>): Promise<void> {
    const { enlargePipe } = await import("../sys/pipe.ts");
    enlargePipe((this.#stream as NodeJS.WriteStream & { readonly fd: number }).fd);
    await write(this.#stream);
  }
}

/** Text for a terminal: control characters, which could make it do things, become question marks. */
export function harmless(text: string | Uint8Array): string | Uint8Array {
  if (typeof text === "string") return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "?");
  const isControl = (byte: number): boolean => (byte < 0x20 && byte !== 0x09 && byte !== 0x0a) || byte === 0x7f;
  return text.map((byte) => (isControl(byte) ? QUESTION_MARK : byte));
}

const QUESTION_MARK = 0x3f;
