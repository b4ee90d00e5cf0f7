/** JSON as Go's encoder spells it. */

/**
 * One line. Go escapes U+2028 and U+2029 and writes `\b` and `\f` as `\u00xx`; the formatters of Docker's tables also
 * escape `<`, `>` and `&`, its `inspect` does not.
 */
export function goJson(document: unknown, escapesHtml = false): string {
  const text = JSON.stringify(document).replace(/[\u2028\u2029]|\\[bf\\"]/g, (found) => ESCAPES[found] ?? found);
  return escapesHtml ? text.replace(/[<>&]/g, unicodeEscape) : text;
}

/** Indented by four spaces, as `docker inspect` prints. */
export function prettyJson(document: unknown): string {
  return JSON.stringify(document, null, 4).replace(/[\u2028\u2029]|\\[bf\\"]/g, (found) => ESCAPES[found] ?? found);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
  "\\b": "\\u0008",
  "\\f": "\\u000c",
};

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
