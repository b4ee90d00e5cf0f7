/** What a failure looks like from outside: a line on standard error that says what to do, and an exit code. */
import { asVarveError, type ErrorCode, VarveError } from "../errors.ts";
import { UsageError } from "./usage-error.ts";

export interface Report {
  /** Without line ends. */
  readonly lines: readonly string[];
  readonly exitCode: number;
}

export function reportFailure(error: unknown): Report {
  if (error instanceof AggregateError) {
    const reports = error.errors.map(reportFailure);
    return { lines: reports.flatMap(({ lines }) => lines), exitCode: reports[0]?.exitCode ?? 1 };
  }
  const known = asVarveError(error);
  if (!(known instanceof VarveError))
    return { lines: [line(`this is a bug in varve: ${bugText(known)}`)], exitCode: 1 };
  return { lines: [line(withHint(known))], exitCode: known.exitCode };
}

function withHint(error: VarveError): string {
  const message = error.message.trim();
  const hint = error instanceof UsageError ? `See '${error.command} --help'.` : HINTS[error.code];
  if (hint === undefined || MENTIONED.test(message)) return message;
  return `${message.replace(/[.]$/, "")}. ${hint}`;
}

/** For errors whose message tells what is wrong but not what to do about it. */
const HINTS: Partial<Readonly<Record<ErrorCode, string>>> = {
  permission: "Run it as root, or choose a data-root of your own with --root.",
  "no-space": "Free some space, or choose another disk with --root.",
  corrupt: "Load the image again to replace what is damaged.",
};
/** The message itself says what to do. */
const MENTIONED = /\b(run|use|choose|try|add|stop|install|load|see|needs? root)\b/i;

function bugText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return process.env.VARVE_DEBUG ? (error.stack ?? error.message) : `${error.message} (VARVE_DEBUG=1 shows where)`;
}

/** One line, whatever a name or an archive put into the message. */
function line(text: string): string {
  const printable = (character: string): string =>
    character === "\n" ? " " : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return `varve: ${process.env.VARVE_DEBUG ? text : text.replace(/[\x00-\x1f\x7f-\x9f]/g, printable)}`;
}
