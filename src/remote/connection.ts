import { type ClientRequest, type IncomingMessage, type RequestOptions, request as startHttp } from "node:http";
import { request as startHttps } from "node:https";
import { createSecureContext } from "node:tls";
import { version as packageVersion } from "../engine/version.ts";
import { asVarveError, errnoOf, isVarveError, VarveError } from "../errors.ts";
import { abortable, type ByteSource, collect, throwIfCancelled, writeAll } from "../io/byte-source.ts";
import { type Frame, readFrames } from "./frames.ts";
import { parseHost, type TlsFiles } from "./host.ts";
import { ANSWER_TYPE, CALL_TYPE, GREETING_PATH, type Greeting, PROTOCOL, pathOf, writeArguments } from "./protocol.ts";
import { readTrust } from "./tls.ts";

/** What is said to a daemon. */
export interface Message {
  readonly given: readonly unknown[];
  /** Follows the arguments. */
  readonly stream?: ByteSource | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How often a silent connection is asked whether the other machine is still there. */
const ALIVE_MS = 30_000;
/** What a daemon says of itself, or a stranger in its place. */
const GREETING_LIMIT = 64 * 1024;

/**
 * A daemon at an address. Each call has a connection of its own: one that is kept may be dead when it is needed again, and
 * whether the daemon has got a call before it died nobody knows.
 */
export class Connection {
  readonly #address: string;
  readonly #place: RequestOptions;
  readonly #start: typeof startHttp;
  readonly #speaksPlainly: boolean;

  /** @throws VarveError `invalid-argument` for an address that is none, and for files that are not for TLS */
  constructor(address: string, tls: TlsFiles | undefined) {
    const host = parseHost(address);
    if (host.kind === "unix" && tls !== undefined)
      throw new VarveError("invalid-argument", `TLS is for tcp://, and ${address} is a socket of this machine`);
    this.#address = address;
    const place = host.kind === "unix" ? { socketPath: host.path } : { host: host.host, port: host.port };
    this.#place = {
      ...place,
      ...(tls === undefined ? {} : { secureContext: createSecureContext(readTrust(tls)) }),
      agent: false,
    };
    this.#speaksPlainly = host.kind === "tcp" && tls === undefined;
    this.#start = tls === undefined ? startHttp : startHttps;
  }

