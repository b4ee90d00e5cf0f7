import { asVarveError, errnoOf, VarveError } from "../errors.ts";

/** A failure to write to what the user named, or to standard output. Others come back as they are, with a code. */
export function unwritable(name: string, error: unknown): unknown {
  const known = asVarveError(error);
  const reason = REASONS[errnoOf(error) ?? ""];
  if (reason === undefined || !(known instanceof VarveError)) return known;
  return new VarveError(known.code, `cannot write ${name}: ${reason}`, { ...known.details, path: name }, error);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  EFBIG: "file too large",
  EIO: "i/o error",
};
