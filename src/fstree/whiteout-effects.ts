import { VarveError } from "../errors.ts";
import { changeOwnerAt, makeWhiteoutAt } from "../sys/at.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { errnoError } from "../sys/libc.ts";
import { statAt } from "../sys/stat.ts";
import { cleanName } from "../sys/tree-root.ts";
import { setXattrAt } from "../sys/xattr.ts";
import { type FingerprintSet, fingerprintOf } from "./fingerprints.ts";
import type { Identity } from "./id-map.ts";
import { joinPath, listEntry } from "./tree.ts";
import { OPAQUE_NAME, OPAQUE_XATTR, USER_OPAQUE_XATTR, WHITEOUT_PREFIX } from "./whiteout.ts";
import type { Spot, WritableTree } from "./writable-tree.ts";

/**
 * Writes a `.wh.` entry down as the overlay file system has it (FORMATS 8.3).
 *
 * @param owner who gets the device; undefined without root, when an opaque directory gets the attribute that a user
 * may set
 */
export function markDeletion({ dir, base, name }: Spot, owner: Identity | undefined): void {
  if (base === OPAQUE_NAME) {
    const attribute = owner === undefined ? USER_OPAQUE_XATTR : OPAQUE_XATTR;
    setXattrAt(dir, "." as ByteString, attribute, Buffer.from("y"));
    return;
  }
  const deleted = base.slice(WHITEOUT_PREFIX.length) as ByteString;
  if (deleted === "" || deleted === "." || deleted === "..") throw errnoError("EEXIST", "mknod", name);
  makeWhiteoutAt(dir, deleted);
  if (owner !== undefined) changeOwnerAt(dir, deleted, owner.uid, owner.gid);
}

/**
 * Does on a full tree what a `.wh.` entry says (FORMATS 8.4).
 *
 * @param unpacked the fingerprints of the names that the same layer has brought: an opaque directory keeps those
 */
export function applyDeletion(tree: WritableTree, { base, name }: Spot, unpacked: FingerprintSet): void {
  const directory = name.slice(0, -base.length - 1) as ByteString;
  if (base === OPAQUE_NAME) {
    clearDirectory(tree, directory, unpacked);
    return;
  }
  const deleted = cleanName(joinPath(directory, base.slice(WHITEOUT_PREFIX.length) as ByteString));
  if (deleted === "") throw new VarveError("invalid-archive", `"${toText(name)}" would delete the root directory`);
  tree.removeIfThere(deleted);
}

/** A link to a directory stays as it is, and so does the directory. */
function clearDirectory(tree: WritableTree, name: ByteString, unpacked: FingerprintSet): void {
  if (name !== "") {
    const { dir, base } = tree.root.parentOf(name);
    if (statAt(dir, base)?.kind !== "directory") return;
  }
  for (const child of listEntry(tree.root, name)) {
    const path = joinPath(name, child);
    if (unpacked.has(fingerprintOf(path))) clearDirectory(tree, path, unpacked);
    else tree.removeIfThere(path);
  }
}
