import { VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { readValue, writeValue } from "./value.ts";

/** A piece of an answer. One with a `result` is the last. */
export type Frame =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "item"; readonly value: unknown }
  /** What the function that was given under a name is told. */
  | { readonly kind: "told"; readonly name: string; readonly event: unknown }
  | Result;

interface Result {
  readonly kind: "result";
  readonly value: unknown;
}

/** A letter, and the length of what follows in four bytes. */
const HEADER = 5;
const LETTERS = { bytes: "b", item: "i", told: "t", result: "r", failure: "f" } as const;
type Kind = keyof typeof LETTERS;

/** No document of a store is longer. */
const DOCUMENT_LIMIT = 256 * 1024 * 1024;

export function writeFrame(frame: Frame): Buffer {
  switch (frame.kind) {
    case "bytes":
      return pack("bytes", frame.bytes);
    case "told":
      return pack("told", Buffer.from(writeValue([frame.name, frame.event])));
    default:
      return pack(frame.kind, Buffer.from(writeValue(frame.value)));
  }
}

/** The last frame of an answer that has failed. */
export function writeFailure(error: VarveError): Buffer {
  return pack("failure", Buffer.from(writeValue(error)));
}

/** The head of a frame, after which its content is to follow at once. */
export function writeHeader(kind: Kind, length: number): Buffer {
  const header = Buffer.alloc(HEADER);
  header.write(LETTERS[kind], "latin1");
  header.writeUInt32BE(length, 1);
  return header;
}

function pack(kind: Kind, content: Uint8Array): Buffer {
  return Buffer.concat([writeHeader(kind, content.length), content]);
}

/**
 * Reads an answer up to its end. Bytes come in whatever pieces they came.
 *
 * @throws VarveError the one that the answer ends with; `unavailable` when it was cut off, `unsupported` when it is no answer
 */
export async function* readFrames(source: ByteSource): AsyncGenerator<Frame> {
  const reader = new FrameReader();
  // What comes behind it would belie it.
  let end: End | undefined;
  for await (const chunk of source)
    for (const frame of reader.read(chunk)) {
      if (end !== undefined) throw notUnderstood();
      if (frame.kind === "result" || frame.kind === "failure") end = frame;
      else yield frame;
    }
  if (end === undefined) throw new VarveError("unavailable", "the answer was cut off");
  if (end.kind === "failure") throw end.value instanceof VarveError ? end.value : notUnderstood();
  yield end;
}

type End = Result | { readonly kind: "failure"; readonly value: unknown };

class FrameReader {
  #header: Buffer = Buffer.alloc(0);
  #parts: Uint8Array[] = [];
  /** How much of the frame is still to come. */
  #left = 0;

  *read(chunk: Uint8Array): Generator<Frame | End> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#header.length < HEADER) rest = this.#readHeader(rest);
      if (this.#header.length < HEADER) return;
      const part = rest.subarray(0, this.#left);
      rest = rest.subarray(part.length);
      this.#left -= part.length;
      if (this.#kind === "bytes") {
        if (part.length > 0) yield { kind: "bytes", bytes: part };
      } else this.#parts.push(part);
      if (this.#left > 0) return;
      if (this.#kind !== "bytes") yield this.#document();
      this.#header = Buffer.alloc(0);
    }
  }

  get #kind(): Kind {
    const letter = String.fromCharCode(this.#header[0]!);
    const kind = (Object.keys(LETTERS) as Kind[]).find((name) => LETTERS[name] === letter);
    if (kind === undefined) throw notUnderstood();
    return kind;
  }

  #readHeader(chunk: Uint8Array): Uint8Array {
    const part = chunk.subarray(0, HEADER - this.#header.length);
    this.#header = Buffer.concat([this.#header, part]);
    if (this.#header.length === HEADER) {
      this.#left = this.#header.readUInt32BE(1);
      if (this.#kind !== "bytes" && this.#left > DOCUMENT_LIMIT) throw notUnderstood();
    }
    return chunk.subarray(part.length);
  }

  #document(): Frame | End {
    const kind = this.#kind as Exclude<Kind, "bytes">;
    const value = documentOf(Buffer.concat(this.#parts));
    this.#parts = [];
    if (kind !== "told") return { kind, value };
    if (!Array.isArray(value) || typeof value[0] !== "string") throw notUnderstood();
    return { kind, name: value[0], event: value[1] };
  }
}

function documentOf(text: Buffer): unknown {
  try {
    return readValue(text.toString());
  } catch (error) {
    throw notUnderstood(error);
  }
}

function notUnderstood(cause?: unknown): VarveError {
  return new VarveError("unsupported", "the answer is none that this version of varve understands", {}, cause);
}
