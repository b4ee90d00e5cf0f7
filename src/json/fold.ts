/** What object keys and field names have in common when Go takes them for equal: ASCII letters of either case, and the two characters that Unicode folds to one. */
export function foldKey(key: string): string {
  return key.replace(/[A-Z\u017f\u212a]/g, (character) => FOREIGN[character] ?? character.toLowerCase());
}

const FOREIGN: Readonly<Record<string, string>> = { "\u017f": "s", "\u212a": "k" };
