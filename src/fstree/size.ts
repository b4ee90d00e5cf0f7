import { TreeRoot } from "../sys/tree-root.ts";
import { walkTree } from "./tree.ts";

/**
 * The bytes of a tree as overlay2 counts a layer (FORMATS 2.3): the sizes of all that is no directory, every inode
 * once, links by the length of their target.
 */
export function treeSize(directory: string | Buffer): number {
  using root = new TreeRoot(directory);
  const counted = new Set<bigint>();
  let size = 0;
  for (const { stat } of walkTree(root)) {
    if (stat.kind === "directory" || counted.has(stat.inode)) continue;
    if (stat.links > 1) counted.add(stat.inode);
    size += stat.size;
  }
  return size;
}
