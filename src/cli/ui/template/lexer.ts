/**
 * Cuts a template into text and the tokens of its actions, after Go's rules: `{{-` and `-}}` eat the white space
 * beside them, comments vanish, and whether a space stood before a token is kept, since `.a.b` and `.a .b` differ.
 */
import { VarveError } from "../../../errors.ts";

export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly tokens: readonly Token[]; readonly at: number };

export interface Token {
  readonly kind: "field" | "variable" | "word" | "literal" | "dot" | "mark";
  readonly text: string;
  /** What a literal stands for. */
  readonly value?: string | number | boolean;
  readonly at: number;
  /** White space, or the action's edge, stood before it. */
  readonly spaced: boolean;
}

export function cutTemplate(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimNext = false;
  while (at < text.length) {
    const open = text.indexOf("{{", at);
    const end = open < 0 ? text.length : open;
    const trimThis = open >= 0 && /^-[ \t\r\n]/.test(text.slice(open + 2, open + 4));
    pushText(pieces, text.slice(at, end), trimNext, trimThis);
    if (open < 0) break;
    const inside = open + 2 + (trimThis ? 1 : 0);
    const action = text.startsWith("/*", inside + leadingSpace(text, inside))
      ? skipComment(text, inside)
      : cutAction(text, inside);
    if (action.tokens !== undefined) pieces.push({ kind: "action", tokens: action.tokens, at: open });
    trimNext = action.trim;
    at = action.end;
  }
  return pieces;
}

interface CutAction {
  /** Absent for a comment. */
  readonly tokens?: readonly Token[];
  readonly end: number;
  readonly trim: boolean;
}

/** A fault of the template's text, on its line. */
export function syntaxError(text: string, at: number, problem: string): VarveError {
  const line = text.slice(0, at).split("\n").length;
  return new VarveError("invalid-argument", `template parsing error: template: :${line}: ${problem}`, {
    template: text,
  });
}

function pushText(pieces: Piece[], text: string, trimLeft: boolean, trimRight: boolean): void {
  const left = trimLeft ? text.replace(/^[ \t\r\n]+/, "") : text;
  const kept = trimRight ? left.replace(/[ \t\r\n]+$/, "") : left;
  if (kept !== "") pieces.push({ kind: "text", text: kept });
}

function leadingSpace(text: string, at: number): number {
  return /^[ \t\r\n]*/.exec(text.slice(at))![0].length;
}

function skipComment(text: string, at: number): CutAction {
  const close = text.indexOf("*/", at);
  if (close < 0) throw syntaxError(text, at, "unclosed comment");
  const after = /^([ \t\r\n]-)?\}\}/.exec(text.slice(close + 2));
  if (after === null) throw syntaxError(text, at, "comment ends before closing delimiter");
  return { end: close + 2 + after[0].length, trim: after[1] !== undefined };
}

const SPACE = /[ \t\r\n]+/y;
const TOKENS: readonly [Token["kind"], RegExp][] = [
  ["field", /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["variable", /\$[\p{L}\p{Nd}_]*/uy],
  [
    "literal",
    /[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\p{L}\p{Nd}_.])/uy,
  ],
  ["literal", /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`|'(?:[^'\\\n]|\\[^\n])+'/uy],
  ["word", /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["mark", /:=|[=|(),]/y],
  ["dot", /\./y],
];

function cutAction(text: string, from: number): CutAction {
  const tokens: Token[] = [];
  let at = from;
  let spaced = true;
  while (at < text.length) {
    const close = /^(?:[ \t\r\n]+-)?\}\}/.exec(text.slice(at));
    if (close !== null) return { tokens, end: at + close[0].length, trim: close[0].length > 2 };
    SPACE.lastIndex = at;
    if (SPACE.test(text)) {
      at = SPACE.lastIndex;
      spaced = true;
      continue;
    }
    const token = nextToken(text, at, spaced);
    tokens.push(token);
    at += token.text.length;
    spaced = false;
  }
  throw syntaxError(text, from, "unclosed action");
}

function nextToken(text: string, at: number, spaced: boolean): Token {
  for (const [kind, pattern] of TOKENS) {
    pattern.lastIndex = at;
    const match = pattern.exec(text)?.[0];
    if (match === undefined) continue;
    const token = { kind, text: match, at, spaced };
    return kind === "literal" ? { ...token, value: literalValue(text, match, at) } : token;
  }
  throw syntaxError(text, at, badCharacter(text.slice(at)));
}

function badCharacter(rest: string): string {
  const character = String.fromCodePoint(rest.codePointAt(0)!);
  if (character === '"') return "unterminated quoted string";
  if (character === "`") return "unterminated raw quoted string";
  if (character === "'") return "unterminated character constant";
  if (/[\d+-]/.test(character)) return `bad number syntax: ${JSON.stringify(/^[^\s}]*/.exec(rest)![0])}`;
  if (/[!-~]/.test(character)) return `unexpected ${JSON.stringify(character)} in command`;
  const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  return `unrecognized character in action: U+${code} '${character}'`;
}

function literalValue(text: string, literal: string, at: number): string | number {
  switch (literal[0]) {
    case "`":
      return literal.slice(1, -1);
    case '"':
      return unquote(text, literal.slice(1, -1), at);
    case "'":
      return characterCode(text, literal, at);
    default:
      return parseNumber(literal);
  }
}

function characterCode(text: string, literal: string, at: number): number {
  const [character = "", ...others] = unquote(text, literal.slice(1, -1), at);
  if (others.length > 0) throw syntaxError(text, at, `malformed character constant: ${literal}`);
  return character.codePointAt(0)!;
}

function parseNumber(literal: string): number {
  const digits = literal.replaceAll("_", "");
  const octal = /^([+-]?)0(\d+)$/.exec(digits);
  if (octal !== null) return Number.parseInt(octal[1]! + octal[2]!, 8);
  return digits.startsWith("-") ? -Number(digits.slice(1)) : Number(digits);
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

function unquote(text: string, body: string, at: number): string {
  return body.replace(
    /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([0-7]{3})|(.))/gi,
    (_, x, u, wide, octal, simple) => {
      if (simple !== undefined) {
        const character = SIMPLE_ESCAPES[simple];
        if (character === undefined) throw syntaxError(text, at, "invalid syntax");
        return character;
      }
      const code = Number.parseInt(x ?? u ?? wide ?? octal, octal === undefined ? 16 : 8);
      if (code > 0x10ffff) throw syntaxError(text, at, "invalid syntax");
      return String.fromCodePoint(code);
    },
  );
}
