import { VarveError } from "../errors.ts";
import { compareTimes, type GoTime } from "../json/go-time.ts";

/** The filters of `docker images`. */
export interface ImageFilters {
  readonly dangling?: boolean | undefined;
  /** `key` or `key=value`; all must match. */
  readonly label?: readonly string[] | undefined;
  /** An image name: only images created before it. */
  readonly before?: string | undefined;
  /** An image name: only images created after it. */
  readonly since?: string | undefined;
  /** Patterns on familiar names, such as `lib*:1.?`; one must match. */
  readonly reference?: readonly string[] | undefined;
  /** A time (RFC 3339, Unix seconds) or a duration back from now (`24h`): only images created before it. */
  readonly until?: string | undefined;
}

/** The filters of `docker image prune`. */
export interface PruneFilters {
  /** As in `ImageFilters`. */
  readonly until?: string | undefined;
  /** As in `ImageFilters`. */
  readonly label?: readonly string[] | undefined;
  /** Images that carry all of these stay. */
  readonly "label!"?: readonly string[] | undefined;
}

/** What the filters on labels and times ask of an image. */
export interface FilteredImage {
  readonly created: GoTime;
  readonly labels: ReadonlyMap<string, string> | null;
}

/**
 * What accepts the images that the filters on labels and times let pass.
 *
 * @param createdOf when the image of a name was made
 */
export function acceptorOf(
  filters: ImageFilters,
  createdOf: (name: string) => GoTime,
): (image: FilteredImage) => boolean {
  const before = filters.before === undefined ? undefined : createdOf(filters.before);
  const since = filters.since === undefined ? undefined : createdOf(filters.since);
  const until = filters.until === undefined ? undefined : parseTimeFilter(filters.until) / 1000;
  return ({ created, labels }) => {
    if (before !== undefined && compareTimes(created, before) >= 0) return false;
    if (since !== undefined && compareTimes(created, since) <= 0) return false;
    if (until !== undefined && created.seconds + created.nanoseconds / 1e9 > until) return false;
    if (filters.label === undefined) return true;
    return matchesLabels(labels === null ? undefined : Object.fromEntries(labels), filters.label);
  };
}

/**
 * Whether `docker images` lists an image: one without a name only when nothing stands on it, or with `all`.
 *
 * @param names how many of its names match the filter `reference`, and how many of these are tags
 */
export function isListed(
  { names, tags, hasChildren }: { readonly names: number; readonly tags: number; readonly hasChildren: boolean },
  { all, dangling, reference }: ImageFilters & { readonly all: boolean },
): boolean {
  if (names === 0) return (all || !hasChildren) && dangling !== false && reference === undefined;
  return dangling !== true || tags === 0;
}

/** Whether one of the patterns matches one of the names, or there are no patterns. */
export function matchesAny(patterns: readonly string[] | undefined, ...names: readonly string[]): boolean {
  return patterns?.some((pattern) => names.some((name) => matchesPattern(pattern, name))) ?? true;
}

/** Whether labels hold every `key` and `key=value` that is asked for. */
export function matchesLabels(
  labels: Readonly<Record<string, string>> | undefined,
  wanted: readonly string[],
): boolean {
  return wanted.every((filter) => {
    const [key, value] = splitOnce(filter, "=");
    if (labels === undefined || !Object.hasOwn(labels, key)) return false;
    return value === undefined || labels[key] === value;
  });
}

/**
 * Go's `path.Match`: `*` and `?` stop at slashes, `[a-z]` and `[^a]` are classes, a backslash takes the next character
 * as it is. Linear in pattern times name.
 *
 * @throws VarveError `invalid-argument` for a pattern that does not parse
 */
export function matchesPattern(pattern: string, name: string): boolean {
  const tokens = parsePattern(pattern);
  let reachable = new Set([0]);
  const settle = (states: Set<number>): Set<number> => {
    for (const state of states) if (tokens[state] === STAR) states.add(state + 1);
    return states;
  };
  reachable = settle(reachable);
  for (const character of name) {
    const next = new Set<number>();
    for (const state of reachable) {
      const token = tokens[state];
      if (token === undefined) continue;
      if (token === STAR) {
        if (character !== "/") next.add(state);
      } else if (token(character)) next.add(state + 1);
    }
    reachable = settle(next);
  }
  return reachable.has(tokens.length);
}

/**
 * Reads a time filter as Docker does.
 *
 * @returns milliseconds since the epoch
 * @throws VarveError `invalid-argument`
 */
export function parseTimeFilter(text: string, now: number = Date.now()): number {
  if (/^-?\d+(\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  const duration = parseGoDuration(text);
  if (duration !== undefined) return now - duration;
  const time = /^\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text)
    ? Date.parse(completeTime(text))
    : Number.NaN;
  if (Number.isNaN(time))
    throw new VarveError("invalid-argument", `failed to parse value as time or duration: "${text}"`, { text });
  return time;
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A Go duration such as `1h30m` in milliseconds, or `undefined`. */
export function parseGoDuration(text: string): number | undefined {
  const match = /^([+-])?((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g))
    total += Number(amount) * UNITS[unit!]!;
  return match[1] === "-" ? -total : total;
}

function completeTime(text: string): string {
  const hour = /T\d{2}(?=$|Z|[+-])/.exec(text);
  return hour === null ? text : `${text.slice(0, hour.index + 3)}:00${text.slice(hour.index + 3)}`;
}

const STAR = Symbol("any run of characters without a slash");
type Token = typeof STAR | ((character: string) => boolean);

function parsePattern(pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = [...pattern];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (character === "*") tokens.push(STAR);
    else if (character === "?") tokens.push((c) => c !== "/");
    else if (character === "[") {
      const [token, end] = parseClass(pattern, characters, i + 1);
      tokens.push(token);
      i = end;
    } else {
      const literal = character === "\\" ? characters[++i] : character;
      if (literal === undefined) throw badPattern(pattern);
      tokens.push((c) => c === literal);
    }
  }
  return tokens;
}

/** Reads a class after its `[`; returns the index of its `]`. */
function parseClass(pattern: string, characters: readonly string[], start: number): [Token, number] {
  let i = start;
  const negated = characters[i] === "^";
  if (negated) i++;
  const ranges: [string, string][] = [];
  const bound = (): string => {
    let character = characters[i++];
    if (character === "\\") character = characters[i++];
    else if (character === "-" || character === "]") throw badPattern(pattern);
    if (character === undefined) throw badPattern(pattern);
    return character;
  };
  while (characters[i] !== "]" || ranges.length === 0) {
    const low = bound();
    let high = low;
    if (characters[i] === "-") {
      i++;
      high = bound();
    }
    ranges.push([low, high]);
  }
  return [(c) => ranges.some(([low, high]) => low <= c && c <= high) !== negated, i];
}

function badPattern(pattern: string): VarveError {
  return new VarveError("invalid-argument", `syntax error in pattern: ${pattern}`, { pattern });
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
