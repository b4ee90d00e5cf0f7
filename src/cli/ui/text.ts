/** What tables do to make a text fit: cut ids to twelve characters, cut long commands, and count screen columns. */

/** The short form of an id: without its algorithm, twelve characters. */
export function shortId(id: string): string {
  const colon = id.indexOf(":");
  return (colon < 0 ? id : id.slice(colon + 1)).slice(0, 12);
}

/**
 * Cuts a text to a number of screen columns, the last of them an ellipsis.
 *
 * @example ellipsis("hello world", 6) // "hello…"
 */
export function ellipsis(text: string, columns: number): string {
  if (columns <= 0) return "";
  let used = 0;
  let kept = "";
  for (const character of text) {
    used += columnsOf(character);
    if (used > columns) return `${cut(kept, columns - 1)}…`;
    kept += character;
  }
  return text;
}

function cut(text: string, columns: number): string {
  let used = 0;
  let kept = "";
  for (const character of text) {
    used += columnsOf(character);
    if (used > columns) break;
    kept += character;
  }
  return kept;
}

/** East Asian wide and full-width characters take two columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;

function columnsOf(character: string): 1 | 2 {
  return WIDE.test(character) ? 2 : 1;
}
