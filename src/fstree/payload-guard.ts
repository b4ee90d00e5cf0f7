import { errnoOf, VarveError } from "../errors.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { type Stat, statFile } from "../sys/stat.ts";
import { TreeRoot } from "../sys/tree-root.ts";
import { FingerprintSet, fingerprintOf } from "./fingerprints.ts";
import { walkTree } from "./tree.ts";
import type { Spot } from "./writable-tree.ts";

/**
 * Keeps a layer from losing content that it left to its tree. A tar-split remembers a file by name only, so when a
 * later entry of the same layer removes the file, or puts something else where its name leads, the layer could never
 * be saved again (FORMATS 9.5). Docker finds out at save; here such a layer is refused while it is loaded.
 */
export class PayloadGuard {
  /** The files with content, by their directory's inode and their name in it. */
  readonly #held = new FingerprintSet();
  /** Those whose name passes through a link: the link may go and the file stay. */
  readonly #behindLinks: { readonly name: ByteString; readonly inode: number }[] = [];
  #linkRemoved = false;

  /** The content of this file is in the tree and nowhere else. `isDirect`: its name leads there through no link. */
  hold(spot: Spot, isDirect: boolean): void {
    this.#held.add(fingerprintOf(spot.base, spot.parent.inode));
    if (!isDirect) this.#behindLinks.push({ name: spot.name, inode: spot.parent.inode });
  }

  /** To be asked before anything is removed. */
  beforeRemoval(spot: Spot, stat: Stat): void {
    if (this.#held.size === 0) return;
    if (stat.kind !== "directory") this.#check(spot.parent.inode, spot.base, stat, spot.name);
    else this.#checkBelow(spot);
  }

  /** To be asked after the last entry. */
  verify(root: TreeRoot): void {
    if (!this.#linkRemoved) return;
    for (const { name, inode } of this.#behindLinks) if (inodeOfParent(root, name) !== inode) throw lost(name);
  }

  #checkBelow(spot: Spot): void {
    using tree = new TreeRoot(Buffer.from(`/proc/self/fd/${spot.dir}/${spot.base}`, "latin1"));
    let parent: string | undefined;
    let inode = 0;
    for (const { path, dir, base, stat } of walkTree(tree)) {
      const directory = path.slice(0, -base.length);
      if (directory !== parent) {
        parent = directory;
        inode = Number(statFile(dir).inode);
      }
      this.#check(inode, base, stat, `${spot.name}/${path}` as ByteString);
    }
  }

  #check(directory: number, base: ByteString, stat: Stat, name: ByteString): void {
    if (stat.kind === "symlink") this.#linkRemoved = true;
    if (stat.kind === "file" && this.#held.has(fingerprintOf(base, directory))) throw lost(name);
  }
}

/** `undefined` when the name no longer leads to a directory. */
function inodeOfParent(root: TreeRoot, name: ByteString): number | undefined {
  try {
    return Number(statFile(root.parentOf(name).dir).inode);
  } catch (error) {
    if (NO_WAY.has(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

const NO_WAY: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

function lost(name: ByteString): VarveError {
  const text = `invalid layer: a later entry removes or replaces "${toText(name)}", whose content could then not be saved again`;
  return new VarveError("invalid-archive", text, { name: toText(name) });
}
