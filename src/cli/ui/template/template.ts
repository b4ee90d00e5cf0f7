/**
 * `--format` templates: the part of Go's text/template that Docker's client offers, over values as JSON gives them.
 * `lexer.ts` cuts the text into tokens, `parser.ts` makes nodes of them, `evaluate.ts` walks the nodes, `functions.ts`
 * and `printf.ts` are what can be called, `value.ts` is what flows. Errors are Go's texts on one line.
 */
import { evaluate } from "./evaluate.ts";
import type { FunctionTable } from "./functions.ts";
import { FUNCTIONS } from "./functions.ts";
import { parse } from "./parser.ts";
import type { Value } from "./value.ts";

export interface Template {
  /**
   * Renders one value.
   *
   * @throws VarveError `invalid-argument` when the template asks for what the value does not have
   */
  execute(data: Value): string;
}

/**
 * @param functions replaces some of Docker's functions; a table's header is rendered with those that leave text alone
 * @throws VarveError `invalid-argument`
 * @example parseTemplate("{{.Name | upper}}").execute({ Name: "x" }) // "X"
 */
export function parseTemplate(text: string, functions: FunctionTable = {}): Template {
  const table = { ...FUNCTIONS, ...functions };
  const tree = parse(text, table);
  return { execute: (data) => evaluate(tree, data, table) };
}
