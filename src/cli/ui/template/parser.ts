/** Makes nodes of a template's tokens, with Go's checks: balanced blocks, known functions, declared variables. */
import type { VarveError } from "../../../errors.ts";
import type { FunctionTable } from "./functions.ts";
import { cutTemplate, type Piece, syntaxError, type Token } from "./lexer.ts";
import type { Block, Command, Node, Operand, Pipeline, Tree } from "./syntax.ts";

/** Nesting beyond this is refused, so that no template can exhaust the stack. */
const DEPTH_LIMIT = 500;

/** @throws VarveError `invalid-argument` */
export function parse(text: string, functions: FunctionTable): Tree {
  return new Parser(text, functions).tree();
}

interface Ending {
  readonly body: Node[];
  /** `end`, `else` with what follows it, or the template's end. */
  readonly word: "end" | "else" | "";
  readonly rest: Tokens;
}

class Parser {
  readonly #text: string;
  readonly #functions: FunctionTable;
  readonly #pieces: readonly Piece[];
  readonly #defined = new Map<string, Block>();
  #variables: string[] = ["$"];
  #next = 0;
  #depth = 0;
  #loops = 0;

  constructor(text: string, functions: FunctionTable) {
    this.#text = text;
    this.#functions = functions;
    this.#pieces = cutTemplate(text);
  }

  tree(): Tree {
    const { body, word, rest } = this.#block();
    if (word !== "") throw this.#error(rest.at, `unexpected {{${word}}}`);
    return { text: this.#text, body, defined: this.#defined };
  }

  /** Nodes up to the `end` or `else` that closes them. */
  #block(): Ending {
    if (++this.#depth > DEPTH_LIMIT) throw this.#error(0, "template is nested too deeply");
    const body: Node[] = [];
    for (let piece = this.#pieces[this.#next++]; piece !== undefined; piece = this.#pieces[this.#next++]) {
      if (piece.kind === "text") {
        body.push(piece);
        continue;
      }
      const tokens = new Tokens(piece.tokens, piece.at);
      const word = tokens.peek()?.kind === "word" ? tokens.peek()!.text : "";
      if (word === "end" || word === "else") {
        tokens.take();
        this.#depth--;
        return { body, word, rest: tokens };
      }
      const node = this.#action(word, tokens);
      if (node !== undefined) body.push(node);
    }
    this.#depth--;
    return { body, word: "", rest: new Tokens([], this.#text.length) };
  }

  #action(word: string, tokens: Tokens): Node | undefined {
    switch (word) {
      case "if":
      case "with":
      case "range":
        tokens.take();
        return this.#control(word, tokens);
      case "define":
        tokens.take();
        return this.#define(tokens);
      case "block":
      case "template":
        tokens.take();
        return this.#call(word, tokens);
      case "break":
      case "continue":
        tokens.take();
        this.#expectEnd(tokens, word);
        if (this.#loops === 0) throw this.#error(tokens.at, `{{${word}}} outside {{range}}`);
        return { kind: word };
      default:
        return { kind: "action", pipeline: this.#pipeline(tokens, "command") };
    }
  }

  #control(kind: "if" | "with" | "range", tokens: Tokens): Node {
    const scope = this.#variables.length;
    const pipeline = this.#pipeline(tokens, kind);
    if (kind === "range") this.#loops++;
    const main = this.#block();
    if (kind === "range") this.#loops--;
    let otherwise: Node[] = [];
    if (main.word === "") throw this.#error(this.#text.length, "unexpected EOF");
    if (main.word === "else") otherwise = this.#otherwise(kind, main.rest);
    else this.#expectEnd(main.rest, "end");
    this.#variables = this.#variables.slice(0, scope);
    return { kind, pipeline, body: main.body, otherwise };
  }

  #otherwise(kind: string, tokens: Tokens): Node[] {
    if (kind === "if" && tokens.peek()?.text === "if") {
      tokens.take();
      return [this.#control("if", tokens)];
    }
    this.#expectEnd(tokens, "else");
    const { body, word, rest } = this.#block();
    if (word === "") throw this.#error(this.#text.length, "unexpected EOF");
    if (word === "else") throw this.#error(rest.at, "expected end; found {{else}}");
    this.#expectEnd(rest, "end");
    return body;
  }

  #define(tokens: Tokens): undefined {
    const name = this.#name(tokens, "define");
    this.#expectEnd(tokens, "define clause");
    this.#defined.set(name, this.#separate("define clause"));
  }

  #call(word: "block" | "template", tokens: Tokens): Node {
    const at = tokens.at;
    const name = this.#name(tokens, word);
    const pipeline = tokens.peek() === undefined ? undefined : this.#pipeline(tokens, word);
    if (word === "block") this.#defined.set(name, this.#separate("block clause"));
    return { kind: "template", name, pipeline, at };
  }

  /** The body of a definition: it sees none of the variables around it. */
  #separate(context: string): Block {
    const [variables, loops] = [this.#variables, this.#loops];
    this.#variables = ["$"];
    this.#loops = 0;
    const { body, word, rest } = this.#block();
    this.#variables = variables;
    this.#loops = loops;
    if (word === "") throw this.#error(this.#text.length, "unexpected EOF");
    if (word === "else") throw this.#error(rest.at, `unexpected {{else}} in ${context}`);
    return body;
  }

  #name(tokens: Tokens, context: string): string {
    const token = tokens.take();
    if (token === undefined || typeof token.value !== "string")
      throw this.#unexpected(token, tokens, `${context} clause`);
    return token.value;
  }

