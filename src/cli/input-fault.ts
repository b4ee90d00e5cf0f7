/** Where something came from, for errors about what is in it. */
import { type ErrorCode, isVarveError, VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";

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
