import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type Digest, isDigest } from "../digest/digest.ts";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import { replaceFile } from "../io/atomic-file.ts";
import { readWholeFile } from "../io/whole-file.ts";
import { foldKey } from "../json/fold.ts";
import { field, goMap, goString, goStruct } from "../json/go-type.ts";
import { formatGo, type GoValue } from "../json/go-value.ts";
import { parseJson } from "../json/json.ts";
import {
  canonicalString,
  familiarName,
  familiarString,
  parseNormalized,
  type Reference,
  withDefaultTag,
  withDigest,
} from "./reference.ts";

/** A reference and the image that it points to. */
export interface Association {
  readonly reference: Reference;
  readonly id: Digest;
}

/**
 * `repositories.json` (FORMATS 4.1): which reference points to which image. Memory answers; every change rewrites the
 * file in one step. What dockerd tolerates in the file and no lookup finds, such as keys that are no references, stays in
 * it as it is.
 *
 * @example
 * const references = ReferenceStore.open("/var/lib/docker/image/overlay2/repositories.json", { sync: true });
 * references.addTag(parseNormalized("app:1"), id, { force: true });
 */
export class ReferenceStore {
  readonly #path: string;
  readonly #sync: boolean;
  #stamp = "";
  #repositories: Repositories = new Map();
  #others: readonly (readonly [string, GoValue])[] = [];
  #byID = new Map<Digest, Map<string, Reference>>();

  private constructor(path: string, sync: boolean) {
    this.#path = path;
    this.#sync = sync;
  }

  /**
   * A file that is not there is made by the first change.
   *
   * @param options.sync whether a change has reached the disk when it returns
   * @throws VarveError `corrupt` for a file that would also keep dockerd from starting
   */
  static open(path: string, options: { readonly sync: boolean }): ReferenceStore {
    const store = new ReferenceStore(path, options.sync);
    store.refresh();
    return store;
  }

  /**
   * Points a tag to an image; a bare name gets `latest`.
   *
   * @param options.force move the tag when it points to another image
   * @returns false when it pointed there already, and nothing was written
   * @throws VarveError `invalid-reference` for a reference with a digest, else like `add`
   */
  addTag(reference: Reference, id: Digest, options: { readonly force?: boolean } = {}): boolean {
    if (reference.digest !== undefined)
      throw invalid("refusing to create a tag with a digest reference", familiarString(reference));
    return this.add(reference, id, options);
  }

  /**
   * Points a reference to an image: a digest if it has one, else a tag.
   *
   * @returns false when it pointed there already, and nothing was written
   * @throws VarveError `invalid-reference` for the name `sha256`; `conflict` when it points to another image and is a
   *   digest, or a tag without `force`
   */
  add(reference: Reference, id: Digest, options: { readonly force?: boolean } = {}): boolean {
    const stored = storedForm(reference);
    const [name, key] = [familiarName(stored), familiarString(stored)];
    if (name === "sha256") throw invalid("refusing to create an ambiguous tag using digest algorithm as name", key);
    const before = this.#repositories.get(name)?.get(key);
    if (before === id) return false;
    if (before !== undefined) refuseMove(stored, before, options.force === true);
    this.#change(name, (entries) => entries.set(key, id));
    return true;
  }

