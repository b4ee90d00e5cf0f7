import { isVarveError, VarveError } from "../errors.ts";
import { type Json, parseJson } from "../json/json.ts";

/** One line of a Dockerfile, cut as Docker's builder cuts it, before anything is expanded. */
export interface Instruction {
  /** Lower case. */
  readonly name: string;
  /** `--flag=value` words that stood right after the name. */
  readonly flags: readonly string[];
  readonly args: readonly string[];
  /** The arguments were a JSON array. */
  readonly json: boolean;
  /** The line with its continuations joined. */
  readonly original: string;
}

export interface Dockerfile {
  readonly instructions: readonly Instruction[];
  /** The character that takes the next one literally: a backslash unless a directive says otherwise. */
  readonly escapeMark: string;
}

/**
 * Reads instructions, one a line, with comments and line continuations.
 *
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function parseDockerfile(text: string): Dockerfile {
  const lines = splitLines(text);
  const escapeMark = escapeDirective(lines);
  const continuation = escapeMark === "`" ? /(?<!`)`[ \t]*$/ : /(?<!\\)\\[ \t]*$/;
  const instructions: Instruction[] = [];
  for (let i = 0; i < lines.length; i++) {
    let line = trimStart(lines[i]!);
    if (line.startsWith("#")) line = "";
    let more = continuation.test(line);
    line = line.replace(continuation, "");
    if (!more && line === "") continue;
    while (more && i + 1 < lines.length) {
      const next = lines[++i]!;
      if (trimStart(next).startsWith("#") || trimStart(next) === "") continue;
      more = continuation.test(next);
      line += next.replace(continuation, "");
    }
    instructions.push(parseInstruction(line, escapeMark));
  }
  if (instructions.length === 0) throw invalid("file with no instructions");
  return { instructions, escapeMark };
}

/** Go's `unicode.IsSpace`. */
const SPACE = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export function isSpace(character: string): boolean {
  return SPACE.test(character);
}

export function trim(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1]!)) end--;
  return trimStart(text.slice(0, end));
}

export function invalid(message: string): VarveError {
  return new VarveError("invalid-argument", message);
}

/** Docker's scanner stops without a word at a line of 64 KiB. */
const MAX_LINE = 64 * 1024;

function splitLines(text: string): string[] {
  const lines = text.replace(/^\ufeff/, "").split("\n");
  if (lines.at(-1) === "") lines.pop();
  const tooLong = lines.findIndex((line) => Buffer.byteLength(line) >= MAX_LINE);
  if (tooLong > 0) throw invalid(`dockerfile line greater than maximum allowed size of ${MAX_LINE - 1}`);
  return (tooLong < 0 ? lines : []).map((line) => line.replace(/\r$/, ""));
}

/** Directives are comments before the first instruction. */
function escapeDirective(lines: readonly string[]): string {
  let escapeMark: string | undefined;
  for (const line of lines) {
    const directive = /^#[ \t]*([a-z][a-z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*$/.exec(trimStart(line).toLowerCase());
    if (directive === null) break;
    if (directive[1] !== "escape") continue;
    if (escapeMark !== undefined) throw invalid("only one escape parser directive can be used");
    escapeMark = directive[2]!;
    if (escapeMark !== "`" && escapeMark !== "\\")
      throw invalid(`invalid escape token '${escapeMark}' does not match \` or \\`);
  }
  return escapeMark ?? "\\";
}

function parseInstruction(line: string, escapeMark: string): Instruction {
  const [, word = "", rest = ""] = /^([^\t\v\f\r ]+)(?:[\t\v\f\r ]+(.*))?$/s.exec(trim(line)) ?? [];
  const name = word.toLowerCase();
  const [flags, remainder] = splitFlags(rest, escapeMark);
  const [args, json] = parseArguments(name, trim(remainder), escapeMark);
  return { name, flags, args, json, original: line };
}

function parseArguments(name: string, rest: string, escapeMark: string): [string[], boolean] {
  switch (name) {
    case "cmd":
    case "entrypoint":
    case "run":
    case "shell":
    case "copy":
    case "add":
      return parseJSONOrText(rest);
    case "volume": {
      const list = parseJSONList(rest);
      return list === undefined ? [splitWhitespace(rest), false] : [list, true];
    }
    case "expose":
      return [splitWhitespace(rest), false];
    case "env":
    case "label":
      return [parsePairs(name.toUpperCase(), rest, escapeMark), false];
    case "healthcheck": {
      const [, type = "", command = ""] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
      if (type === "") return [[], false];
      const [args, json] = parseJSONOrText(command);
      return [[type, ...args], json];
    }
    case "onbuild":
      return rest === "" ? [[], false] : [[parseTrigger(rest, escapeMark)], false];
    default:
      return rest === "" ? [[], false] : [[rest], false];
  }
}

