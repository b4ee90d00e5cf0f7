import { closeSync, constants, fchmodSync, fchownSync } from "node:fs";
import { asVarveError } from "../errors.ts";
import {
  changeModeAt,
  changeOwnerAt,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  openAt,
  readLinkAt,
  setTimes,
  setTimesAt,
  symlinkAt,
} from "../sys/at.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { cloneOrCopyFile } from "../sys/copy.ts";
import { type Stat, statAt } from "../sys/stat.ts";
import type { Time } from "../sys/time.ts";
import { type Place, TreeRoot } from "../sys/tree-root.ts";
import { getXattrAt, listXattrsAt, setXattrAt } from "../sys/xattr.ts";
import { clampTime } from "./object.ts";
import { type TreeEntry, walkTree } from "./tree.ts";

export interface CopyOptions {
  /** Without it owners, devices and attributes that only root may set are left out. */
  readonly privileged: boolean;
  /** Whether all attributes come along, and not only those that a layer has. */
  readonly allXattrs?: boolean | undefined;
}

/**
 * Copies a whole tree into a directory that exists and has nothing in the way, as vfs makes a layer of its parent
 * (FORMATS 7.1). Content is shared with the source where the file system can. Hard links stay links; sockets become
 * pipes; of the attributes only a file's capabilities and an overlay's opaque mark come along, unless all are asked for.
 */
export function copyTree(source: string | Buffer, target: string | Buffer, options: CopyOptions): void {
  using from = new TreeRoot(source);
  using to = new TreeRoot(target);
  try {
    new TreeCopy(from, to, options).run();
  } catch (error) {
    throw asVarveError(error);
  }
}

class TreeCopy {
  readonly #from: TreeRoot;
  readonly #to: TreeRoot;
  readonly #privileged: boolean;
  readonly #allXattrs: boolean;
  /** The first copy of each file that has several names. */
  readonly #copies = new Map<string, ByteString>();
  readonly #directories: { readonly path: ByteString; readonly stat: Stat }[] = [];

  constructor(from: TreeRoot, to: TreeRoot, { privileged, allXattrs = false }: CopyOptions) {
    this.#from = from;
    this.#to = to;
    this.#privileged = privileged;
    this.#allXattrs = allXattrs;
  }

  run(): void {
    const root = { path: "" as ByteString, ...this.#from.parentOf("" as ByteString) };
    this.#copy({ ...root, stat: statAt(root.dir, root.base)! });
    for (const entry of walkTree(this.#from)) this.#copy(entry);
    // What is put into a directory changes its mtime, so they come last.
    for (const { path, stat } of this.#directories.reverse()) {
      const { dir, base } = this.#to.parentOf(path);
      setTimesAt(dir, base, stat.atime, stat.mtime);
    }
  }

  #copy(entry: TreeEntry): void {
    const { path, stat } = entry;
    const place = this.#to.parentOf(path);
    const { dir, base } = place;
    if (stat.kind === "file") {
      this.#copyFile(entry, place);
      return;
    }
    switch (stat.kind) {
      case "directory":
        if (path !== "") makeDirectoryAt(dir, base, 0o700);
        this.#directories.push({ path, stat });
        break;
      case "symlink":
        symlinkAt(readLinkAt(entry.dir, entry.base), dir, base);
        break;
      case "fifo":
      case "socket":
        makeNodeAt(dir, base, constants.S_IFIFO | 0o600, 0, 0);
        break;
      default: {
        if (!this.#privileged) return;
        const type = stat.kind === "char" ? constants.S_IFCHR : constants.S_IFBLK;
        makeNodeAt(dir, base, type | 0o600, stat.deviceMajor, stat.deviceMinor);
      }
    }
    if (this.#privileged) changeOwnerAt(dir, base, stat.uid, stat.gid);
    this.#copyXattrs(entry, place);
    if (stat.kind !== "symlink") changeModeAt(dir, base, stat.mode);
    if (stat.kind !== "directory") setTimesAt(dir, base, ...timesOf(stat));
  }

  #copyFile(entry: TreeEntry, place: Place): void {
    const { stat, path } = entry;
    const inode = `${stat.device}/${stat.inode}`;
    const copy = stat.links > 1 ? this.#copies.get(inode) : undefined;
    if (copy !== undefined) {
      const first = this.#to.parentOf(copy);
      linkAt(first.dir, first.base, place.dir, place.base);
      return;
    }
    if (stat.links > 1) this.#copies.set(inode, path);

    const source = openAt(entry.dir, entry.base, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
      const target = openAt(place.dir, place.base, flags, 0o600);
      try {
        if (stat.size > 0) cloneOrCopyFile(source, target, stat.size);
        if (this.#privileged) fchownSync(target, stat.uid, stat.gid);
        this.#copyXattrs(entry, place);
        fchmodSync(target, stat.mode);
        setTimes(target, ...timesOf(stat));
      } finally {
        closeSync(target);
      }
    } finally {
      closeSync(source);
    }
  }

  #copyXattrs(entry: TreeEntry, place: Place): void {
    if (!this.#privileged) return;
    for (const attribute of listXattrsAt(entry.dir, entry.base))
      if (this.#allXattrs || COPIED_XATTRS.has(attribute))
        setXattrAt(place.dir, place.base, attribute, getXattrAt(entry.dir, entry.base, attribute)!);
  }
}

const COPIED_XATTRS: ReadonlySet<string> = new Set(["security.capability", "trusted.overlay.opaque"]);

/** A link may be older than 1970, a file not. */
function timesOf({ kind, atime, mtime }: Stat): [Time, Time] {
  return kind === "symlink" ? [atime, mtime] : [clampTime(atime), clampTime(mtime)];
}
