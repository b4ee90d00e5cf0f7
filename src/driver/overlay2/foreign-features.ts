import { errnoOf } from "../../errors.ts";
import { type TreeEntry, walkTree } from "../../fstree/tree.ts";
import { TreeRoot } from "../../sys/tree-root.ts";
import { listXattrsAt } from "../../sys/xattr.ts";

/**
 * Whether a tree holds what only the kernel can read together with its lowers: directories that were renamed by
 * redirection, files whose content stayed below (FORMATS 6.7), and deletions spelled as attributes. The tree's own files
 * do not tell what it changes then.
 */
export function hasForeignFeatures(directory: string): boolean {
  using root = new TreeRoot(directory);
  for (const entry of walkTree(root)) if (xattrsOf(entry).some((xattr) => FOREIGN.test(xattr))) return true;
  return false;
}

const FOREIGN = /^(?:trusted|user)\.overlay\.(?:redirect|metacopy|whiteouts?)$/;

function xattrsOf({ dir, base }: TreeEntry): readonly string[] {
  try {
    return listXattrsAt(dir, base);
  } catch (error) {
    // A container may be changing its tree underneath.
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}
