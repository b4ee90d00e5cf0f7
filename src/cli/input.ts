/** What a user gives a command to read, and errors that say where they came from. */
import { accessSync, constants, type Stats, statSync } from "node:fs";
import { asVarveError, type ErrorCode, errnoOf, isVarveError, VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";

/**
 * Makes sure that a file or directory is there to be read, before a store is opened for it.
 *
 * @throws VarveError `not-found`, `permission`
 */
export function statInput(path: string): Stats {
  try {
    const stat = statSync(path);
    accessSync(path, constants.R_OK);
    return stat;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): unknown {
  switch (errnoOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return new VarveError("not-found", `open ${path}: no such file or directory`, { path }, error);
    case "EACCES":
      return new VarveError(
        "permission",
        `open ${path}: permission denied: run it as a user who may read that`,
        { path },
        error,
      );
  }
  return asVarveError(error);
}

/** Runs what takes an archive in, and puts the archive's name before what is wrong with it. */
export async function nameInput<T>(source: string | ByteSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isVarveError(error) || !ABOUT_CONTENT.has(error.code)) throw error;
    const name = typeof source === "string" ? source : "standard input";
    throw new VarveError(error.code, `${name}: ${error.message}`, error.details, error);
  }
}

const ABOUT_CONTENT: ReadonlySet<ErrorCode> = new Set(["invalid-archive", "too-large", "unsupported"] as const);
