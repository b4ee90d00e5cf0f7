import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { asVarveError } from "../errors.ts";
import { removeTree } from "../sys/remove-tree.ts";

/** A directory that goes when its user is done. */
export interface TemporaryDirectory extends Disposable {
  readonly path: string;
}

/**
 * Makes `<prefix><random>`, 0700, below `parent`, which is made as well when it is missing.
 *
 * @example
 * using scratch = temporaryDirectory(join(root, "tmp"), "import-");
 */
export function temporaryDirectory(parent: string, prefix: string): TemporaryDirectory {
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    const path = mkdtempSync(join(parent, prefix));
    return { path, [Symbol.dispose]: () => removeTree(path) };
  } catch (error) {
    throw asVarveError(error);
  }
}
