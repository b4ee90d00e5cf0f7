import type { AnyStore } from "../engine/any-store.ts";
import type { OutgoingCall } from "./argument.ts";
import { Connection } from "./connection.ts";
import type { Frame } from "./frames.ts";
import { socketOf, type TlsFiles } from "./host.ts";
import { METHODS, type Method, type MethodName } from "./methods.ts";
import { writeOut } from "./write-out.ts";

/** Where a daemon is, and how to speak to it. */
export interface ConnectOptions {
  /**
   * `unix:///PATH` or `tcp://HOST:PORT`. By default `VARVE_HOST`, else the socket at which `varve serve` listens in the
   * data-root that `openStore` would open.
   */
  readonly host?: string | undefined;
  /** For `tcp://`; without it everything goes plainly. */
  readonly tls?: TlsFiles | undefined;
  /** Milliseconds for the daemon to say who it is; 30 s unless said. Work may take as long as it takes. */
  readonly timeout?: number | undefined;
}

const PATIENCE_MS = 30_000;

/** What `connectStore` does. */
export async function connectStore({ host, tls, timeout = PATIENCE_MS }: ConnectOptions = {}): Promise<AnyStore> {
  const connection = new Connection(host ?? (await defaultHost()), tls);
  const { root, driver } = await connection.greet(timeout);
  const calls = callsOf(connection);
  const close = async (): Promise<void> => {};
  return {
    ...calls,
    ...{ root, driver, close, [Symbol.asyncDispose]: close },
    saveTo: (output, names, options) => writeOut(output, calls.save(names, options)),
  };
}

async function defaultHost(): Promise<string> {
  if (process.env.VARVE_HOST) return process.env.VARVE_HOST;
  const { defaultRoot } = await import("../engine/data-root.ts");
  return socketOf(defaultRoot());
}

function callsOf(connection: Connection): Pick<AnyStore, MethodName> {
  const entries = Object.entries(METHODS).map(([name, method]: [string, Method]) => [
    name,
    (...given: readonly unknown[]) => RESULTS[method.gives](new Work(connection, name, method, given)),
  ]);
  return Object.fromEntries(entries) as Pick<AnyStore, MethodName>;
}

/** One call of a method, which begins when its frames are read. */
class Work {
  readonly #connection: Connection;
  readonly #name: string;
  readonly #method: Method;
  readonly #given: readonly unknown[];
  readonly #call: OutgoingCall = { listeners: new Map() };

  constructor(connection: Connection, name: string, method: Method, given: readonly unknown[]) {
    this.#connection = connection;
    this.#name = name;
    this.#method = method;
    this.#given = given;
  }

  get isCancelled(): boolean {
    return this.#call.signal?.aborted === true;
  }

  /** Without what only listeners are told, who are told it. */
  async *frames(): AsyncGenerator<Exclude<Frame, { kind: "told" }>> {
    const given = this.#method.takes.map((argument, i) => argument.send(this.#given[i] as never, this.#call, `${i}`));
    const { stream, signal, listeners } = this.#call;
    for await (const frame of this.#connection.call(this.#name, { given, stream, signal })) {
      if (frame.kind === "told") listeners.get(frame.name)?.(frame.event as never);
      else yield frame;
    }
  }
}

const RESULTS: Readonly<Record<Method["gives"], (work: Work) => unknown>> = { value, bytes, items };

async function value(work: Work): Promise<unknown> {
  for await (const frame of work.frames()) if (frame.kind === "result") return frame.value;
  return undefined;
}

async function* bytes(work: Work): AsyncGenerator<Uint8Array> {
  for await (const frame of work.frames()) if (frame.kind === "bytes") yield frame.bytes;
}

/** What goes on until it is cancelled ends then, and does not fail. */
async function* items(work: Work): AsyncGenerator<unknown> {
  try {
    for await (const frame of work.frames()) if (frame.kind === "item") yield frame.value;
  } catch (error) {
    if (!work.isCancelled) throw error;
  }
}
