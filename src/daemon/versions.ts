import { VarveError } from "../errors.ts";
import { isOlder } from "../image/docker-version.ts";

/** The Engine API that Docker 20.10 speaks, and the oldest that it still understands. */
export const NEWEST_VERSION = "1.41";
export const OLDEST_VERSION = "1.12";

/** Takes the version off a request's path: `/v1.41/images/json` is `/images/json`. */
export function splitVersion(target: string): { path: string; version: string | undefined } {
  const match = /^\/v([0-9.]+)(\/.*)$/.exec(target);
  return match === null ? { path: target, version: undefined } : { path: match[2]!, version: match[1]! };
}

/** @throws VarveError `invalid-argument` with Docker's texts, by which clients find a version that both speak */
export function checkVersion(version: string): void {
  if (isOlder(version, OLDEST_VERSION))
    throw new VarveError(
      "invalid-argument",
      `client version ${version} is too old. Minimum supported API version is ${OLDEST_VERSION}, please upgrade your client to a newer version`,
      { version },
    );
  if (isOlder(NEWEST_VERSION, version))
    throw new VarveError(
      "invalid-argument",
      `client version ${version} is too new. Maximum supported API version is ${NEWEST_VERSION}`,
      { version },
    );
}
