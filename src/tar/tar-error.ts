import { type ErrorDetails, VarveError } from "../errors.ts";

/** The ways in which Go's archive/tar, and so Docker, refuses a stream, in its words. */
export function invalidHeader(details: ErrorDetails): VarveError {
  return new VarveError("invalid-archive", "archive/tar: invalid tar header", details);
}

/** Something in a header is longer than is held in memory. */
export function fieldTooLong(details: ErrorDetails): VarveError {
  return new VarveError("invalid-archive", "archive/tar: header field too long", details);
}

export function unexpectedEnd(details: ErrorDetails): VarveError {
  return new VarveError("invalid-archive", "unexpected EOF", details);
}

/** A sparse file whose map and payload do not fit together. */
export function badSparseData(missing: boolean, details: ErrorDetails): VarveError {
  const fault = missing ? "references non-existent data" : "contains unreferenced data";
  return new VarveError("invalid-archive", `archive/tar: sparse file ${fault}`, details);
}
