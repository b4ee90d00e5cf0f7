import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type Digest, isDigest } from "../digest/digest.ts";
import { asVarveError, VarveError } from "../errors.ts";
import { replaceFile } from "../io/atomic-file.ts";
import { stampOf } from "../io/stamp.ts";
import { readWholeFile } from "../io/whole-file.ts";
import { canonicalString, familiarName, familiarString, type Reference } from "./reference.ts";
import {
  formatRepositories,
  NO_REPOSITORIES,
  parseRepositories,
  placeOf,
  type Repositories,
  referenceAt,
} from "./repositories.ts";

/** A reference and the image that it points to. */
export interface Association {
  readonly reference: Reference;
  readonly id: Digest;
}

/** A tag that points to another image than before, or to one at all. */
export interface MovedTag {
  readonly reference: Reference;
  readonly previous: Digest | undefined;
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
  #repositories: Repositories = NO_REPOSITORIES;
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
    refuseDigest(reference);
    return this.add(reference, id, options);
  }

  /**
   * Points several tags to an image in one step, wherever they pointed before.
   *
   * @returns those that moved, each with the image that it pointed to
   * @throws VarveError `invalid-reference` for a reference with a digest or with the name `sha256`; nothing has moved then
   */
  moveTags(references: readonly Reference[], id: Digest): MovedTag[] {
    const moved: MovedTag[] = [];
    const changed = new Map<string, Map<string, string>>();
    for (const reference of references) {
      refuseDigest(reference);
      const { name, key } = placeOf(reference);
      refuseAmbiguous(name, key);
      const entries = changed.get(name) ?? new Map(this.#repositories.byName.get(name) ?? []);
      const before = entries.get(key);
      if (before === id) continue;
      moved.push({ reference, previous: before !== undefined && isDigest(before) ? before : undefined });
      changed.set(name, entries.set(key, id));
    }
    if (moved.length > 0) this.#write(changed);
    return moved;
  }

  /**
   * Points a reference to an image: a digest if it has one, else a tag.
   *
   * @returns false when it pointed there already, and nothing was written
   * @throws VarveError `invalid-reference` for the name `sha256`; `conflict` when it points to another image and is a
   *   digest, or a tag without `force`
   */
  add(reference: Reference, id: Digest, options: { readonly force?: boolean } = {}): boolean {
    const { name, key } = placeOf(reference);
    refuseAmbiguous(name, key);
    const before = this.#repositories.byName.get(name)?.get(key);
    if (before === id) return false;
    if (before !== undefined) refuseMove(reference, before, options.force === true);
    this.#change(name, (entries) => entries.set(key, id));
    return true;
  }

  /**
   * Removes a reference; the image stays.
   *
   * @returns false when there was none
   */
  remove(reference: Reference): boolean {
    const { name, key } = placeOf(reference);
    if (this.#repositories.byName.get(name)?.has(key) !== true) return false;
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
    const { name, key } = placeOf(reference);
    const id = this.#repositories.byName.get(name)?.get(key);
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
    const stamp = this.#readStamp();
    if (stamp === this.#stamp) return;
    const bytes = readWholeFile(this.#path, MAX_SIZE);
    this.#take(bytes === undefined ? NO_REPOSITORIES : parseRepositories(bytes, this.#path));
    this.#stamp = stamp;
  }

  #change(name: string, change: (entries: Map<string, string>) => void): void {
    const entries = new Map(this.#repositories.byName.get(name) ?? []);
    change(entries);
    this.#write(new Map([[name, entries]]));
  }

  /** Writes the file with some repositories changed, then remembers it. */
  #write(changed: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    const before = this.#repositories.byName;
    const byName = new Map(before);
    for (const [name, entries] of changed)
      if (entries.size === 0) byName.delete(name);
      else byName.set(name, entries);
    const repositories = { ...this.#repositories, byName };
    makeDirectory(dirname(this.#path));
    replaceFile(this.#path, formatRepositories(repositories), { mode: 0o600, sync: this.#sync });
    this.#repositories = repositories;
    for (const [name, entries] of changed) {
      this.#forget(before.get(name));
      this.#learn(name, entries);
    }
    this.#stamp = this.#readStamp();
  }

  /** Differs when the file is another one than before. */
  #readStamp(): string {
    return stampOf(this.#path, [""], { follow: true }) ?? "none";
  }

  #take(repositories: Repositories): void {
    this.#repositories = repositories;
    this.#byID = new Map();
    for (const [name, entries] of repositories.byName) this.#learn(name, entries);
  }

  #learn(name: string, entries: ReadonlyMap<string, string> | null): void {
    for (const [key, id] of entries ?? []) {
      const reference = referenceAt({ name, key });
      if (reference === undefined || !isDigest(id)) continue;
      const references = this.#byID.get(id) ?? new Map<string, Reference>();
      this.#byID.set(id, references.set(key, reference));
    }
  }

  #forget(entries: ReadonlyMap<string, string> | null | undefined): void {
    for (const [key, id] of entries ?? []) {
      const references = this.#byID.get(id as Digest);
      references?.delete(key);
      if (references?.size === 0) this.#byID.delete(id as Digest);
    }
  }
}

const MAX_SIZE = 256 << 20;

function refuseDigest(reference: Reference): void {
  if (reference.digest === undefined) return;
  throw invalid("refusing to create a tag with a digest reference", familiarString(reference));
}

function refuseAmbiguous(name: string, key: string): void {
  if (name === "sha256") throw invalid("refusing to create an ambiguous tag using digest algorithm as name", key);
}

function refuseMove(reference: Reference, before: string, force: boolean): void {
  const { key } = placeOf(reference);
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
