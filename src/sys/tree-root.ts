import { constants, openSync } from "node:fs";
import { asVarveError } from "../errors.ts";
import { closeFile, O_PATH, openAt, openDirectory } from "./at.ts";
import { type ByteString, fromBytes, toBytes } from "./byte-string.ts";
import { lexicalComponents } from "./lexical.ts";
import { errnoError } from "./libc.ts";
import { openInside, type Resolver, resolverOf } from "./resolve.ts";
import { kindAt, statFile } from "./stat.ts";

/** A directory of the tree, open, and the name in it that the call after this one is about. */
export interface Place {
  /** Belongs to the root: do not close it, and do not keep it past `forget` or `close`. */
  readonly dir: number;
  /** One component, never `..`; `.` for the root itself. */
  readonly base: ByteString;
}

/**
 * A directory that names from outside cannot leave (FORMATS 8.2): it is to them what `/` is to a process that is
 * chrooted there. Links on the way are followed inside it, absolute ones start at it, `..` stops at it.
 *
 * Directories that were found stay open for the calls that follow, so that an archive in its natural order costs one
 * look-up a directory, and none for a second file beside the first. Whoever removes, renames or replaces a directory
 * or a link under the root must `forget` afterwards.
 *
 * @example
 * using root = new TreeRoot("/var/lib/docker/overlay2/0a1b/diff");
 * const { dir, base } = root.parentOf(fromText("etc/motd"));
 * unlinkAt(dir, base);
 */
export class TreeRoot {
  /** The root directory, open for reading. */
  readonly fd: number;
  readonly #resolver: Resolver;
  /** Parents by their clean name, the most recently found last. */
  readonly #parents = new Map<string, number>();
  #lastParent: string | undefined;
  #lastFd = -1;

  /** `resolver` is for kernels and tests that must do without openat2; by default the process finds out. */
  constructor(directory: string | Buffer, options: { readonly resolver?: Resolver } = {}) {
    this.fd = openDirectory(directory);
    this.#resolver = options.resolver ?? resolverOf(this.fd);
  }

  /**
   * Opens the directory that holds the last component of `name`, which is not followed and need not exist. The name is
   * cleaned first (`cleanName`).
   *
   * @throws VarveError `not-found` when an ancestor is missing; `system` with errno ENOTDIR when one is no directory,
   * ELOOP when links go round in circles or lead through a process's descriptors.
   */
  parentOf(name: ByteString): Place {
    const slash = name.lastIndexOf("/");
    if (this.#lastParent?.length === Math.max(slash, 0) && name.startsWith(this.#lastParent)) {
      const base = name.slice(slash + 1) as ByteString;
      if (base !== "" && base !== "." && base !== "..") return { dir: this.#lastFd, base };
    }
    return this.#findParent(cleanName(name));
  }

  /**
   * Opens a regular file for reading, links followed inside the root to the last component. Anything else is refused
   * without being opened, so that no pipe can make this wait and no device notices. The caller closes the descriptor.
   *
   * @throws VarveError as `parentOf`; `system` with errno EISDIR for a directory, EINVAL for a node that is no file
   */
  openFile(name: ByteString): number {
    const { dir, base } = this.parentOf(name);
    const found = kindAt(dir, base);
    if (found === undefined) throw errnoError("ENOENT", "open", name);
    if (found === "file") return openAt(dir, base, constants.O_RDONLY | constants.O_NONBLOCK);
    if (found !== "symlink") throw notAFile(found, name);

    const place = this.openPlace(name);
    try {
      const { kind } = statFile(place);
      if (kind !== "file") throw notAFile(kind, name);
      return openSync(`/proc/self/fd/${place}`, constants.O_RDONLY);
    } catch (error) {
      throw asVarveError(error);
    } finally {
      closeFile(place);
    }
  }

  /**
   * A descriptor (`O_PATH`) of whatever `name` leads to, links followed inside the root to the last component. The
   * caller closes it.
   *
   * @throws VarveError as `parentOf`
   */
  openPlace(name: ByteString): number {
    const clean = cleanName(name);
    if (clean === "") return openAt(this.fd, "." as ByteString, O_PATH);
    return openInside(this.#resolver, this.fd, clean, O_PATH);
  }

  /** Drops every directory that was kept open: after one of them, or a link to one, was removed or replaced. */
  forget(): void {
    for (const fd of this.#parents.values()) closeFile(fd);
    this.#parents.clear();
    this.#lastParent = undefined;
    this.#lastFd = -1;
  }

  close(): void {
    this.forget();
    closeFile(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #findParent(name: ByteString): Place {
    if (name === "") return { dir: this.fd, base: "." as ByteString };
    const slash = name.lastIndexOf("/");
    const base = name.slice(slash + 1) as ByteString;
    if (slash < 0) return { dir: this.#keep("", this.fd), base };
    const parent = name.slice(0, slash) as ByteString;
    let fd = this.#parents.get(parent);
    if (fd === undefined) fd = openInside(this.#resolver, this.fd, parent, O_PATH | constants.O_DIRECTORY);
    else this.#parents.delete(parent);
    this.#parents.set(parent, fd);
    if (this.#parents.size > KEPT_PARENTS) this.#dropOldest();
    return { dir: this.#keep(parent, fd), base };
  }

  #keep(parent: string, fd: number): number {
    this.#lastParent = parent;
    this.#lastFd = fd;
    return fd;
  }

  #dropOldest(): void {
    for (const [parent, fd] of this.#parents) {
      this.#parents.delete(parent);
      closeFile(fd);
      return;
    }
  }
}

/** Enough for the branch that a depth-first archive is on, and its neighbours. */
const KEPT_PARENTS = 64;

/**
 * The name as Go's filepath.Clean would leave it, as seen from the root: no leading or trailing slash, no empty
 * component, no `.`, and `..` taken off what is before it without asking the disk, or dropped at the root. The root
 * itself is the empty name.
 */
export function cleanName(name: ByteString): ByteString {
  if (!UNCLEAN.test(name)) return name;
  // A copy: a mere piece would keep a name of any length in memory.
  return fromBytes(toBytes(lexicalComponents(name, false).join("/") as ByteString));
}

/** A component that is empty, `.` or `..`; the empty name is clean. */
const UNCLEAN = /^\/|\/$|\/\/|(?:^|\/)\.\.?(?:\/|$)/;

function notAFile(kind: string, name: ByteString): Error {
  return errnoError(kind === "directory" ? "EISDIR" : "EINVAL", "open", name);
}
