/** Two data-roots that hold the same, with a dockerd on one and a store of Varve's on the other. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "../../src/engine/store.ts";
import { VarveError } from "../../src/errors.ts";
import { type Dockerd, start } from "../tools/dockerd.ts";
import { type ApiAnswer, ask } from "../tools/engine-api.ts";

export interface Twins extends AsyncDisposable {
  readonly dockerd: Dockerd;
  readonly store: Store;
  readonly roots: { readonly docker: string; readonly varve: string };
  /** Asks the dockerd. A body that is no bytes is sent as JSON. */
  api(method: string, path: string, body?: Uint8Array | object): Promise<ApiAnswer>;
}

/** @param fill makes with a dockerd what both begin with */
export async function makeTwins(fill: (dockerd: Dockerd) => Promise<void>): Promise<Twins> {
  const scratch = mkdtempSync(join(tmpdir(), "varve-twins-"));
  const roots = { docker: join(scratch, "docker"), varve: join(scratch, "varve") };
  mkdirSync(roots.docker);
  {
    await using first = await start({ root: roots.docker });
    await fill(first);
  }
  execFileSync("cp", ["-a", roots.docker, roots.varve]);
  const dockerd = await start({ root: roots.docker });
  const store = await openStore({ root: roots.varve });
  return {
    ...{ dockerd, store, roots },
    api: (method, path, body) =>
      ask(dockerd.socket, {
        ...{ method, path: `/v1.41${path}` },
        ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
        headers: body instanceof Uint8Array ? {} : { "Content-Type": "application/json" },
      }),
    async [Symbol.asyncDispose]() {
      await store.close();
      await dockerd.stop();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

/** What was said of a failure, and its status. What a client did wrong is its mistake, also where dockerd says 500. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

export function refusalOf({ status, body }: ApiAnswer): Refusal | undefined {
  if (status < 400) return undefined;
  return { status: status === 500 ? 400 : status, message: JSON.parse(body.toString()).message };
}

export async function refusalBy(work: () => Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    return { status: error.httpStatus, message: error.message };
  }
}