  /** Commands joined by `|`, up to the action's end or a closing parenthesis. */
  #pipeline(tokens: Tokens, context: string): Pipeline {
    const { variables, assigns } = this.#declaration(tokens, context);
    const commands: Command[] = [];
    do commands.push(this.#command(tokens, context));
    while (tokens.takeMark("|"));
    if (context !== "group") this.#expectEnd(tokens, context);
    else if (!tokens.takeMark(")")) throw this.#error(tokens.at, "unclosed left paren");
    const literal = commands.slice(1).find(({ operands }) => ["dot", "nil", "literal"].includes(operands[0]!.kind));
    if (literal !== undefined)
      throw this.#error(literal.at, `non executable command in pipeline stage ${commands.indexOf(literal) + 1}`);
    if (!assigns) this.#variables.push(...variables);
    return { variables, assigns, commands };
  }

  /** `$x :=`, `$x =`, and for range also `$i, $x :=`. */
  #declaration(tokens: Tokens, context: string): { variables: string[]; assigns: boolean } {
    const marks = tokens.ahead(4).map(({ kind, text }) => (kind === "variable" ? "$" : text));
    const pair = context === "range" && marks[0] === "$" && marks[1] === "," && marks[2] === "$";
    const operator = marks[pair ? 3 : 1];
    if (marks[0] !== "$" || (operator !== ":=" && operator !== "=")) return { variables: [], assigns: false };
    const variables = [tokens.take()!.text];
    if (pair && tokens.takeMark(",")) variables.push(tokens.take()!.text);
    tokens.take();
    if (operator === "=") for (const name of variables) this.#checkVariable(name, tokens.at);
    return { variables, assigns: operator === "=" };
  }

  #command(tokens: Tokens, context: string): Command {
    const operands: Operand[] = [];
    const at = tokens.at;
    for (let token = tokens.peek(); token !== undefined && !isStop(token); token = tokens.peek()) {
      if (operands.length > 0 && !token.spaced && token.text !== "(") throw this.#unexpected(token, tokens, "operand");
      operands.push(this.#operand(tokens));
    }
    if (operands.length === 0) {
      if (tokens.peek() !== undefined) throw this.#unexpected(tokens.peek(), tokens, context);
      throw this.#error(at, `missing value for ${context}`);
    }
    return { at, operands };
  }

  #operand(tokens: Tokens): Operand {
    const token = tokens.take()!;
    const at = token.at;
    if (token.kind === "field") return this.#field(token, tokens);
    if (token.kind === "variable") {
      this.#checkVariable(token.text, at);
      return { kind: "variable", name: token.text, ...this.#path(tokens, at) };
    }
    const simple = this.#simple(token, tokens);
    if (tokens.peek()?.kind === "field" && !tokens.peek()!.spaced)
      throw this.#error(at, `unexpected . after term ${JSON.stringify(token.text)}`);
    return simple;
  }

  #simple(token: Token, tokens: Tokens): Operand {
    const at = token.at;
    if (token.kind === "dot") return { kind: "dot", at };
    if (token.kind === "literal") return { kind: "literal", value: token.value!, source: token.text, at };
    if (token.text === "nil") return { kind: "nil", at };
    if (token.text === "true" || token.text === "false")
      return { kind: "literal", value: token.text === "true", source: token.text, at };
    if (token.text === "(") return { kind: "group", pipeline: this.#group(tokens), ...this.#path(tokens, at) };
    if (token.kind !== "word") throw this.#unexpected(token, tokens, "operand");
    if (!Object.hasOwn(this.#functions, token.text))
      throw this.#error(at, `function ${JSON.stringify(token.text)} not defined`);
    return { kind: "function", name: token.text, at };
  }

  #group(tokens: Tokens): Pipeline {
    if (++this.#depth > DEPTH_LIMIT) throw this.#error(tokens.at, "template is nested too deeply");
    const pipeline = this.#pipeline(tokens, "group");
    this.#depth--;
    return pipeline;
  }

  #field(token: Token, tokens: Tokens): Operand {
    const { path, at } = this.#path(tokens, token.at);
    return { kind: "field", path: [token.text.slice(1), ...path], at };
  }

  /** The `.a.b` that follows without a space; messages point at its first part. */
  #path(tokens: Tokens, operandAt: number): { path: string[]; at: number } {
    const path: string[] = [];
    let at = operandAt;
    for (let token = tokens.peek(); token?.kind === "field" && !token.spaced; token = tokens.peek()) {
      if (path.length === 0) at = token.at;
      path.push(tokens.take()!.text.slice(1));
    }
    return { path, at };
  }

  #checkVariable(name: string, at: number): void {
    if (!this.#variables.includes(name)) throw this.#error(at, `undefined variable ${JSON.stringify(name)}`);
  }

  #expectEnd(tokens: Tokens, context: string): void {
    if (tokens.peek() !== undefined) throw this.#unexpected(tokens.peek(), tokens, context);
  }

  #unexpected(token: Token | undefined, tokens: Tokens, context: string): VarveError {
    const text = JSON.stringify(token?.text ?? "}}");
    return this.#error(token?.at ?? tokens.at, `unexpected ${text} in ${context}`);
  }

  #error(at: number, problem: string): VarveError {
    return syntaxError(this.#text, at, problem);
  }
}

function isStop(token: Token): boolean {
  return token.kind === "mark" && token.text !== "(";
}

/** The tokens of one action, taken from the left. */
class Tokens {
  readonly #tokens: readonly Token[];
  readonly #actionAt: number;
  #next = 0;

  constructor(tokens: readonly Token[], actionAt: number) {
    this.#tokens = tokens;
    this.#actionAt = actionAt;
  }

  get at(): number {
    return this.peek()?.at ?? this.#tokens.at(-1)?.at ?? this.#actionAt;
  }

  peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  ahead(count: number): readonly Token[] {
    return this.#tokens.slice(this.#next, this.#next + count);
  }

  take(): Token | undefined {
    return this.#tokens[this.#next++];
  }

  takeMark(text: string): boolean {
    if (this.peek()?.kind !== "mark" || this.peek()!.text !== text) return false;
    this.#next++;
    return true;
  }
}
