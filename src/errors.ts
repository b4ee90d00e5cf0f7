/**
 * Whatever goes wrong for a caller arrives as a `VarveError` with a code out of a closed set, the facts in `details`,
 * and the original failure as `cause`. A plain `Error` is always a bug of ours.
 */
const CODES = {
  "invalid-argument": { status: 400, exit: 125 },
  "invalid-reference": { status: 400, exit: 1 },
  "invalid-digest": { status: 400, exit: 1 },
  "invalid-archive": { status: 400, exit: 1 },
  "not-found": { status: 404, exit: 1 },
  ambiguous: { status: 404, exit: 1 },
  "already-exists": { status: 409, exit: 1 },
  conflict: { status: 409, exit: 1 },
  "in-use": { status: 409, exit: 1 },
  "too-large": { status: 413, exit: 1 },
  locked: { status: 423, exit: 1 },
  cancelled: { status: 499, exit: 130 },
  corrupt: { status: 500, exit: 1 },
  permission: { status: 500, exit: 1 },
  system: { status: 500, exit: 1 },
  unsupported: { status: 501, exit: 1 },
  unavailable: { status: 503, exit: 1 },
  "no-space": { status: 507, exit: 1 },
} as const;

/** What went wrong, as far as a program can act on it. */
export type ErrorCode = keyof typeof CODES;

/** Whether a text is one of the codes. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(CODES, text);
}

/** The facts: paths, digests, names, and `errno` where a system call failed. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * The one error of Varve. Its message is Docker's where Docker has one.
 *
 * @example
 * try {
 *   await store.inspect("nginx");
 * } catch (error) {
 *   if (isVarveError(error, "not-found")) console.log("load it first");
 *   else throw error;
 * }
 */
export class VarveError extends Error {
  override readonly name = "VarveError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  /** The Engine API's answer to this error. */
  get httpStatus(): number {
    return CODES[this.code].status;
  }

  /** What a process that ends with this error returns to its shell. */
  get exitCode(): number {
    return CODES[this.code].exit;
  }
}

/** Narrows a caught value, optionally to one code. */
export function isVarveError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is VarveError & { readonly code: Code } {
  return error instanceof VarveError && (code === undefined || error.code === code);
}

const ERRNO_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not-found",
  EEXIST: "already-exists",
  EACCES: "permission",
  EPERM: "permission",
  EROFS: "permission",
  EBUSY: "in-use",
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EAGAIN: "locked",
  ENOTSUP: "unsupported",
  EOPNOTSUPP: "unsupported",
  ENOSYS: "unsupported",
};

/** The code for the name of a kernel error such as `ENOSPC`; `system` for those that callers do not tell apart. */
export function codeOfErrno(errno: string): ErrorCode {
  return ERRNO_CODES[errno] ?? "system";
}

/**
 * Gives any caught value a code: a `VarveError` passes through, a failed system call (Node's `errno` exceptions) gets
 * the code of its errno, an abort becomes `cancelled`. Anything else is a bug and is returned as it is.
 */
export function asVarveError(error: unknown): unknown {
  if (error instanceof VarveError || !(error instanceof Error)) return error;
  if (error.name === "AbortError") return new VarveError("cancelled", "the operation was cancelled", {}, error);
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (typeof code !== "string" || syscall === undefined) return error;
  return new VarveError(codeOfErrno(code), error.message, { errno: code, syscall, path }, error);
}

/** The `errno` name of a failed system call, whether Node's `fs` or our own `sys/` reported it. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof VarveError) return error.details.errno as string | undefined;
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}
