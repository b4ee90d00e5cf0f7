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
  const message = completeMessage(error);
  const hint = hintFor(error, message);
  if (hint === undefined) return message;
  return `${message.replace(/[.]$/, "")}. ${hint}`;
}

/** The grammar of names says what is wrong, Docker's client also with which name. */
function completeMessage({ code, message, details }: VarveError): string {
  if (code !== "invalid-reference" || typeof details.text !== "string" || isTold(details.text, message))
    return message.trim();
  return `"${details.text}" is not a valid repository/tag: ${message}`;
}

function isTold(text: string, message: string): boolean {
  return text !== "" && message.includes(text);
}

function hintFor(error: VarveError, message: string): string | undefined {
  if (error instanceof UsageError) return `See '${error.command} --help'.`;
  if (message.startsWith("No such image")) return "'varve images' lists what there is.";
  if (message.includes("it is cut short")) return "Copy it again, or make it anew.";
  if (message.startsWith("No such container")) return containerHint(error.details.containers);
  if (error.code === "in-use" && !ABOUT_MOUNTS.test(message)) return undefined;
  // Nothing can replace an image of a v1 graph.
  if (error.code === "corrupt" && V1_IMAGE.test(message)) return undefined;
  return SAYS_WHAT_TO_DO.test(message) ? undefined : HINTS[error.code];
}

/** @param known the names of those of a v1 graph, which no command lists */
function containerHint(known: unknown): string {
  if (!Array.isArray(known)) return "'varve ps -a' lists what there is.";
  return known.length === 0 ? "There are none." : `There are: ${known.join(", ")}.`;
}

const V1_IMAGE = /^image (?:stored at ')?[0-9a-f]{64}\b/i;

const ABOUT_MOUNTS = /\bmount|\bbusy\b/i;

/** For errors whose message tells what is wrong but not what to do about it. */
const HINTS: Partial<Readonly<Record<ErrorCode, string>>> = {
  permission: "Run it as root, or choose a data-root of your own with --root.",
  "no-space": "Free some space, or choose another disk.",
  "in-use": "Unmount it with 'varve umount' first.",
  corrupt: "Load the image again to replace what is damaged.",
};
const SAYS_WHAT_TO_DO = /\b(run|use|choose|try|add|stop|install|load|see|needs? root)\b/i;

function bugText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return process.env.VARVE_DEBUG ? (error.stack ?? error.message) : `${error.message} (VARVE_DEBUG=1 shows where)`;
}

function line(text: string): string {
  return `varve: ${process.env.VARVE_DEBUG ? text : oneLine(shorten(text))}`;
}

/** A name in an archive may have a million bytes, of which nobody wants to see more than the beginning and the end. */
function shorten(text: string): string {
  return text.length <= 1000 ? text : `${text.slice(0, 600)}…${text.slice(-300)}`;
}

/** Whatever a name or an archive put into a message, it stays on its line and does not reach the terminal's controls. */
export function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) =>
    character === "\n" ? " " : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
