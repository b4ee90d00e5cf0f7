import type { EventFilters } from "../engine/event-filter.ts";
import type { ImageFilters, PruneFilters } from "../engine/filters.ts";
import { VarveError } from "../errors.ts";

/**
 * The parameter `filters`: an object that has, for each name, a list of values, or as older clients write it an object of
 * values that are `true`.
 *
 * @throws VarveError `invalid-argument`
 */
export function parseFilters(query: URLSearchParams): EventFilters {
  const text = query.get("filters") ?? "";
  if (text === "") return new Map();
  const document = parse(text);
  if (document === null) return new Map();
  if (typeof document !== "object" || Array.isArray(document)) throw invalid(text);
  return new Map(Object.entries(document).map(([name, values]) => [name, valuesOf(values, text)]));
}

/** @throws VarveError `invalid-argument` with Docker's texts */
export function containerPruneFilters(filters: EventFilters): PruneFilters {
  refuseUnknown(filters, ["label", "label!", "until"]);
  return { label: filters.get("label"), "label!": filters.get("label!"), until: single(filters, "until") };
}

/** @throws VarveError `invalid-argument` with Docker's texts */
export function imageFilters(filters: EventFilters): ImageFilters {
  refuseUnknown(filters, ["dangling", "label", "before", "since", "reference", "until"]);
  return {
    dangling: choice(filters, "dangling", ["true"], ["false"]),
    label: filters.get("label"),
    before: filters.get("before")?.at(-1),
    since: filters.get("since")?.at(-1),
    reference: filters.get("reference"),
    until: single(filters, "until"),
  };
}

/**
 * @returns `all` for `dangling=false`, which is about images that have names too
 * @throws VarveError `invalid-argument` with Docker's texts
 */
export function pruneFilters(filters: EventFilters): PruneFilters & { readonly all: boolean } {
  refuseUnknown(filters, ["dangling", "label", "label!", "until"]);
  return {
    all: choice(filters, "dangling", ["false", "0"], ["true", "1"]) ?? false,
    label: filters.get("label"),
    "label!": filters.get("label!"),
    until: single(filters, "until"),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(text, error);
  }
}

function valuesOf(values: unknown, text: string): string[] {
  if (values === null) return [];
  if (Array.isArray(values) && values.every((value) => typeof value === "string")) return [...new Set(values)];
  if (typeof values === "object" && values !== null && !Array.isArray(values)) {
    const entries = Object.entries(values);
    if (entries.every(([, value]) => typeof value === "boolean")) return entries.map(([value]) => value);
  }
  throw invalid(text);
}

const LONGEST_SHOWN = 200;

function invalid(text: string, cause?: unknown): VarveError {
  const message = `invalid filters: not an object of lists of strings: ${text.slice(0, LONGEST_SHOWN)}`;
  return new VarveError("invalid-argument", message, { text }, cause);
}

function refuseUnknown(filters: EventFilters, known: readonly string[]): void {
  for (const name of filters.keys())
    if (!known.includes(name)) throw new VarveError("invalid-argument", `Invalid filter '${name}'`, { name });
}

function choice(
  filters: EventFilters,
  name: string,
  yes: readonly string[],
  no: readonly string[],
): boolean | undefined {
  const values = filters.get(name);
  if (values === undefined || values.length === 0) return undefined;
  if (values.some((value) => yes.includes(value))) return true;
  if (values.some((value) => no.includes(value))) return false;
  throw new VarveError("invalid-argument", `Invalid filter '${name}=[${values.join(" ")}]'`, { name, values });
}

function single(filters: EventFilters, name: string): string | undefined {
  const values = filters.get(name);
  if (values === undefined || values.length <= 1) return values?.[0];
  throw new VarveError("invalid-argument", `more than one ${name} filter specified`, { name, values });
}
