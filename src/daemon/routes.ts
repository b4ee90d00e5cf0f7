import { VarveError } from "../errors.ts";
import type { Call } from "./call.ts";
import { checkVersion } from "./versions.ts";

/** Answers one kind of request. What it throws is the answer instead, as long as nothing was sent. */
export type Handler = (call: Call) => Promise<void>;

export interface Route {
  readonly method: "DELETE" | "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT";
  /**
   * Of the path without the version. `{name}` is one part of it, `{name:.*}` any number of parts, as names of images
   * have: `/images/{name:.*}/json` finds `/images/localhost:5000/a/b:1/json`.
   */
  readonly pattern: string;
  /** It ends when its client goes, and is cancelled as soon as the daemon stops. */
  readonly endless?: boolean;
  readonly handle: Handler;
}

export interface FoundRoute {
  readonly route: Route;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Routes in the order in which they are tried: an image may be called `json`, but `/images/json` is the list. */
export class RouteTable {
  readonly #routes: readonly { readonly route: Route; readonly expression: RegExp }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, expression: expressionOf(route.pattern) }));
  }

  /**
   * @param path as it came, without the version
   * @throws VarveError `not-found` with Docker's text, `invalid-argument` for a version that is not spoken here or an
   *   escape that is none
   */
  find(method: string, path: string, version: string | undefined): FoundRoute {
    const decoded = decode(path);
    for (const { route, expression } of this.#routes) {
      if (route.method !== method) continue;
      const match = expression.exec(decoded);
      if (match === null) continue;
      if (version !== undefined) checkVersion(version);
      return { route, parameters: { ...match.groups } };
    }
    throw new VarveError("not-found", "page not found", { method, path });
  }
}

function expressionOf(pattern: string): RegExp {
  const source = pattern.replace(/\{(\w+)(:\.\*)?\}|[.*+?^$()|[\]\\]/g, (text, name?: string, greedy?: string) => {
    if (name === undefined) return `\\${text}`;
    return greedy === undefined ? `(?<${name}>[^/]+)` : `(?<${name}>.+)`;
  });
  return new RegExp(`^${source}$`, "s");
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw new VarveError("invalid-argument", `invalid URL escape in ${path}`, { path }, error);
  }
}
