/**
 * The grammar of references (FORMATS 4.3), anchored at both ends and greedy from the left. No alternative of a pattern
 * here can match the same text in two ways, so that matching takes time linear in the text.
 */
export interface Matched {
  /** Empty when the text names none. */
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  /** By its shape only. */
  readonly digest: string | undefined;
}

const DOMAIN_COMPONENT = "[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*";
const IPV6 = "\\[[a-fA-F0-9:]+\\]";
const DOMAIN = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|${IPV6})(?::[0-9]+)?`;
const PATH_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const PATH = `${PATH_COMPONENT}(?:/${PATH_COMPONENT})*`;
const TAG = "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}";
const DIGEST = "[a-zA-Z][a-zA-Z0-9]*(?:[-_+.][a-zA-Z][a-zA-Z0-9]*)*:[0-9a-fA-F]{32,}";

const REFERENCE = new RegExp(`^(?:(${DOMAIN})/)?(${PATH})(?::(${TAG}))?(?:@(${DIGEST}))?$`);
const WHOLE_TAG = new RegExp(`^${TAG}$`);
const IDENTIFIER = /^[a-f0-9]{64}$/;

/** Far above any legal reference, and low enough for the pattern matcher's stack. */
const MAX_LENGTH = 4096;

/** The parts of a reference, or `undefined` when the text is none. */
export function matchReference(text: string): Matched | undefined {
  const match = text.length > MAX_LENGTH ? null : REFERENCE.exec(text);
  if (match === null) return undefined;
  return { domain: match[1] ?? "", path: match[2]!, tag: match[3], digest: match[4] };
}

export function isTag(text: string): boolean {
  return WHOLE_TAG.test(text);
}

/** Whether the text is exactly what an image ID looks like without its algorithm: 64 lower-case hex characters. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}
