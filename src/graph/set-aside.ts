import { existsSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { asVarveError } from "../errors.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { syncDirectory } from "../sys/sync.ts";
import type { GraphID } from "./descriptor.ts";
import { TRANSACTIONS } from "./entry-files.ts";
import type { GraphContext } from "./graph-context.ts";

/** An image that is out of everybody's sight, in `_tmp`. */
export interface SetAside {
  /** Deletes its files. */
  finish(): void;
  /** Brings it back. */
  undo(): void;
}

export function setAside({ files, sync }: GraphContext, id: GraphID): SetAside {
  const [from, to] = [join(files.directory, id), join(files.directory, TRANSACTIONS, id)];
  removeTree(to);
  moveVisibly(from, to, sync);
  return { finish: () => removeTree(to), undo: () => moveVisibly(to, from, sync) };
}

/** Moves an image's directory into sight or out of it. When it fails, nobody has seen it move. */
export function moveVisibly(from: string, to: string, sync: boolean): void {
  try {
    renameSync(from, to);
    if (sync) for (const path of [from, to]) syncDirectory(dirname(path));
  } catch (error) {
    if (!existsSync(from)) renameSync(to, from);
    throw asVarveError(error);
  }
}
