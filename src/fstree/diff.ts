import { TreeRoot } from "../sys/tree-root.ts";
import { Accounts } from "./accounts.ts";
import { type PackOptions, TreePacker } from "./pack.ts";
import { walkTree } from "./tree.ts";

export interface TreeDiffOptions extends PackOptions {
  /** The tree is the upper directory of an overlay: its deletions and opaque directories become whiteouts. */
  readonly overlay: boolean;
  /** Whose users and groups give the owners their names: this machine's, or the tree's own as in `docker export`. */
  readonly accounts?: "host" | "tree";
}

/**
 * A new tar of everything in a tree but its root, as Docker 20.10 writes it (FORMATS 8.6). The tree is opened when the
 * first chunk is asked for.
 *
 * @throws VarveError `conflict` for a file that gets shorter while it is read
 * @example
 * await writeAll(process.stdout, treeDiff(merged, { overlay: false, accounts: "tree" })); // docker export
 */
export async function* treeDiff(directory: string | Buffer, options: TreeDiffOptions): AsyncGenerator<Uint8Array> {
  using root = new TreeRoot(directory);
  const accounts = options.accounts === "tree" ? Accounts.ofTree(root) : Accounts.ofHost();
  const packer = new TreePacker(accounts, options.overlay, options);
  for (const entry of walkTree(root)) yield* packer.add(entry);
  yield* packer.end();
}
