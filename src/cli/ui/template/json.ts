/** JSON as Go's encoder spells it. */

/**
 * One line. Go escapes U+2028 and U+2029 and writes `\b` and `\f` as `\u00xx`; the formatters of Docker's tables also
 * escape `<`, `>` and `&`, its `inspect` does not. A `bigint` is a number.
 */
export function goJson(document: unknown, escapesHtml = false): string {
  const text = JSON.stringify(document, bigintText).replace(ODD, respell);
  return escapesHtml ? text.replace(/[<>&]/g, unicodeEscape) : text;
}

/** Indented by four spaces, as `docker inspect` prints. */
export function prettyJson(document: unknown): string {
  return JSON.stringify(document, null, 4).replace(ODD, respell);
}

/** What `JSON.stringify` spells otherwise; escaped backslashes and quotes are passed over whole. */
const ODD = /[\u2028\u2029]|\\[bf\\"]|"\\u0000-?\d+n"/g;

const ESCAPES: Readonly<Record<string, string>> = {
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
  "\\b": "\\u0008",
  "\\f": "\\u000c",
};

function respell(found: string): string {
  return ESCAPES[found] ?? (found.endsWith('n"') ? found.slice('"\\u0000'.length, -'n"'.length) : found);
}

/** Whole numbers beyond the exact range of numbers, marked until they can stand without quotes. */
function bigintText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `\0${value}n` : value;
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