  /**
   * Removes a reference; the image stays.
   *
   * @returns false when there was none
   */
  remove(reference: Reference): boolean {
    const stored = storedForm(reference);
    const [name, key] = [familiarName(stored), familiarString(stored)];
    if (this.#repositories.get(name)?.has(key) !== true) return false;
    this.#change(name, (entries) => entries.delete(key));
    return true;
  }

  /**
   * The image that a reference points to; with tag and digest, the digest decides.
   *
   * @throws VarveError `not-found`
   */
  get(reference: Reference): Digest {
    const id = this.find(reference);
    if (id === undefined)
      throw new VarveError("not-found", "reference does not exist", { reference: familiarString(reference) });
    return id;
  }

  /** Like `get`, with `undefined` for a reference that is not there. */
  find(reference: Reference): Digest | undefined {
    const stored = storedForm(reference);
    const id = this.#repositories.get(familiarName(stored))?.get(familiarString(stored));
    return id !== undefined && isDigest(id) ? id : undefined;
  }

  /** All references to an image, sorted by their canonical spelling. */
  referencesOf(id: Digest): Reference[] {
    return sorted(this.#byID.get(id)?.values() ?? [], (reference) => reference);
  }

  /** All references of a name with their images, sorted by their canonical spelling. */
  byName(reference: Reference): Association[] {
    const name = familiarName(reference);
    return this.all().filter((association) => familiarName(association.reference) === name);
  }

  /** Everything that lookups find, sorted by canonical spelling. */
  all(): Association[] {
    const associations = [...this.#byID].flatMap(([id, references]) =>
      [...references.values()].map((reference) => ({ reference, id })),
    );
    return sorted(associations, ({ reference }) => reference);
  }

  /** Reads the file again if another process wrote it. @throws VarveError `corrupt`; memory then stays as it was */
  refresh(): void {
    const stamp = stampOf(this.#path);
    if (stamp === this.#stamp) return;
    const bytes = readWholeFile(this.#path, MAX_SIZE);
    const { repositories, others } = bytes === undefined ? NOTHING : parseFile(this.#path, bytes);
    this.#take(repositories);
    this.#others = others;
    this.#stamp = stamp;
  }

  /** Writes the file with one repository changed, then remembers it. */
  #change(name: string, change: (entries: Map<string, string>) => void): void {
    const entries = new Map(this.#repositories.get(name) ?? []);
    change(entries);
    const repositories = new Map(this.#repositories);
    if (entries.size === 0) repositories.delete(name);
    else repositories.set(name, entries);
    const bytes = formatGo({ Repositories: repositories, ...Object.fromEntries(this.#others) });
    makeDirectory(dirname(this.#path));
    replaceFile(this.#path, bytes, { mode: 0o600, sync: this.#sync });
    this.#take(repositories);
    this.#stamp = stampOf(this.#path);
  }

  #take(repositories: Repositories): void {
    this.#repositories = repositories;
    this.#byID = new Map();
    for (const [name, entries] of repositories)
      for (const [key, id] of entries ?? []) {
        const reference = referenceAt(name, key);
        if (reference === undefined || !isDigest(id)) continue;
        const references = this.#byID.get(id) ?? new Map<string, Reference>();
        this.#byID.set(id, references.set(key, reference));
      }
  }
}

/** What the file holds, with everything odd in it. */
type Repositories = ReadonlyMap<string, ReadonlyMap<string, string> | null>;

const MAX_SIZE = 256 << 20;
const NOTHING = { repositories: new Map(), others: [] };
const fileType = goStruct("store", { repositories: field("Repositories", goMap(goMap(goString))) });

function parseFile(
  path: string,
  bytes: Buffer,
): { repositories: Repositories; others: readonly (readonly [string, GoValue])[] } {
  try {
    const json = parseJson(bytes, { first: true });
    const { repositories } = fileType.read(json, fileType.zero, "");
    const others = [...json.members()].filter(([key]) => foldKey(key) !== "repositories");
    return { repositories: repositories ?? new Map(), others };
  } catch (error) {
    if (!isVarveError(error)) throw error;
    throw new VarveError("corrupt", `${path}: ${error.message}`, { path }, error);
  }
}

/** The reference that an inner key stands for, if a lookup would come to this place. */
function referenceAt(name: string, key: string): Reference | undefined {
  try {
    const reference = parseNormalized(key);
    const stored = storedForm(reference);
    return familiarName(stored) === name && familiarString(stored) === key ? reference : undefined;
  } catch (error) {
    if (isVarveError(error, "invalid-reference")) return undefined;
    throw error;
  }
}

/** A digest decides alone; a bare name means its `latest`. */
function storedForm(reference: Reference): Reference {
  return reference.digest === undefined ? withDefaultTag(reference) : withDigest(reference, reference.digest);
}

function refuseMove(reference: Reference, before: string, force: boolean): void {
  const key = familiarString(reference);
  if (reference.digest !== undefined)
    throw new VarveError("conflict", `Cannot overwrite digest ${reference.digest}`, { reference: key, before });
  if (!force)
    throw new VarveError(
      "conflict",
      `Conflict: Tag ${key} is already set to image ${before}, if you want to replace it, please use the force option`,
      { reference: key, before },
    );
}

function sorted<T>(items: Iterable<T>, referenceOf: (item: T) => Reference): T[] {
  const keyed = Array.from(items, (item) => ({ item, key: canonicalString(referenceOf(item)) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ item }) => item);
}

/** Differs when the file is another one than before. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "none";
    throw asVarveError(error);
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw asVarveError(error);
  }
}

function invalid(message: string, reference: string): VarveError {
  return new VarveError("invalid-reference", message, { reference });
}
