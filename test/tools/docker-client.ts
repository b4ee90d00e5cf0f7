/**
 * Debian's `docker` client in front of an Engine API that says what a test wants it to say, so that what the client
 * prints can be compared with what Varve's tables print, whatever the sizes, ages and names.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The client that goldens come from; a newer one on PATH prints other tables. */
export const CLIENT = "/usr/bin/docker";

export interface Printed {
  readonly output: string;
  readonly error: string;
  readonly status: number;
}

export interface RiggedClient extends AsyncDisposable {
  run(args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Printed>;
}

/**
 * @param answers documents by path without the version, such as `/images/json`; any other path is not found. A
 *   function is asked at each request.
 */
export async function rigClient(answers: Readonly<Record<string, unknown>>): Promise<RiggedClient> {
  const scratch = mkdtempSync(join(tmpdir(), "varve-client-"));
  const socket = join(scratch, "docker.sock");
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://docker").pathname.replace(/^\/v[\d.]+/, "");
    response.setHeader("Api-Version", "1.41");
    response.setHeader("Ostype", "linux");
    response.setHeader("Content-Type", "application/json");
    if (path === "/_ping") return response.end("OK");
    const answer = answers[path];
    if (answer === undefined) response.statusCode = 404;
    const document = answer === undefined ? { message: `No such image: ${path}` } : answer;
    return response.end(JSON.stringify(typeof document === "function" ? document() : document));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    run: (args, environment = {}) => runClient(socket, args, { TZ: "UTC", ...environment }),
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

/** Runs a client against a daemon that listens at `socket`, to its end, however that is. */
export function runClient(
  socket: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input?: Uint8Array | string,
  client: string = CLIENT,
): Promise<Printed> {
  return new Promise((resolve, reject) => {
    const child = spawn(client, ["-H", `unix://${socket}`, ...args], {
      env: { PATH: process.env.PATH, ...environment },
    });
    const output: Buffer[] = [];
    const error: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => error.push(chunk));
    child.stdin.on("error", () => {}); // a client that refuses its input says why
    child.stdin.end(input);
    child.once("error", reject);
    child.once("close", (status) =>
      resolve({
        output: Buffer.concat(output).toString(),
        error: Buffer.concat(error).toString(),
        status: status ?? -1,
      }),
    );
  });
}
