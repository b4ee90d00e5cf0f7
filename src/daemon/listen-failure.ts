import { lstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import type { Place } from "./listen.ts";

const ADVICE = "choose another with -H";

/** Why nobody can listen at a place, and what to do about it. Node's own words are the same for many things. */
export function listenFailure(error: Error, place: Place): unknown {
  const errno = errnoOf(error);
  if (place.kind === "unix") return socketFailure(error, place.path);
  if (place.kind !== "tcp") return asVarveError(error);
  const { host, port } = place;
  const details = { errno, host, port };
  const name = `tcp://${host.includes(":") ? `[${host}]` : host}:${port}`;
  switch (errno) {
    case "EADDRINUSE":
      return alreadyListening(name);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new VarveError("not-found", `${host} is no address of this machine: ${ADVICE}`, details, error);
    case "EACCES":
      return new VarveError(
        "permission",
        `no permission to listen at port ${port}: ${ADVICE}, or run it as root`,
        details,
        error,
      );
  }
  return asVarveError(error);
}

export function alreadyListening(name: string): VarveError {
  return new VarveError("in-use", `somebody already listens at ${name}: ${ADVICE}`, { name });
}

function socketFailure(error: Error, path: string): unknown {
  const details = { errno: errnoOf(error), path };
  if (details.errno === "EADDRINUSE") {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== false) return alreadyListening(`unix://${path}`);
    return new VarveError("conflict", `${path} is there already and is no socket: remove it, or ${ADVICE}`, details);
  }
  const directory = dirname(path);
  if (!isDirectory(directory))
    return new VarveError("not-found", `there is no directory ${directory}: make it, or ${ADVICE}`, details, error);
  if (details.errno === "EACCES" || details.errno === "EROFS")
    return new VarveError("permission", `no permission to make the socket ${path}: ${ADVICE}`, details, error);
  return asVarveError(error);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    return errnoOf(error) === "EACCES";
  }
}
