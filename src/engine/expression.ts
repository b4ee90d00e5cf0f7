import { runInNewContext } from "node:vm";

/** Expressions may take for ever to match; none that somebody means takes long. */
const LONGEST_MATCH_MS = 100;

/**
 * The texts that an expression is equal to or somewhere in, or that it matches as a regular expression. One that is none,
 * or takes too long at them, matches nothing else.
 */
export function textsMatching(expression: string, texts: readonly string[]): ReadonlySet<string> {
  const plain = texts.filter((text) => text === expression);
  if (/^[\w/-]*$/.test(expression)) return new Set(texts.filter((text) => text.includes(expression)));
  try {
    const context = { expression, texts: JSON.stringify(texts) };
    const matching = runInNewContext(SCRIPT, context, { timeout: LONGEST_MATCH_MS });
    return new Set([...plain, ...JSON.parse(matching)]);
  } catch {
    return new Set(plain); // no expression, or one that takes too long
  }
}

/** A context of its own for each text would take a second for a thousand of them. */
const SCRIPT =
  "const matches = new RegExp(expression); JSON.stringify(JSON.parse(texts).filter((text) => matches.test(text)))";
