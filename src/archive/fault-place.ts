import { isVarveError, VarveError } from "../errors.ts";

/**
 * Tells where in an archive an error is: in which document, in which layer. Docker's phrase stays in the message, beside
 * plain words for what everybody meets: a file that was not copied to its end, and one that is no archive at all.
 * Errors that are not about content, or tell their place themselves, come back as they are.
 *
 * @example placeFault("layer 0123456789ab", error) // layer 0123456789ab: it is cut short (unexpected EOF)
 */
export function placeFault(where: string, error: unknown): unknown {
  if (!isVarveError(error) || !ABOUT_CONTENT.has(error.code) || error.message.startsWith("invalid archive"))
    return error;
  return new VarveError(error.code, `${where}: ${inPlainWords(error)}`, error.details, error);
}

const ABOUT_CONTENT: ReadonlySet<string> = new Set(["invalid-archive", "too-large", "unsupported"]);
const NO_HEADER = "archive/tar: invalid tar header";
/** As Go, zstd, xz and bzip2 say it. */
const CUT_SHORT = /unexpected EOF|unexpected end of input|ends unexpectedly/i;

function inPlainWords({ message, details: { offset, name } }: VarveError): string {
  if (CUT_SHORT.test(message)) return `it is cut short (${message})`;
  if (message === NO_HEADER) return offset === 0 ? `it is not a tar (${message})` : `${message} at byte ${offset}`;
  return typeof name === "string" && !message.includes(name) ? `${message}: "${name}"` : message;
}
