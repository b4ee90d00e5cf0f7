import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Store } from "../engine/store.ts";
import { VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { Answer } from "./answer.ts";

/** One request, as a handler sees it. */
export interface Call {
  readonly store: Store;
  /** What the path gave for the route's parameters, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The query as it came, for `givenBytes`. */
  readonly rawQuery: string;
  readonly headers: IncomingHttpHeaders;
  /** The API's version that the client speaks; the newest if it named none. */
  readonly version: string;
  /** Fails with `cancelled` when the client breaks off. */
  readonly body: ByteSource;
  /** Fires when nobody waits for the answer any more, and when the daemon does not wait for the work any longer. */
  readonly signal: AbortSignal;
  readonly answer: Answer;
}

/** Docker's idea of yes: whatever is not one of its five ways to say no. */
export function isSet(query: URLSearchParams, name: string): boolean {
  return !["", "0", "no", "false", "none"].includes((query.get(name) ?? "").trim().toLowerCase());
}

/** What Docker leaves at its default when it is empty. */
export function given(query: URLSearchParams, name: string): string | undefined {
  return query.get(name) || undefined;
}

/** The bytes of a parameter, for names of files that are no text. */
export function givenBytes({ rawQuery }: Call, name: string): Buffer | undefined {
  for (const pair of rawQuery.split("&")) {
    const [key, value = ""] = pair.split(/=(.*)/s, 2) as [string, string?];
    if (key !== name || value === "") continue;
    const bytes = value
      .replaceAll("+", " ")
      .replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
    return Buffer.from(bytes, "latin1");
  }
  return undefined;
}

/** Whoever stops reading early can still be answered: the connection stays. */
export async function* bodyOf(request: IncomingMessage): ByteSource {
  try {
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw new VarveError("cancelled", "the client broke off its request", {}, error);
  }
}

/** How long a client that was answered may go on sending what nobody wants to read. */
const LINGER_MS = 2000;

/** To be called when the answer was given. A connection whose request was read to its end is kept for the next one. */
export function dropRest(request: IncomingMessage): void {
  if (request.complete || request.socket.destroyed) return;
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
  request.once("close", () => clearTimeout(timer));
}
