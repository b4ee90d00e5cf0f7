import { readlinkSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import { changeModeAt, changeOwnerAt, makeDirectoryAt } from "../sys/at.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { removeTreeAt } from "../sys/remove-tree.ts";
import { type Stat, statAt, statFile } from "../sys/stat.ts";
import { type Place, TreeRoot } from "../sys/tree-root.ts";
import type { Identity } from "./id-map.ts";
import type { PayloadGuard } from "./payload-guard.ts";

/** Where an object is to be: its clean name and the open directory that the name leads to. */
export interface Spot extends Place {
  /** Relative to the tree; empty for the root. */
  readonly name: ByteString;
  readonly parent: Parent;
}

/** What an unpacker wants to know of a directory that it puts things into. */
export interface Parent {
  readonly inode: number;
  /** What new objects in it may inherit as their group. */
  readonly gid: number;
}

export interface ParentRules {
  readonly mode: number;
  /** Who gets the directories that no entry of the tar describes; whoever runs this process when undefined. */
  readonly owner: Identity | undefined;
}

/** A tree that is being written: finds places in it, makes the directories on the way, and clears places. */
export class WritableTree {
  readonly root: TreeRoot;
  /** How many times something had to go. */
  removals = 0;
  readonly #rules: ParentRules;
  readonly #guard: PayloadGuard | undefined;
  readonly #rootPath: string | undefined;
  #parentName: string | undefined;
  #parent: Parent | undefined;
  /** Of the parent, once somebody asked. */
  #isDirect: boolean | undefined;

  /** `guard` is asked before anything is removed. */
  constructor(directory: string | Buffer, rules: ParentRules, guard: PayloadGuard | undefined) {
    this.root = new TreeRoot(directory);
    this.#rootPath = pathOf(this.root.fd)?.replace(/\/$/, "");
    this.#rules = rules;
    this.#guard = guard;
  }

  /** The place of a clean name. Missing directories on the way are made. */
  reach(name: ByteString): Spot {
    const { dir, base } = this.#find(name);
    const parentName = name.slice(0, Math.max(name.lastIndexOf("/"), 0));
    if (this.#parent === undefined || parentName !== this.#parentName) {
      const { inode, gid } = statFile(dir);
      this.#parent = { inode: Number(inode), gid };
      this.#parentName = parentName;
      this.#isDirect = undefined;
    }
    return { name, dir, base, parent: this.#parent };
  }

  /** Whether the name alone leads to the place that was reached last, through no link. */
  isDirect({ dir }: Spot): boolean {
    this.#isDirect ??= this.#parentName === "" || pathOf(dir) === `${this.#rootPath}/${this.#parentName}`;
    return this.#isDirect;
  }

  /** Removes what is at a place, with everything below it. The place must be reached anew afterwards. */
  remove(spot: Spot, stat: Stat): void {
    this.#guard?.beforeRemoval(spot, stat);
    removeTreeAt(spot.dir, spot.base);
    if (stat.kind === "directory" || stat.kind === "symlink") this.forget();
    this.removals++;
  }

  removeIfThere(name: ByteString): void {
    const spot = this.reach(name);
    const existing = statAt(spot.dir, spot.base);
    if (existing !== undefined) this.remove(spot, existing);
  }

  /** Must follow every change that an existing directory may not know of: its owner, its mode, where links lead. */
  forget(): void {
    this.#parent = undefined;
    this.root.forget();
  }

  close(): void {
    this.root.close();
  }

  #find(name: ByteString): Place {
    try {
      return this.root.parentOf(name);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      this.#makeParents(name);
      return this.root.parentOf(name);
    }
  }

  #makeParents(name: ByteString): void {
    for (let slash = name.indexOf("/"); slash >= 0; slash = name.indexOf("/", slash + 1)) {
      const { dir, base } = this.root.parentOf(name.slice(0, slash) as ByteString);
      if (statAt(dir, base) === undefined) this.#makeDirectory(dir, base);
    }
  }

  #makeDirectory(dir: number, base: ByteString): void {
    const { mode, owner } = this.#rules;
    makeDirectoryAt(dir, base, mode);
    const made = statAt(dir, base)!;
    if (owner !== undefined && (made.uid !== owner.uid || made.gid !== owner.gid))
      changeOwnerAt(dir, base, owner.uid, owner.gid);
    // The setgid bit of a parent goes down to what is made in it, as it would for Docker.
    if ((made.mode & 0o777) !== mode) changeModeAt(dir, base, mode | (made.mode & 0o2000));
  }
}

/** Where the kernel sees an open directory; `undefined` when no path is long enough to say it. */
function pathOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`, "latin1");
  } catch (error) {
    if (errnoOf(error) === "ENAMETOOLONG") return undefined;
    throw error;
  }
}
