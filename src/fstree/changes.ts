import type { ByteString } from "../sys/byte-string.ts";
import { compareTimes } from "../sys/time.ts";
import { TreeRoot } from "../sys/tree-root.ts";
import { getXattrAt } from "../sys/xattr.ts";
import { Accounts } from "./accounts.ts";
import { type PackOptions, TreePacker } from "./pack.ts";
import { findEntry, joinPath, listEntry, type TreeEntry } from "./tree.ts";

/** One line of `docker diff`. */
export interface Change {
  readonly kind: "modified" | "added" | "deleted";
  /** As seen from inside: `/etc/motd`. */
  readonly path: ByteString;
}

/**
 * What a tree has that another has not, by metadata alone (FORMATS 8.8): a change of content within one second that
 * keeps the size goes unseen where one of the two times has no nanoseconds. Without an old tree everything is added.
 * A directory comes before its content, names in bytewise order, what was deleted in a directory after the rest of it.
 */
export function changes(newDirectory: string | Buffer, oldDirectory?: string | Buffer): Change[] {
  using newRoot = new TreeRoot(newDirectory);
  using oldRoot = oldDirectory === undefined ? undefined : new TreeRoot(oldDirectory);
  const found: Change[] = [];
  const comparison = new Comparison(newRoot, oldRoot, found);
  comparison.compareContent("" as ByteString, oldRoot !== undefined);
  return found;
}

export interface ExportChangesOptions extends PackOptions {
  /** Seconds since the epoch, for the deletions, of which no tree tells when they were; now unless said. */
  readonly deletedAt?: number | undefined;
}

/**
 * The tar of changes: what is added or modified as it is in the tree, what is deleted as a whiteout. Sorted by whole paths,
 * other than `treeDiff`.
 */
export async function* exportChanges(
  directory: string | Buffer,
  found: readonly Change[],
  options: ExportChangesOptions = {},
): AsyncGenerator<Uint8Array> {
  using root = new TreeRoot(directory);
  const packer = new TreePacker(Accounts.ofHost(), false, options);
  for (const { kind, path } of [...found].sort(byPath)) {
    const name = path.slice(1) as ByteString;
    if (kind === "deleted") {
      const seconds = options.deletedAt ?? Math.round(Date.now() / 1000);
      yield* packer.addDeletion(name, { seconds, nanoseconds: 0 });
      continue;
    }
    const entry = findEntry(root, name);
    if (entry !== undefined) yield* packer.add(entry);
  }
  yield* packer.end();
}

/** The bytes that changes add: the sizes of what is added or modified, without directories, every inode once. */
export function changesSize(directory: string | Buffer, found: readonly Change[]): number {
  using root = new TreeRoot(directory);
  const counted = new Set<bigint>();
  let size = 0;
  for (const { kind, path } of found) {
    if (kind === "deleted") continue;
    const stat = findEntry(root, path.slice(1) as ByteString)?.stat;
    if (stat === undefined || stat.kind === "directory" || counted.has(stat.inode)) continue;
    if (stat.links > 1) counted.add(stat.inode);
    size += stat.size;
  }
  return size;
}

class Comparison {
  readonly #newRoot: TreeRoot;
  readonly #oldRoot: TreeRoot | undefined;
  readonly #found: Change[];

  constructor(newRoot: TreeRoot, oldRoot: TreeRoot | undefined, found: Change[]) {
    this.#newRoot = newRoot;
    this.#oldRoot = oldRoot;
    this.#found = found;
  }

  /** Goes through a directory of the new tree, beside the old one's if that `isThere`. */
  compareContent(path: ByteString, isThere: boolean): void {
    const deleted = new Set(isThere ? listEntry(this.#oldRoot!, path) : []);
    for (const name of listEntry(this.#newRoot, path)) {
      const isInBoth = deleted.delete(name);
      this.#compare(joinPath(path, name), isInBoth);
    }
    for (const name of deleted) this.#report("deleted", joinPath(path, name));
  }

  #compare(path: ByteString, isInBoth: boolean): void {
    const entry = findEntry(this.#newRoot, path);
    const old = isInBoth ? findEntry(this.#oldRoot!, path) : undefined;
    if (entry === undefined) {
      if (old !== undefined) this.#report("deleted", path);
      return;
    }
    if (old !== undefined && isSameObject(entry, old)) return;
    const kind = old === undefined ? "added" : isDifferent(entry, old) ? "modified" : undefined;
    if (kind !== undefined) this.#report(kind, path);
    if (entry.stat.kind !== "directory") return;

    const before = this.#found.length;
    this.compareContent(path, old?.stat.kind === "directory");
    // A directory is named with what changed in it, so that a tar of the changes can make it.
    if (kind === undefined && this.#found.length > before)
      this.#found.splice(before, 0, { kind: "modified", path: `/${path}` as ByteString });
  }

  #report(kind: Change["kind"], path: ByteString): void {
    this.#found.push({ kind, path: `/${path}` as ByteString });
  }
}

function isSameObject(a: TreeEntry, b: TreeEntry): boolean {
  return a.stat.inode === b.stat.inode && a.stat.device === b.stat.device;
}

function isDifferent(a: TreeEntry, b: TreeEntry): boolean {
  const [x, y] = [a.stat, b.stat];
  if (x.kind !== y.kind || x.mode !== y.mode || x.uid !== y.uid || x.gid !== y.gid) return true;
  if (x.deviceMajor !== y.deviceMajor || x.deviceMinor !== y.deviceMinor) return true;
  // To Docker's test for a directory, sockets and block devices are some as well.
  const countsTimes = x.kind !== "directory" && x.kind !== "socket" && x.kind !== "block";
  if (countsTimes && (x.size !== y.size || !isSameTime(a, b))) return true;
  return capabilityOf(a) !== capabilityOf(b);
}

/** Times out of a tar have whole seconds: there, and only there, nanoseconds do not count. */
function isSameTime(a: TreeEntry, b: TreeEntry): boolean {
  const [x, y] = [a.stat.mtime, b.stat.mtime];
  return compareTimes(x, y) === 0 || (x.seconds === y.seconds && (x.nanoseconds === 0 || y.nanoseconds === 0));
}

function capabilityOf({ dir, base }: TreeEntry): string | undefined {
  return getXattrAt(dir, base, "security.capability")?.toString("latin1");
}

function byPath(a: Change, b: Change): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
