import { VarveError } from "../../errors.ts";

/** For what Docker refuses to record of a container, in its words. */
export function refused(message: string, details: Readonly<Record<string, unknown>> = {}): VarveError {
  return new VarveError("invalid-argument", message, details);
}
