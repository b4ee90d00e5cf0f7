import { isVarveError, VarveError } from "../../errors.ts";
import { writeAll } from "../../io/byte-source.ts";
import { compress, decompress } from "../../io/compression.ts";
import { acceptedEncoding } from "../accepted-encoding.ts";
import { type Call, givenBytes, isSet } from "../call.ts";
import { pathStatHeader } from "../path-stat.ts";
import type { Route } from "../routes.ts";

/** The files of containers, in and out. */
export const CONTAINER_FILE_ROUTES: readonly Route[] = [
  { method: "HEAD", pattern: "/containers/{name:.*}/archive", handle: tellOfPath },
  { method: "GET", pattern: "/containers/{name:.*}/archive", handle: copyOut },
  { method: "PUT", pattern: "/containers/{name:.*}/archive", handle: copyIn },
  { method: "GET", pattern: "/containers/{name:.*}/export", handle: exportAll },
  { method: "POST", pattern: "/containers/{name:.*}/copy", handle: oldCopy },
];

async function tellOfPath(call: Call): Promise<void> {
  const { store, parameters, signal, answer } = call;
  const path = pathOf(call);
  await using found = await finding(call, () => store.openPath(parameters.name!, path, { signal }));
  answer.header("X-Docker-Container-Path-Stat", pathStatHeader(found.stat));
  await answer.empty(200);
}

async function copyOut(call: Call): Promise<void> {
  const { store, parameters, headers, signal, answer } = call;
  const path = pathOf(call);
  await using found = await finding(call, () => store.openPath(parameters.name!, path, { signal }));
  answer.header("X-Docker-Container-Path-Stat", pathStatHeader(found.stat));
  const encoding = acceptedEncoding(headers["accept-encoding"], ["gzip", "deflate"] as const);
  const tar = found.tar({ signal });
  if (encoding !== undefined) answer.header("Content-Encoding", encoding);
  const body = encoding === undefined ? tar : compress(tar, encoding, { signal });
  await writeAll(answer.stream("application/x-tar"), body);
  await answer.end();
}

/** The tar may be compressed in any way that Docker knows. */
async function copyIn(call: Call): Promise<void> {
  const { store, parameters, query, body, signal, answer } = call;
  const path = pathOf(call);
  const tar = decompress(body, { signal });
  const options = {
    noOverwriteDirNonDir: isSet(query, "noOverwriteDirNonDir"),
    copyUIDGID: isSet(query, "copyUIDGID"),
    signal,
  };
  await finding(call, () => store.copyIn(parameters.name!, path, tar, options));
  await answer.empty(200);
}

async function exportAll({ store, parameters, signal, answer }: Call): Promise<void> {
  await writeAll(answer.stream("application/octet-stream"), store.export(parameters.name!, { signal }));
  await answer.end();
}

/** What clients of before 1.8 copied with. Docker has it no more, and says so in this way. */
async function oldCopy({ answer }: Call): Promise<void> {
  await answer.empty(404);
}

function pathOf(call: Call): Buffer {
  const path = givenBytes(call, "path");
  if (path === undefined) throw new VarveError("invalid-argument", "bad parameter: pathcannot be empty");
  return path;
}

/** Docker says of a file that is not there whose it should have been. */
async function finding<T>({ parameters, query }: Call, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isVarveError(error, "not-found") || error.details.path === undefined) throw error;
    const message = `Could not find the file ${query.get("path")} in container ${parameters.name}`;
    throw new VarveError("not-found", message, error.details, error);
  }
}
