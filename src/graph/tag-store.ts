import { isDigest } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import { replaceFile } from "../io/atomic-file.ts";
import { readWholeFile } from "../io/whole-file.ts";
import { parseNormalized, type Reference, withDigest, withTag } from "../reference/reference.ts";
import {
  formatRepositories,
  NO_REPOSITORIES,
  parseRepositories,
  type Repositories,
} from "../reference/repositories.ts";
import type { GraphID } from "./descriptor.ts";

/** A tag or a digest of a repository and the image that it stands for. */
export interface GraphTag {
  /** As Docker 1.9 showed it: `ubuntu`, `user/app`, `host:5000/app`. */
  readonly repository: string;
  /** A tag, or a digest with its algorithm. */
  readonly key: string;
  /** What should be an image's id; nobody checked. */
  readonly id: string;
}

/** What a user types for it. */
export function nameOfTag({ repository, key }: GraphTag): string {
  return `${repository}${isDigest(key) ? "@" : ":"}${key}`;
}

/** As today's stores and archives spell it. @throws VarveError `invalid-reference` for what is no name any more */
export function referenceOfTag({ repository, key }: GraphTag): Reference {
  const name = parseNormalized(repository);
  return isDigest(key) ? withDigest(name, key) : withTag(name, key);
}

/**
 * `repositories-<driver>` (FORMATS 11.1): the names of the images of the v1 graph. Several programs may change it, so it is
 * read again before each answer and each change. Unlike Docker 1.9, which wrote it in place, a change appears in one step.
 *
 * @example
 * const tags = new TagStore("/var/lib/docker/repositories-overlay2", { sync: true });
 * tags.set({ repository: "ubuntu", key: "14.04", id }, { force: false });
 */
export class TagStore {
  readonly #path: string;
  readonly #sync: boolean;

  constructor(path: string, { sync }: { readonly sync: boolean }) {
    this.#path = path;
    this.#sync = sync;
  }

  /** All of them, in the file's order. @throws VarveError `corrupt` */
  all(): GraphTag[] {
    const tags: GraphTag[] = [];
    for (const [repository, keys] of this.#read().byName)
      for (const [key, id] of keys ?? []) tags.push({ repository, key, id });
    return tags;
  }

  /** @throws VarveError `corrupt` */
  get(repository: string, key: string): string | undefined {
    return this.#read().byName.get(repository)?.get(key);
  }

  /** The names of one image. @throws VarveError `corrupt` */
  of(id: GraphID): GraphTag[] {
    return this.all().filter((tag) => tag.id === id);
  }

  /**
   * Lets a name stand for an image.
   *
   * @throws VarveError `conflict` when it stands for another one and `force` is not given; a digest never changes
   */
  set({ repository, key, id }: GraphTag & { readonly id: GraphID }, { force }: { readonly force: boolean }): void {
    const repositories = this.#read();
    const before = repositories.byName.get(repository)?.get(key);
    if (before === id) return;
    if (before !== undefined && key.includes(":"))
      throw new VarveError("conflict", `Conflict: Digest ${key} is already set to image ${before}`, { key, before });
    if (before !== undefined && !force)
      throw new VarveError(
        "conflict",
        `Conflict: Tag ${key} is already set to image ${before}, if you want to replace it, please use the force option`,
        { repository, key, before },
      );
    this.#write(repositories, repository, new Map(repositories.byName.get(repository)).set(key, id));
  }

  /**
   * Takes a name away, or a repository with all its names.
   *
   * @throws VarveError `not-found`
   */
  delete(repository: string, key?: string): void {
    const repositories = this.#read();
    const keys = repositories.byName.get(repository);
    if (keys === undefined) throw new VarveError("not-found", `No such repository: ${repository}`, { repository });
    const left = new Map(key === undefined ? [] : keys);
    if (key !== undefined && !left.delete(key))
      throw new VarveError("not-found", `No such tag: ${repository}:${key}`, { repository, key });
    this.#write(repositories, repository, left);
  }

  #read(): Repositories {
    const bytes = readWholeFile(this.#path, MAX_SIZE);
    return bytes === undefined ? NO_REPOSITORIES : parseRepositories(bytes, this.#path);
  }

  #write(repositories: Repositories, repository: string, keys: ReadonlyMap<string, string>): void {
    const byName = new Map(repositories.byName);
    if (keys.size === 0) byName.delete(repository);
    else byName.set(repository, keys);
    replaceFile(this.#path, formatRepositories({ ...repositories, byName }), { mode: 0o600, sync: this.#sync });
  }
}

const MAX_SIZE = 256 << 20;
