import { type Digest, isDigest, parseDigest } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import { isIdentifier, isTag, matchReference } from "./grammar.ts";

/**
 * Names of images: `[domain/]path[:tag][@digest]` (FORMATS 4).
 *
 * `grammar.ts` says what is a reference at all. Here a text that a user typed becomes a normalised reference (`ubuntu` is
 * `docker.io/library/ubuntu`), and a normalised reference becomes its familiar, short form again.
 * `reference-store.ts` keeps which reference points to which image, under familiar names, in the file that
 * `repositories.ts` reads and writes.
 *
 * Docker accepted more with time: bracketed IPv6 domains, first components that are domains because of a capital letter,
 * and 255 characters for the path alone. All of that is accepted here; nothing that an older Docker accepts has another
 * meaning because of it.
 */
export interface Reference {
  /** Empty when `parseReference` read a name without one, and where only the path can take it, as in `a_b.c/d`. */
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DEFAULT_DOMAIN = "docker.io";
const LEGACY_DEFAULT_DOMAIN = "index.docker.io";
const OFFICIAL = "library/";
const DEFAULT_TAG = "latest";
const MAX_PATH_LENGTH = 255;

/**
 * Reads a name as a user types it (FORMATS 4.4).
 *
 * @throws VarveError `invalid-reference` with Docker's text
 * @example parseNormalized("ubuntu:24.04") // { domain: "docker.io", path: "library/ubuntu", tag: "24.04" }
 */
export function parseNormalized(text: string): Reference {
  if (isIdentifier(text))
    throw invalid(text, `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  const { domain, remainder } = splitDomain(text);
  const colon = remainder.indexOf(":");
  const name = colon < 0 ? remainder : remainder.slice(0, colon);
  if (name.toLowerCase() !== name) throw invalid(text, "invalid reference format: repository name must be lowercase");
  return parse(`${domain}/${remainder}`, text);
}

/** What a name on a command line can mean before any store is asked: exactly one image ID, or a reference. */
export type Named =
  | { readonly kind: "id"; readonly id: Digest }
  | { readonly kind: "reference"; readonly reference: Reference };

/**
 * Tells an image ID in full (64 hex characters or a complete digest) from a reference: step 1 of FORMATS 3.6.
 *
 * @throws VarveError `invalid-reference`
 */
export function parseAny(text: string): Named {
  if (isIdentifier(text)) return { kind: "id", id: `sha256:${text}` };
  if (isDigest(text)) return { kind: "id", id: text };
  return { kind: "reference", reference: parseNormalized(text) };
}

/**
 * Reads a reference by the grammar alone (FORMATS 4.3), without defaults.
 *
 * @throws VarveError `invalid-reference` with Docker's text
 */
export function parseReference(text: string): Reference {
  return parse(text, text);
}

/** @param given what the user typed, for errors */
function parse(text: string, given: string): Reference {
  const parts = matchReference(text);
  if (parts === undefined) throw invalid(given, whyNoReference(text));
  if (parts.path.length > MAX_PATH_LENGTH)
    throw invalid(given, `repository name must not be more than ${MAX_PATH_LENGTH} characters`);
  return {
    domain: parts.domain,
    path: parts.path,
    ...(parts.tag !== undefined && { tag: parts.tag }),
    ...(parts.digest !== undefined && { digest: digestIn(given, parts.digest) }),
  };
}

/** Domain and path, the canonical name: `docker.io/library/ubuntu`. */
export function canonicalName(reference: Reference): string {
  return reference.domain === "" ? reference.path : `${reference.domain}/${reference.path}`;
}

/** The full spelling. `parseNormalized` gives the same reference back. */
export function canonicalString(reference: Reference): string {
  return canonicalName(reference) + suffixOf(reference);
}

/** The short name, under which repositories.json keeps it: `ubuntu`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return canonicalName(reference);
  const { path } = reference;
  const rest = path.startsWith(OFFICIAL) ? path.slice(OFFICIAL.length) : path;
  return rest.includes("/") ? path : rest;
}

/**
 * The short spelling: `ubuntu:24.04`. `parseNormalized` gives the same reference back, except where the first part of a
 * path on Docker Hub looks like a domain: `docker.io/a.b/c` is `a.b/c` for short, and that is on `a.b`. Both are then one
 * to Docker, which stores references under their short spelling.
 */
export function familiarString(reference: Reference): string {
  return familiarName(reference) + suffixOf(reference);
}

/** The name with another tag, and without a digest. */
export function withTag(reference: Reference, tag: string): Reference {
  if (!isTag(tag)) throw invalid(tag, "invalid tag format");
  return { ...trimmed(reference), tag };
}

/** The name with a digest, and without a tag. */
export function withDigest(reference: Reference, digest: Digest): Reference {
  return { ...trimmed(reference), digest };
}

/** A bare name becomes its `latest`; a reference with a tag or a digest stays. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? withTag(reference, DEFAULT_TAG) : reference;
}

/** The name alone. */
export function trimmed(reference: Reference): Reference {
  return { domain: reference.domain, path: reference.path };
}

/** Whether neither a tag nor a digest narrows the name. */
export function isNameOnly(reference: Reference): boolean {
  return reference.tag === undefined && reference.digest === undefined;
}

function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  if (!isDomain(first)) return inDefaultDomain(text);
  const remainder = text.slice(slash + 1);
  if (first === DEFAULT_DOMAIN || first === LEGACY_DEFAULT_DOMAIN) return inDefaultDomain(remainder);
  return { domain: first, remainder };
}

function isDomain(first: string): boolean {
  return /[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first;
}

function inDefaultDomain(remainder: string): { domain: string; remainder: string } {
  return { domain: DEFAULT_DOMAIN, remainder: remainder.includes("/") ? remainder : OFFICIAL + remainder };
}

function suffixOf({ tag, digest }: Reference): string {
  return (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
}

function whyNoReference(text: string): string {
  if (text === "") return "repository name must have at least one component";
  if (matchReference(text.toLowerCase()) !== undefined) return "repository name must be lowercase";
  return "invalid reference format";
}

function digestIn(text: string, digest: string): Digest {
  try {
    return parseDigest(digest);
  } catch (error) {
    throw new VarveError("invalid-reference", (error as Error).message, { text }, error);
  }
}

function invalid(text: string, message: string): VarveError {
  return new VarveError("invalid-reference", message, { text });
}
