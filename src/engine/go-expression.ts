import { createRequire } from "node:module";
import type { RE2JS } from "re2js";

/**
 * Reads a regular expression of Go's, as some of Docker's filters take them. Whatever somebody asks for, a match takes time in
 * proportion to the text.
 *
 * @returns what tells whether something in a text matches; nothing matches what is no expression, as with Docker
 */
export function readExpression(source: string): (text: string) => boolean {
  if (/^[\w/-]*$/.test(source)) return (text) => text.includes(source);
  const expression = compile(source);
  return (text) => expression?.matcher(text).find() === true;
}

function compile(source: string): RE2JS | undefined {
  // Hardly any filter is one, so that its 15 ms are only spent then.
  const { RE2JS, RE2JSSyntaxException } = createRequire(import.meta.url)("re2js") as typeof import("re2js");
  try {
    return RE2JS.compile(source);
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return undefined;
    throw error;
  }
}
