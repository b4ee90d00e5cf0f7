import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { hostPlatform } from "../archive/platform.ts";
import { version as packageVersion } from "../engine/version.ts";
import { isVarveError } from "../errors.ts";
import { isOlder } from "../image/docker-version.ts";
import { NEWEST_VERSION } from "./versions.ts";

/** The first version whose errors are JSON; older clients read text. */
const FIRST_WITH_JSON_ERRORS = "1.24";

const { os } = hostPlatform();
/** By which clients know whom they talk to. */
const ALWAYS: Readonly<Record<string, string>> = {
  "Api-Version": NEWEST_VERSION,
  "Docker-Experimental": "false",
  Ostype: os,
  Server: `Varve/${packageVersion()} (${os})`,
};

/** The answer to one request. One of its methods is called, once; or `stream`, and `end` when all is written. */
export class Answer {
  readonly #response: ServerResponse;
  readonly #version: string | undefined;
  #failure: ((error: unknown) => Uint8Array) | undefined;

  constructor(response: ServerResponse, version: string | undefined) {
    this.#response = response;
    this.#version = version;
    response.on("error", () => {}); // of a client that hung up; who writes learns it from the write
    for (const [name, value] of Object.entries(ALWAYS)) response.setHeader(name, value);
  }

  json(document: unknown, status = 200): Promise<void> {
    return this.#whole(status, "application/json", `${JSON.stringify(document)}\n`);
  }

  text(text: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    for (const [name, value] of Object.entries(headers)) this.#response.setHeader(name, value);
    return this.#whole(200, "text/plain; charset=utf-8", text);
  }

  /** Adds a header to whatever is answered next. */
  header(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }

  empty(status: number): Promise<void> {
    this.#response.statusCode = status;
    if (status !== 204) this.#response.setHeader("Content-Length", 0);
    return this.#end();
  }

  /**
   * Where an answer of unknown length goes. Nothing is sent before the first write, so that until then `fail` can still
   * give a status.
   *
   * @param options.atOnce sends the headers already, for a client that waits for them
   * @param options.failure what to write last when the work fails after all; without it the answer is cut off
   */
  stream(
    type: string,
    options: { readonly atOnce?: boolean; readonly failure?: ((error: unknown) => Uint8Array) | undefined } = {},
  ): Writable {
    this.#failure = options.failure;
    this.#response.setHeader("Content-Type", type);
    if (options.atOnce) this.#response.flushHeaders();
    return this.#response;
  }

  /** Ends what `stream` began. */
  end(): Promise<void> {
    return this.#end();
  }

  /** Of an answer that has begun, the client sees that it was cut off: half an archive is not to pass for a whole one. */
  async fail(error: unknown): Promise<void> {
    if (this.#failure !== undefined) return await this.#end(this.#failure(error));
    if (this.#response.headersSent || this.#response.destroyed) {
      this.#response.destroy();
      return;
    }
    const status = isVarveError(error) ? error.httpStatus : 500;
    const message = messageFor(error);
    if (this.#version === undefined || !isOlder(this.#version, FIRST_WITH_JSON_ERRORS))
      return await this.json({ message }, status);
    this.#response.setHeader("X-Content-Type-Options", "nosniff");
    await this.#whole(status, "text/plain; charset=utf-8", `${message}\n`);
  }

  #whole(status: number, type: string, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    this.#response.statusCode = status;
    this.#response.setHeader("Content-Type", type);
    this.#response.setHeader("Content-Length", bytes.length);
    return this.#end(bytes);
  }

  /** Returns when the client has it all, or has gone. */
  async #end(bytes?: Uint8Array): Promise<void> {
    const response = this.#response;
    if (response.destroyed) return;
    response.end(bytes);
    // An error is followed by the closing, and says no more than that.
    if (!response.closed) await once(response, "close").catch(() => {});
  }
}

/** What a client is told. Of our own bugs only the log knows more. */
export function messageFor(error: unknown): string {
  return isVarveError(error) ? error.message : "this is a bug in varve, which its log tells more about";
}
