/**
 * The daemon: the Engine API of Docker over a store, so that the stock client and everything else that speaks it work.
 *
 * `listen.ts` opens the sockets. Each request is matched by the table in `api.ts` (how, says `routes.ts`), after
 * `versions.ts` has looked at the version in its path. A handler of `routes/` parses, calls the store, and gives its
 * answer through `answer.ts`: one document, bytes, or messages as the work goes on (`progress.ts`). Whatever it throws
 * becomes Docker's `{"message"}` with Docker's status.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../engine/store.ts";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import type { TlsFiles } from "../remote/host.ts";
import { Answer } from "./answer.ts";
import { API } from "./api.ts";
import { bodyOf, type Call, dropRest } from "./call.ts";
import { descriptorLimit, type Listener, openListener, type Place } from "./listen.ts";
import type { Log } from "./log.ts";
import { NEWEST_VERSION, splitVersion } from "./versions.ts";

export interface ServerOptions {
  readonly places: readonly Place[];
  /** For all places that are remote; without it they speak plainly to everybody. */
  readonly tls?: TlsFiles | undefined;
  readonly log: Log;
  /** Milliseconds that a client has to say what it wants; a minute unless told. */
  readonly patience?: number;
}

/** No warning of one kind sooner after the one before. */
const QUIET_MS = 1000;

/** Who sends more requests without waiting for answers is cut off: no client of Docker sends any. */
const MOST_AHEAD = 100;

/** How long clients whose work was cancelled have to take the answer. */
const LAST_WORDS_MS = 1000;

/** The requests of one connection, each of which waits for the one before it. */
interface Line {
  last: Promise<void>;
  readonly waiting: Set<ServerResponse>;
}

export class Server {
  readonly #store: Store;
  readonly #log: Log;
  readonly #listeners: Listener[] = [];
  /** What is being answered. */
  readonly #works = new Map<AbortController, Promise<void>>();
  /** Those of them that would have no end. */
  readonly #endless = new Set<AbortController>();
  readonly #lines = new WeakMap<Socket, Line>();
  #refused = 0;

  /**
   * Listens at all places, or at none.
   *
   * @throws VarveError `in-use` for one that somebody else has, `invalid-argument`, `permission`
   */
  static async start(store: Store, options: ServerOptions): Promise<Server> {
    const server = new Server(store, options.log);
    const { places, tls, patience = 60_000 } = options;
    // As many again are left for the work.
    const connections = Math.ceil(descriptorLimit() / 2 / places.length);
    try {
      for (const place of places)
        server.#listeners.push(
          await openListener(place, { tls, patience, connections }, server.#accept, server.#refuse),
        );
    } catch (error) {
      await server.stop(0);
      throw error;
    }
    return server;
  }

  private constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Where it listens, as clients name it. */
  get addresses(): string[] {
    return this.#listeners.map(({ name }) => name);
  }

  /**
   * Takes no more requests and waits for those that are under way, but no longer than `grace`: then they are cancelled, and
   * leave nothing behind.
   *
   * @param grace milliseconds
   */
  async stop(grace: number): Promise<void> {
    const reason = new VarveError("cancelled", "the daemon is stopping");
    const closed = this.#listeners.map((listener) => listener.close());
    for (const controller of this.#endless) controller.abort(reason);
    await this.#finish(grace);
    if (this.#works.size > 0) this.#log("warn", "requests are cancelled", { requests: this.#works.size });
    for (const controller of this.#works.keys()) controller.abort(reason);
    await this.#finish(LAST_WORDS_MS);
    // Work also waits for clients that do not read.
    for (const listener of this.#listeners) listener.cut();
    await Promise.all([...this.#works.values(), ...closed]);
  }

  /** Returns when no request is under way any more, or the time is over. */
  async #finish(milliseconds: number): Promise<void> {
    const timer = new AbortController();
    const time = sleep(milliseconds, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#works.values()), time]);
    timer.abort();
  }

  readonly #accept = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    if (socket.destroyed) return;
    const controller = new AbortController();
    const line = this.#lineOf(socket);
    if (line.waiting.size === MOST_AHEAD) {
      socket.destroy();
      return;
    }
    response.once("close", () => controller.abort(new VarveError("cancelled", "the client hung up")));
    const work = line.last
      .then(() => this.#answer(request, response, controller))
      .finally(() => {
        line.waiting.delete(response);
        this.#works.delete(controller);
        this.#endless.delete(controller);
      });
    line.waiting.add(response);
    line.last = work;
    this.#works.set(controller, work);
  };

  #lineOf(socket: Socket): Line {
    const known = this.#lines.get(socket);
    if (known !== undefined) return known;
    const line: Line = { last: Promise.resolve(), waiting: new Set() };
    this.#lines.set(socket, line);
    socket.once("close", () => {
      for (const response of line.waiting) endUnsent(response);
    });
    return line;
  }

  /** Who opens connections without end is not to fill the log as well. */
  readonly #refuse = (why: string): void => {
    this.#refused++;
    if (this.#refused > 1) return;
    this.#log("error", "a connection could not be taken", { why });
    setTimeout(() => {
      if (this.#refused > 1) this.#log("error", "more connections could not be taken", { more: this.#refused - 1 });
      this.#refused = 0;
    }, QUIET_MS).unref();
  };

  async #answer(request: IncomingMessage, response: ServerResponse, controller: AbortController): Promise<void> {
    const started = performance.now();
    const { path, version, query, rawQuery } = splitTarget(request.url ?? "/");
    const answer = new Answer(response, version);
    try {
      const { route, parameters } = API.find(request.method ?? "", path, version);
      if (route.endless) this.#endless.add(controller);
      const call: Call = {
        ...{ store: this.#store, answer, query, rawQuery, signal: controller.signal },
        ...{ version: version ?? NEWEST_VERSION, parameters, headers: request.headers, body: bodyOf(request) },
      };
      await route.handle(call);
    } catch (thrown) {
      const error = asVarveError(thrown);
      this.#logFailure(request, error);
      await answer.fail(error);
    }
    dropRest(request);
    const milliseconds = Math.round(performance.now() - started);
    const { method, url } = request;
    this.#log("debug", "answered", { method, url, status: response.statusCode, milliseconds });
  }

  #logFailure({ method, url }: IncomingMessage, error: unknown): void {
    const about = { method, url };
    if (isVarveError(error, "cancelled"))
      this.#log("info", "a request was cancelled", { ...about, why: error.message });
    else if (isVarveError(error)) this.#log("info", error.message, { ...about, code: error.code });
    else this.#log("error", "this is a bug in varve", { ...about, error: String((error as Error)?.stack ?? error) });
  }
}

/** Node tells only the response whose turn it is that the connection is over. */
function endUnsent(response: ServerResponse): void {
  if (response.socket !== null || response.closed) return;
  response.destroy();
  response.emit("close");
}

interface Target {
  readonly path: string;
  readonly version: string | undefined;
  readonly query: URLSearchParams;
  readonly rawQuery: string;
}

function splitTarget(url: string): Target {
  const mark = url.indexOf("?");
  const target = mark < 0 ? url : url.slice(0, mark);
  const rawQuery = mark < 0 ? "" : url.slice(mark + 1);
  return { ...splitVersion(target), query: new URLSearchParams(rawQuery), rawQuery };
}
