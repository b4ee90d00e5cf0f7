import { isVarveError, VarveError } from "../errors.ts";
import { foldKey } from "../json/fold.ts";
import { field, goMap, goString, goStruct } from "../json/go-type.ts";
import { formatGo, type GoValue } from "../json/go-value.ts";
import { parseJson } from "../json/json.ts";
import {
  familiarName,
  familiarString,
  parseNormalized,
  type Reference,
  withDefaultTag,
  withDigest,
} from "./reference.ts";

/** What `repositories.json` holds (FORMATS 4.1), with everything odd in it. */
export interface Repositories {
  /** Familiar names, then familiar references, then what should be image IDs. */
  readonly byName: ReadonlyMap<string, ReadonlyMap<string, string> | null>;
  /** Other top-level members. */
  readonly others: readonly (readonly [string, GoValue])[];
}

export const NO_REPOSITORIES: Repositories = { byName: new Map(), others: [] };

/** Where a reference is kept: a digest decides alone, and a bare name means its `latest`. */
export interface Place {
  readonly name: string;
  readonly key: string;
}

export function placeOf(reference: Reference): Place {
  const stored = reference.digest === undefined ? withDefaultTag(reference) : withDigest(reference, reference.digest);
  return { name: familiarName(stored), key: familiarString(stored) };
}

/** The reference that is kept at a place; `undefined` when no lookup ever comes there. */
export function referenceAt({ name, key }: Place): Reference | undefined {
  try {
    const reference = parseNormalized(key);
    const place = placeOf(reference);
    return place.name === name && place.key === key ? reference : undefined;
  } catch (error) {
    if (isVarveError(error, "invalid-reference")) return undefined;
    throw error;
  }
}

/**
 * Reads the file as dockerd does.
 *
 * @throws VarveError `corrupt` for what would also keep dockerd from starting
 */
export function parseRepositories(bytes: Uint8Array, path: string): Repositories {
  try {
    const json = parseJson(bytes, { first: true });
    const { byName } = fileType.read(json, fileType.zero, "");
    const others = [...json.members()].filter(([key]) => foldKey(key) !== "repositories");
    return { byName: byName ?? new Map(), others };
  } catch (error) {
    if (!isVarveError(error)) throw error;
    throw new VarveError("corrupt", `${path}: ${error.message}`, { path }, error);
  }
}

export function formatRepositories({ byName, others }: Repositories): Buffer {
  return formatGo({ Repositories: byName, ...Object.fromEntries(others) });
}

const fileType = goStruct("store", { byName: field("Repositories", goMap(goMap(goString))) });
