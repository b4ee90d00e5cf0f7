import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { errnoOf, VarveError } from "../../errors.ts";
import type { Identity } from "../../fstree/id-map.ts";
import { removeFile } from "../../sys/remove-file.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { syncDirectory, syncFile } from "../../sys/sync.ts";
import { isUsableID, noTree } from "../driver.ts";
import { directoriesIn, groupOnly, makeDirectory, makeHome, makeMissingDirectory } from "../home.ts";

/**
 * The directories of FORMATS 6.1: `<id>/` with its `diff`, and `l/`, whose short links keep the option string of a mount
 * short. `lower` lists the links of all trees below, nearest first; it is copied from the parent, never computed.
 */
export class Layout {
  readonly home: string;
  readonly #owner: Identity;

  constructor(home: string, owner: Identity) {
    this.home = home;
    this.#owner = owner;
  }

  path(id: string, ...names: string[]): string {
    return join(this.home, id, ...names);
  }

  exists(id: string): boolean {
    return isUsableID(id) && id !== LINKS && existsSync(this.path(id));
  }

  ids(): string[] {
    return directoriesIn(this.home).filter((name) => name !== LINKS && !SCRATCH.test(name));
  }

  /** `l/<link>` of every tree below, nearest first and joined by colons; `undefined` for a tree that stands on nothing. */
  lower(id: string): string | undefined {
    return readIfPresent(this.path(id, "lower"));
  }

  /** The id of the tree that is directly below. */
  parentOf(id: string): string | undefined {
    const nearest = this.lower(id)?.split(":", 1)[0];
    if (nearest === undefined) return undefined;
    return basename(dirname(realpathSync(join(this.home, nearest))));
  }

  /** Absolute paths of the directories below, nearest first. */
  lowerDirectories(id: string): string[] {
    const links = this.lower(id)?.split(":") ?? [];
    return links.map((link) => realpathSync(join(this.home, link)));
  }

  /** Whether other trees stand on this one, so that it must never be mounted for writing. */
  isCommitted(id: string): boolean {
    if (existsSync(this.path(id, "committed"))) return true;
    // Docker before 20.10 wrote no such file.
    const link = readIfPresent(this.path(id, "link"));
    return link !== undefined && this.ids().some((other) => this.lower(other)?.split(":", 1)[0] === `${LINKS}/${link}`);
  }

  /**
   * FORMATS 6.2. When it fails, nothing of the new tree is left.
   *
   * @param sync whether all that it writes is on the disk when it returns
   */
  create(id: string, parent: string | undefined, { sync }: { readonly sync: boolean }): void {
    checkNoLink(id);
    const lower = parent === undefined ? undefined : this.#lowerOfChild(parent);
    makeHome(this.home, 0o710, groupOnly(this.#owner));
    makeMissingDirectory(join(this.home, LINKS), 0o700, ROOT);
    this.#makeTop(id);
    const link = newLink();
    try {
      makeDirectory(this.path(id, "diff"), 0o755, this.#owner);
      // The text before the link that it names, so that `remove` finds the link even of a tree whose maker was killed.
      writeText(this.path(id, "link"), link, 0o644, sync);
      symlinkSync(join("..", id, "diff"), join(this.home, LINKS, link));
      if (lower !== undefined) {
        makeDirectory(this.path(id, "work"), 0o700, this.#owner);
        writeText(this.path(id, "lower"), lower, 0o644, sync);
      }
      if (sync) for (const path of [this.path(id), join(this.home, LINKS), this.home]) syncDirectory(path);
      // Last, so that a failure above needs no doubt whether another child relies on it.
      if (parent !== undefined) this.#commit(parent, sync);
    } catch (error) {
      removeFile(join(this.home, LINKS, link));
      removeTree(this.path(id));
      throw error;
    }
  }

  /** Lets a tree that has a parent stand on another one, whatever was below before. */
  restack(id: string, parent: string, { sync }: { readonly sync: boolean }): void {
    writeText(this.path(id, "lower"), this.#lowerOfChild(parent), 0o644, sync);
    this.#commit(parent, sync);
  }

  /** Deletes a tree's short link and the tree. */
  async remove(id: string, remove: (path: string) => Promise<void> | void = removeTree): Promise<void> {
    checkNoLink(id);
    const link = readIfPresent(this.path(id, "link"));
    if (link !== undefined && LINK.test(link)) removeFile(join(this.home, LINKS, link));
    await remove(this.path(id));
  }

  #lowerOfChild(parent: string): string {
    const link = readIfPresent(this.path(parent, "link"));
    if (link === undefined) throw noTree(parent, this.path(parent));
    const below = this.lower(parent);
    const lower = below === undefined ? `${LINKS}/${link}` : `${LINKS}/${link}:${below}`;
    if (lower.split(":").length > MAX_LOWERS)
      throw new VarveError("invalid-argument", "max depth exceeded", { parent });
    return lower;
  }

  #makeTop(id: string): void {
    try {
      makeDirectory(this.path(id), 0o710, groupOnly(this.#owner));
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      throw new VarveError("already-exists", `layer already exists: ${id}`, { id }, error);
    }
  }

  #commit(parent: string, sync: boolean): void {
    const path = this.path(parent, "committed");
    if (existsSync(path)) return;
    try {
      writeText(path, "", 0o600, sync);
      if (sync) syncDirectory(this.path(parent));
    } catch (error) {
      // Another child that came meanwhile does not suffer: `isCommitted` also looks for children.
      removeFile(path);
      throw error;
    }
  }
}

const LINKS = "l";
const LINK = /^[A-Z2-7]+$/;
const MAX_LOWERS = 128;
const ROOT: Identity = { uid: 0, gid: 0 };
/** What drivers leave behind when they are killed while they try the file system out (FORMATS 0.3). */
const SCRATCH = /^(check-overlayfs-support|opaque-bug-check|userxattr-check|metacopy-check)\d*/;

function checkNoLink(id: string): void {
  if (id === LINKS) throw new VarveError("invalid-argument", `not a layer id: "${id}"`, { id });
}

/** 26 characters of base32, 130 random bits. */
function newLink(): string {
  return Array.from(randomBytes(26), (byte) => BASE32[byte & 31]).join("");
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function writeText(path: string, text: string, mode: number, sync: boolean): void {
  const fd = openSync(path, "w", mode);
  try {
    writeFileSync(fd, text);
    chmodSync(path, mode);
    if (sync) syncFile(fd);
  } finally {
    closeSync(fd);
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
