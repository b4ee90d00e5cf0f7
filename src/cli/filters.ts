/** `--filter name=value`, with Docker's checks and messages. */

import { CONTAINER_FILTERS, type ContainerFilters } from "../engine/container-filter.ts";
import type { ImageFilters, PruneFilters } from "../engine/filters.ts";
import { VarveError } from "../errors.ts";

/** @throws VarveError `invalid-argument` */
export function imageFilters(given: readonly string[] = []): ImageFilters {
  const values = parseFilters(given, ["dangling", "label", "before", "since", "reference", "until"]);
  return {
    ...only("dangling", values.get("dangling")?.map(danglingValue)),
    ...list("label", values),
    ...only("before", values.get("before")),
    ...only("since", values.get("since")),
    ...list("reference", values),
    ...only("until", values.get("until")),
  };
}

/** @throws VarveError `invalid-argument` */
export function pruneFilters(given: readonly string[] = []): PruneFilters {
  const values = parseFilters(given, ["until", "label", "label!"]);
  return { ...only("until", values.get("until")), ...list("label", values), ...list("label!", values) };
}

/** @throws VarveError `invalid-argument` */
export function containerFilters(given: readonly string[] = []): ContainerFilters {
  return Object.fromEntries(parseFilters(given, CONTAINER_FILTERS)) as ContainerFilters;
}

/** @throws VarveError `invalid-argument` for a name that is not among `known` */
export function parseFilters(given: readonly string[], known: readonly string[]): ReadonlyMap<string, string[]> {
  const filters = new Map<string, string[]>();
  for (const text of given) {
    const at = text.indexOf("=");
    if (at < 0)
      throw new VarveError("invalid-argument", `invalid filter "${text}": bad format of filter (expected name=value)`);
    const name = text.slice(0, at).trim().toLowerCase();
    if (!known.includes(name))
      throw new VarveError("invalid-argument", `Invalid filter '${name}' (there are ${known.join(", ")})`, { name });
    filters.set(name, [...(filters.get(name) ?? []), text.slice(at + 1).trim()]);
  }
  return filters;
}

function danglingValue(text: string): boolean {
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  throw new VarveError("invalid-argument", `Invalid filter 'dangling=${text}' (it is true or false)`);
}

/** Of a filter that has one value the last counts. */
function only<Name extends string, Kind>(name: Name, values: readonly Kind[] | undefined): { [name in Name]?: Kind } {
  return (values === undefined ? {} : { [name]: values.at(-1) }) as { [name in Name]?: Kind };
}

function list<Name extends string>(
  name: Name,
  values: ReadonlyMap<string, string[]>,
): { [name in Name]?: readonly string[] } {
  return (values.has(name) ? { [name]: values.get(name) } : {}) as { [name in Name]?: readonly string[] };
}