/** The name of the instruction that `ONBUILD` keeps; it must be well-formed too. */
function parseTrigger(rest: string, escapeMark: string): string {
  const name = splitWhitespace(rest)[0]!.toLowerCase();
  return name === "onbuild" ? name : parseInstruction(rest, escapeMark).name;
}

function parseJSONOrText(rest: string): [string[], boolean] {
  if (rest === "") return [[], false];
  const list = parseJSONList(rest);
  return list === undefined ? [[rest], false] : [list, true];
}

/** What is no JSON array is text for a shell; what follows the array is ignored. */
function parseJSONList(rest: string): string[] | undefined {
  if (!rest.startsWith("[")) return undefined;
  let list: readonly Json[];
  try {
    list = [...parseJson(rest, { first: true }).items()];
  } catch (error) {
    if (!isVarveError(error, "invalid-archive")) throw error;
    return undefined;
  }
  return list.map(({ text }) => {
    if (text === undefined) throw invalid("when using JSON array syntax, arrays must be comprised of strings only");
    return text;
  });
}

/** `NAME value` of the old form, or `name=value` words. @returns names and values in turn, quotes still on */
function parsePairs(instruction: string, rest: string, escapeMark: string): string[] {
  const words = splitWords(rest, escapeMark);
  const [first] = words;
  if (first === undefined) return [];
  if (!first.includes("=")) {
    const [, name = "", value] = /^([^\t\v\f\r ]*)[\t\v\f\r ]+(.*)$/s.exec(rest) ?? [];
    if (value === undefined) throw invalid(`${instruction} must have two arguments`);
    return [name, value];
  }
  return words.flatMap((word) => {
    const at = word.indexOf("=");
    if (at < 0) throw invalid(`Syntax error - can't find = in ${quote(word)}. Must be of the form: name=value`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

/** Words as a shell would see them, with their quotes and escapes left in. */
function splitWords(text: string, escapeMark: string): string[] {
  const words: string[] = [];
  const characters = [...text];
  let word = "";
  let quoted = false;
  let quoteMark: string | undefined;
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (quoteMark === undefined && isSpace(character)) {
      if (quoted || word !== "") words.push(word);
      word = "";
      quoted = false;
      continue;
    }
    if (quoteMark !== undefined) {
      if (character === quoteMark) quoteMark = undefined;
    } else if (character === "'" || character === '"') {
      quoteMark = character;
      quoted = true;
    }
    if (character === escapeMark && quoteMark !== "'") {
      const next = characters[i + 1];
      if (next === undefined) continue;
      word += character + next;
      i++;
    } else word += character;
  }
  if (quoted || word !== "") words.push(word);
  return words;
}

/** Takes `--flag` words off the front. @returns them, unquoted, and the rest of the line */
function splitFlags(text: string, escapeMark: string): [string[], string] {
  const flags: string[] = [];
  let i = 0;
  for (;;) {
    while (i < text.length && isSpace(text[i]!)) i++;
    if (!text.startsWith("--", i)) return [flags, text.slice(i)];
    let word = "";
    let quoteMark: string | undefined;
    for (; i < text.length; i++) {
      const character = text[i]!;
      if (quoteMark === undefined && isSpace(character)) break;
      if (character === quoteMark) quoteMark = undefined;
      else if (quoteMark === undefined && (character === "'" || character === '"')) quoteMark = character;
      else if (character === escapeMark) word += text[++i] ?? "";
      else word += character;
    }
    if (word === "--") return [flags, text.slice(i)];
    flags.push(word);
  }
}

function splitWhitespace(text: string): string[] {
  return text === "" ? [] : text.split(/[\t\v\f\r ]+/);
}

function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text[start]!)) start++;
  return text.slice(start);
}

/** Go's `%q`. */
export function quote(text: string): string {
  const escapes: Readonly<Record<string, string>> = { "\x07": "\\a", "\v": "\\v", "\x7f": "\\x7f" };
  return JSON.stringify(text).replace(/\\u00(0[7b]|[01][0-9a-f])|\x7f/g, (match) => {
    const character = match.length === 1 ? match : String.fromCharCode(Number.parseInt(match.slice(2), 16));
    return escapes[character] ?? `\\x${match.slice(-2)}`;
  });
}
