/** Plain requests to a daemon at a unix socket, each on a connection of its own. */
import { type IncomingHttpHeaders, request as start } from "node:http";

export interface ApiRequest {
  readonly method: string;
  /** With the query, escaped. */
  readonly path: string;
  readonly body?: Uint8Array | string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** @throws the connection's error, also when the answer was cut off */
export function ask(socket: string, { method, path, body, headers = {} }: ApiRequest): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const type: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/x-tar" };
    const request = start({ socketPath: socket, method, path, headers: { ...type, ...headers }, agent: false });
    let answered = false;
    // A daemon that refuses an upload answers and closes: the answer counts.
    request.on("error", (error) => answered || reject(error));
    request.on("response", (response) => {
      answered = true;
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.end(body);
  });
}

/** The documents of an answer: one, or as many lines as there are. */
export function documentsOf({ body }: ApiAnswer): unknown[] {
  return body
    .toString()
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line));
}