  /**
   * Asks who is there.
   *
   * @param timeout milliseconds
   * @throws VarveError `unavailable` when nobody answers, `unsupported` when it is no Varve of the same protocol,
   *   `permission`
   */
  async greet(timeout: number): Promise<Greeting> {
    const request = this.#request("GET", GREETING_PATH);
    const timer = setTimeout(() => {
      const message = `the Varve daemon at ${this.#address} has not answered for ${timeout / 1000} seconds`;
      request.destroy(new VarveError("unavailable", message, { address: this.#address }));
    }, timeout);
    try {
      request.end();
      const response = await responseOf(request);
      const body = await collect(response, GREETING_LIMIT).catch(whenTooLong);
      return this.#checkGreeting(response, body);
    } catch (error) {
      throw this.#failure(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Calls a method of the store there. Whoever does not read to the end breaks it off.
   *
   * @throws VarveError the method's own; `unavailable` when the daemon is not there or goes away meanwhile
   */
  async *call(method: string, { given, stream, signal }: Message): AsyncGenerator<Frame> {
    throwIfCancelled(signal);
    const line = writeArguments(given);
    const length = stream === undefined ? { "Content-Length": line.length } : {};
    const request = this.#request("POST", pathOf(method), { "Content-Type": CALL_TYPE, ...length });
    // What ended it on this side.
    let fault: { readonly error: unknown } | undefined;
    const breakOff = (error: unknown): void => {
      fault ??= { error };
      request.destroy();
    };
    const abort = (): void => breakOff(new VarveError("cancelled", "the operation was cancelled", {}, signal?.reason));
    signal?.addEventListener("abort", abort, { once: true });
    const answered = new AbortController();
    let response: IncomingMessage | undefined;
    const sent = sendBody(request, line, stream, answered.signal, breakOff);
    try {
      response = await responseOf(request);
      if (response.headers["content-type"] !== ANSWER_TYPE) throw await this.#strangeAnswer(response);
      yield* readFrames(response);
    } catch (error) {
      throw fault === undefined ? this.#failure(error, response !== undefined) : asVarveError(fault.error);
    } finally {
      signal?.removeEventListener("abort", abort);
      answered.abort();
      if (!request.writableFinished) request.destroy();
      await sent;
    }
  }

  #request(method: string, path: string, headers: Readonly<Record<string, string | number>> = {}): ClientRequest {
    // A server that is to close would do so with its answer, and who is still sending then would not get to read it.
    // (In lower case: with a capital, tsc 7 takes the key for the class around it, and renames it.)
    const request = this.#start({ ...this.#place, method, path, headers: { ...headers, connection: "keep-alive" } });
    request.on("error", () => {}); // whoever waits for the answer is told
    request.setSocketKeepAlive(true, ALIVE_MS);
    return request;
  }

  #checkGreeting(response: IncomingMessage, body: Buffer): Greeting {
    const greeting = response.statusCode === 200 ? parseGreeting(body) : undefined;
    if (greeting?.protocol === PROTOCOL) return greeting;
    const { server = "a server of another kind" } = response.headers as { server?: string };
    const details = { address: this.#address, server };
    if (greeting === undefined && !server.startsWith("Varve/"))
      throw new VarveError(
        "unsupported",
        `there is no Varve daemon at ${this.#address}, but ${server}: use the address of a 'varve serve'`,
        details,
      );
    throw new VarveError(
      "unsupported",
      `the daemon at ${this.#address} is ${server}, and this is Varve/${packageVersion()}, which does not understand it: use the same version on both sides`,
      details,
    );
  }

  /** Of somebody in between, or of another daemon that has taken its place. */
  async #strangeAnswer(response: IncomingMessage): Promise<unknown> {
    const text = (await collect(response, GREETING_LIMIT).catch(() => Buffer.alloc(0))).toString().trim();
    const message = `the daemon at ${this.#address} does not answer as this version of varve understands: ${response.statusCode} ${text}`;
    return new VarveError("unsupported", message, { address: this.#address, status: response.statusCode });
  }

  /** @param answered whether the other side has shown that it understands */
  #failure(error: unknown, answered = false): unknown {
    const details = { address: this.#address, errno: errnoOf(error) };
    const unavailable = (message: string): VarveError => new VarveError("unavailable", message, details, error);
    // Ours was not aborted, or it would not be asked: it is the daemon that does not go on.
    if (isVarveError(error, "cancelled"))
      return unavailable(`the Varve daemon at ${this.#address} broke the work off: it is stopping`);
    if (isVarveError(error, "unavailable") && error.details.address === undefined)
      return unavailable(`the Varve daemon at ${this.#address} is gone: ${error.message}`);
    if (isVarveError(error)) return error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM")
      return new VarveError(
        "permission",
        `permission denied while trying to connect to the Varve daemon at ${this.#address}: run it as a user who may use that socket`,
        details,
        error,
      );
    if (/^(ERR_(SSL|TLS|OSSL)|CERT_|DEPTH_|SELF_|UNABLE_|EPROTO|HOSTNAME_)/.test(code))
      return unavailable(`cannot connect to the Varve daemon at ${this.#address}: TLS: ${message}`);
    if (code.startsWith("HPE_"))
      return new VarveError("unsupported", `there is no Varve daemon at ${this.#address}: ${message}`, details, error);
    // Without the errno: who sees a broken pipe takes it for the end of his own output.
    if (answered || code === "ECONNRESET" || code === "EPIPE") {
      const advice = this.#speaksPlainly && !answered ? TLS_ADVICE : "";
      const text = `the Varve daemon at ${this.#address} hung up${advice}`;
      return new VarveError("unavailable", text, { address: this.#address }, error);
    }
    return unavailable(`cannot connect to the Varve daemon at ${this.#address}. Is 'varve serve' running?`);
  }
}

const TLS_ADVICE = ": if it wants TLS, add --tlscacert, --tlscert and --tlskey";

/** Resolves when all is sent or nobody wants it any more. */
async function sendBody(
  request: ClientRequest,
  line: Buffer,
  stream: ByteSource | undefined,
  answered: AbortSignal,
  breakOff: (error: unknown) => void,
): Promise<void> {
  if (stream === undefined) {
    request.end(line);
    return;
  }
  request.write(line);
  try {
    await writeAll(request, watched(abortable(stream, answered), answered, breakOff));
    request.end();
  } catch {
    // The daemon takes no more, and its answer says why; or the source has failed, and that is told.
  }
}

/** Tells of a source's failure, which is another thing than one of who takes the bytes. */
async function* watched(source: ByteSource, answered: AbortSignal, onFailure: (error: unknown) => void): ByteSource {
  try {
    for await (const chunk of source) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError(`a source gives bytes, not ${typeof chunk}`);
      yield chunk;
    }
  } catch (error) {
    if (!answered.aborted) onFailure(error);
    throw error;
  }
}

function responseOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", reject);
    request.once("close", () => reject(new VarveError("unavailable", "it hung up without an answer")));
  });
}

/** No greeting is so long. */
function whenTooLong(error: unknown): Buffer {
  if (isVarveError(error, "too-large")) return Buffer.alloc(0);
  throw error;
}

function parseGreeting(body: Buffer): Greeting | undefined {
  try {
    const greeting = JSON.parse(body.toString()) as Partial<Greeting> | null;
    if (typeof greeting?.protocol !== "number") return undefined;
    const isWhole = typeof greeting.root === "string" && typeof greeting.driver === "string";
    return isWhole || greeting.protocol !== PROTOCOL ? (greeting as Greeting) : undefined;
  } catch {
    return undefined;
  }
}
