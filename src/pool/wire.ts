import { type ErrorCode, type ErrorDetails, VarveError } from "../errors.ts";

/** Asks a worker for a job. Whoever asked sets the flag to have it stop. */
export interface Call {
  readonly job: string;
  readonly input: unknown;
  readonly flag: Int32Array;
}

export type Answer =
  | { readonly kind: "note"; readonly value: number }
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: WireError };

/** An error as plain data: between threads its class and its fields would be lost. */
export interface WireError {
  readonly message: string;
  readonly stack: string | undefined;
  /** Only of a `VarveError`. */
  readonly coded: { readonly code: ErrorCode; readonly details: ErrorDetails } | undefined;
  readonly cause: WireError | undefined;
}

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error))
    return { message: String(error), stack: undefined, coded: undefined, cause: undefined };
  const { message, stack, cause } = error;
  const coded = error instanceof VarveError ? { code: error.code, details: { ...error.details } } : undefined;
  return { message, stack, coded, cause: cause === undefined ? undefined : toWire(cause) };
}

export function fromWire({ message, stack, coded, cause }: WireError): Error {
  const reason = cause === undefined ? undefined : fromWire(cause);
  const error =
    coded === undefined
      ? new Error(message, { cause: reason })
      : new VarveError(coded.code, message, coded.details, reason);
  if (stack !== undefined) error.stack = stack;
  return error;
}
