import { invalid, isSpace, quote } from "./dockerfile.ts";

/**
 * Expands one word as Docker's builder does: quotes and escapes go, `$name` and `${name:-other}` become values.
 *
 * @param environment `NAME=value` entries, the first of a name counts
 * @throws VarveError `invalid-argument` with Docker's text
 * @example expandWord('"$HOME/x"', ["HOME=/root"], "\\") // "/root/x"
 */
export function expandWord(word: string, environment: readonly string[], escapeMark: string): string {
  return expand(word, environment, escapeMark).text;
}

/** Expands and then cuts at white space that was neither quoted nor escaped, that of values included. */
export function expandWords(word: string, environment: readonly string[], escapeMark: string): string[] {
  return expand(word, environment, escapeMark).words;
}

function expand(word: string, environment: readonly string[], escapeMark: string): Expansion {
  const expander = new Expander(word, environment, escapeMark);
  try {
    return expander.run(undefined);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalid(`failed to process ${quote(word)}: ${error.message}`);
  }
}

/** Keeps our stack from being a caller's to exhaust. */
const MAX_DEPTH = 100;

interface Expansion {
  readonly text: string;
  readonly words: string[];
}

class Expander {
  readonly #characters: readonly string[];
  readonly #environment: readonly string[];
  readonly #escapeMark: string;
  #at = 0;
  #depth = 0;

  constructor(word: string, environment: readonly string[], escapeMark: string) {
    this.#characters = [...word];
    this.#environment = environment;
    this.#escapeMark = escapeMark;
  }

  /** Runs to the stop character, which is consumed, or to the end. */
  run(stop: string | undefined): Expansion {
    let text = "";
    const words = new WordSplitter();
    for (let character = this.#peek(); character !== undefined; character = this.#peek()) {
      if (character === stop) {
        this.#at++;
        return { text, words: words.end() };
      }
      if (character === "$") {
        const value = this.#dollar();
        text += value;
        for (const part of value) words.add(part);
      } else if (character === "'" || character === '"') {
        const value = character === "'" ? this.#singleQuoted() : this.#doubleQuoted();
        text += value;
        words.addRaw(value);
      } else {
        this.#at++;
        if (character !== this.#escapeMark) {
          text += character;
          words.add(character);
          continue;
        }
        const next = this.#next();
        if (next === undefined) break;
        text += next;
        words.addRaw(next);
      }
    }
    if (stop !== undefined) throw new SyntaxError(`unexpected end of statement while looking for matching ${stop}`);
    return { text, words: words.end() };
  }

  #singleQuoted(): string {
    this.#at++;
    let text = "";
    for (;;) {
      const character = this.#next();
      if (character === undefined)
        throw new SyntaxError("unexpected end of statement while looking for matching single-quote");
      if (character === "'") return text;
      text += character;
    }
  }

  /** Only `"`, `$` and the escapeMark itself can be escaped here. */
  #doubleQuoted(): string {
    this.#at++;
    let text = "";
    for (;;) {
      const character = this.#peek();
      if (character === undefined)
        throw new SyntaxError("unexpected end of statement while looking for matching double-quote");
      if (character === "$") {
        text += this.#dollar();
        continue;
      }
      this.#at++;
      if (character === '"') return text;
      if (character !== this.#escapeMark) {
        text += character;
        continue;
      }
      const next = this.#peek();
      if (next === undefined) continue;
      const escapable = next === '"' || next === "$" || next === this.#escapeMark;
      if (escapable) this.#at++;
      text += escapable ? next : character;
    }
  }

  #dollar(): string {
    this.#at++;
    if (this.#peek() !== "{") {
      const name = this.#name();
      return name === "" ? "$" : (this.#value(name) ?? "");
    }
    this.#at++;
    const first = this.#peek();
    if (first === undefined) throw new SyntaxError("syntax error: missing '}'");
    if (first === "{" || first === "}" || first === ":") throw new SyntaxError("syntax error: bad substitution");
    const name = this.#name();
    let modifier = this.#next();
    if (modifier === "}") return this.#value(name) ?? "";
    if (modifier === "?") return this.#required(name, this.#substitute());
    if (modifier !== ":") throw new SyntaxError("missing ':' in substitution");
    modifier = this.#next();
    const word = this.#substitute();
    const value = this.#value(name) ?? "";
    switch (modifier) {
      case "+":
        return value === "" ? "" : word;
      case "-":
        return value === "" ? word : value;
      case "?":
        return this.#required(name, word, true);
      default:
        throw new SyntaxError(`unsupported modifier (${modifier ?? "\ufffd"}) in substitution`);
    }
  }

  #substitute(): string {
    if (++this.#depth > MAX_DEPTH) throw new SyntaxError("substitutions are nested too deeply");
    try {
      return this.run("}").text;
    } catch (error) {
      if (error instanceof SyntaxError && this.#peek() === undefined)
        throw new SyntaxError("syntax error: missing '}'");
      throw error;
    } finally {
      this.#depth--;
    }
  }

  #required(name: string, complaint: string, notEmpty = false): string {
    const value = this.#value(name);
    if (value !== undefined && !(notEmpty && value === "")) return value;
    const fallback = value === undefined ? "is not allowed to be unset" : "is not allowed to be empty";
    throw new SyntaxError(`${name}: ${complaint === "" ? fallback : complaint}`);
  }

  #name(): string {
    const first = this.#peek();
    if (first === undefined) return "";
    if (/[0-9]/.test(first)) return this.#while(/\p{Nd}/u);
    if ("@*#?-$!".includes(first)) {
      this.#at++;
      return first;
    }
    return this.#while(/[\p{L}\p{Nd}_]/u);
  }

  #while(pattern: RegExp): string {
    const start = this.#at;
    while (pattern.test(this.#peek() ?? "")) this.#at++;
    return this.#characters.slice(start, this.#at).join("");
  }

  #value(name: string): string | undefined {
    for (const entry of this.#environment) {
      const at = entry.indexOf("=");
      if (at < 0 && entry === name) return "";
      if (at >= 0 && entry.slice(0, at) === name) return entry.slice(at + 1);
    }
    return undefined;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #next(): string | undefined {
    return this.#characters[this.#at++];
  }
}

class WordSplitter {
  readonly #words: string[] = [];
  #word: string | undefined;

  add(character: string): void {
    if (!isSpace(character)) this.addRaw(character);
    else if (this.#word !== undefined) this.#push();
  }

  addRaw(text: string): void {
    this.#word = (this.#word ?? "") + text;
  }

  end(): string[] {
    if (this.#word !== undefined && this.#word !== "") this.#push();
    return this.#words;
  }

  #push(): void {
    this.#words.push(this.#word ?? "");
    this.#word = undefined;
  }
}
