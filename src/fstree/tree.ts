import { constants } from "node:fs";
import { errnoOf } from "../errors.ts";
import { closeFile, leaveNoTrace, openAt, readDirectory } from "../sys/at.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { type Stat, statAt } from "../sys/stat.ts";
import type { TreeRoot } from "../sys/tree-root.ts";

/**
 * `fstree/` is where a tar becomes a directory and a directory a tar. `TreeApplier` (apply.ts) unpacks a layer's
 * entries as Docker does, in the four semantics that Docker has; `treeDiff` (diff.ts) packs a tree; `changes`
 * (changes.ts) compares two trees and `exportChanges` packs what differs; `copyTree` is how vfs makes a layer of its
 * parent; `treeSize` counts. Whiteouts and id maps, which all of them share, have a file each. Behind the applier,
 * `WritableTree` finds places, object.ts makes objects in them, and `PayloadGuard` sees to it that a layer that went in
 * can come out; behind the packers is `TreePacker`.
 *
 * Every tree is entered through a `TreeRoot`: no name in a tar and no link in a tree leads out of it. Paths are
 * `ByteString`s relative to the tree, without a slash at either end; the root is the empty one.
 *
 * This file walks a tree.
 */
export interface TreeEntry {
  readonly path: ByteString;
  /** The open directory that holds it, valid until the walk goes on. */
  readonly dir: number;
  readonly base: ByteString;
  readonly stat: Stat;
}

/**
 * Everything below the root but not the root, a directory before its content, names in bytewise order within each
 * directory. What disappears meanwhile is left out.
 */
export function* walkTree(root: TreeRoot): Generator<TreeEntry, void, undefined> {
  const way: Level[] = [{ path: "" as ByteString, names: listDirectory(root.fd, "." as ByteString), next: 0 }];
  for (let level = way.at(-1); level !== undefined; level = way.at(-1)) {
    const name = level.names[level.next++];
    if (name === undefined) {
      way.pop();
      continue;
    }
    const path = joinPath(level.path, name);
    const entry = findEntry(root, path);
    if (entry === undefined) continue;
    yield entry;
    if (entry.stat.kind === "directory") way.push({ path, names: listEntry(root, path), next: 0 });
  }
}

interface Level {
  readonly path: ByteString;
  readonly names: readonly ByteString[];
  next: number;
}

/** The object at a path, its last component not followed; `undefined` when it is missing. */
export function findEntry(root: TreeRoot, path: ByteString): TreeEntry | undefined {
  return unlessGone(() => {
    const { dir, base } = root.parentOf(path);
    const stat = statAt(dir, base);
    return stat && { path, dir, base, stat };
  });
}

/** The sorted names in the directory at a path; none when it is gone. */
export function listEntry(root: TreeRoot, path: ByteString): ByteString[] {
  const names = unlessGone(() => {
    const { dir, base } = root.parentOf(path);
    return listDirectory(dir, base);
  });
  return names ?? [];
}

export function joinPath(directory: ByteString, name: ByteString): ByteString {
  return (directory === "" ? name : `${directory}/${name}`) as ByteString;
}

/** The sorted names in a directory. */
export function listDirectory(dir: number, name: ByteString): ByteString[] {
  const fd = openAt(dir, name, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    leaveNoTrace(fd);
    return readDirectory(fd).sort();
  } finally {
    closeFile(fd);
  }
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
