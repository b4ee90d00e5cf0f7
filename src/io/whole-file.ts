import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";

/**
 * All bytes of a small regular file. Neither a pipe nor a huge file makes it hang or take memory.
 *
 * @param limit in bytes
 * @returns `undefined` when there is no such file
 * @throws VarveError `corrupt` when it is no regular file, `too-large` beyond the limit
 */
export function readWholeFile(path: string, limit: number): Buffer | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw new VarveError("corrupt", `${path} is not a regular file`, { path });
      if (stat.size > limit)
        throw new VarveError("too-large", `${path} has ${stat.size} bytes, more than ${limit}`, { path, limit });
      return readFileSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw asVarveError(error);
  }
}
