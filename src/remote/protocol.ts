import { VarveError } from "../errors.ts";
import { type ByteSource, continued } from "../io/byte-source.ts";
import { readValue, writeValue } from "./value.ts";

/**
 * A store that a daemon has, used as if it were open here.
 *
 * Docker's API cannot carry all that a store's methods take and give, so the daemon has a few endpoints of Varve's own.
 * `GET /varve` says who it is. `POST /varve/<number>/<method>` calls a method of the store: the body is one line with the
 * arguments (`value.ts`, `argument.ts`), and behind it the bytes of a method that takes some. The answer is a row of
 * frames (`frames.ts`): what the caller is to be told meanwhile, the bytes or items that the method gives, and at last its
 * result or its error; an answer without such an end was cut off. Hanging up cancels the work.
 *
 * `methods.ts` is the table of methods that both sides go by; `connect.ts` makes a store of it on the caller's side, over
 * `connection.ts`, and the daemon routes of it on the other.
 */
export const PROTOCOL = 1;

/** Where a daemon says who it is. */
export const GREETING_PATH = "/varve";

/** Who a daemon is and what store it has. */
export interface Greeting {
  readonly protocol: number;
  readonly version: string;
  readonly root: string;
  readonly driver: string;
}

export function pathOf(method: string): string {
  return `/varve/${PROTOCOL}/${method}`;
}

/** No page in a browser may send this type to a daemon without asking it first. */
export const CALL_TYPE = "application/vnd.varve.call";
export const ANSWER_TYPE = "application/vnd.varve.answer";

/** The longest line of arguments; many thousand names. */
const LINE_LIMIT = 16 * 1024 * 1024;
const LINE_END = 0x0a;

/** JSON has no line ends of its own. */
export function writeArguments(given: readonly unknown[]): Buffer {
  return Buffer.from(`${writeValue(given)}\n`);
}

/**
 * Parts the body of a call.
 *
 * @returns the arguments, and the bytes that follow them, to be read or left
 * @throws VarveError `invalid-argument`, `too-large`
 */
export async function readArguments(body: ByteSource): Promise<{ given: readonly unknown[]; stream: ByteSource }> {
  const iterator = body[Symbol.asyncIterator]();
  const parts: Uint8Array[] = [];
  for (let size = 0; ; ) {
    const step = await iterator.next();
    if (step.done) throw new VarveError("invalid-argument", "a call begins with a line of arguments");
    const end = step.value.indexOf(LINE_END);
    const part = end < 0 ? step.value : step.value.subarray(0, end);
    size += part.length;
    if (size > LINE_LIMIT)
      throw new VarveError("too-large", `the arguments have more than ${LINE_LIMIT} bytes`, { limit: LINE_LIMIT });
    parts.push(Buffer.from(part));
    if (end < 0) continue;
    const given = readValue(Buffer.concat(parts).toString());
    if (!Array.isArray(given)) throw new VarveError("invalid-argument", "the arguments of a call are a list");
    return { given, stream: continued(step.value.subarray(end + 1), iterator) };
  }
}
