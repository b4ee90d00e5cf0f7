import { randomInt } from "node:crypto";
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { asVarveError } from "../errors.ts";
import { removeFile } from "../sys/remove-file.ts";
import { syncDirectory } from "../sys/sync.ts";

export interface ReplaceFileOptions {
  /** The permission bits of the new file, whatever the umask; 0600 unless said. */
  readonly mode?: number | undefined;
  /**
   * Whether the change itself has reached the disk when the call returns, as it has unless `false` is said. The content
   * always reaches the disk before the name leads to it.
   */
  readonly sync?: boolean | undefined;
}

/**
 * Gives a file new content in one visible step (FORMATS 0.5): readers see the old file or the new one, whole, also after
 * a crash or a loss of power. On an error the old one stays.
 *
 * @example replaceFile(join(root, "image/overlay2/repositories.json"), json, { mode: 0o600 })
 */
export function replaceFile(path: string, content: Uint8Array | string, options: ReplaceFileOptions = {}): void {
  const { mode = 0o600, sync = true } = options;
  const directory = dirname(path);
  const draft = join(directory, `.tmp-${basename(path)}${randomInt(2 ** 47)}`);
  try {
    const fd = openSync(draft, "wx", 0o600);
    try {
      writeDraft(fd, content, mode);
      renameSync(draft, path);
    } catch (error) {
      removeFile(draft);
      throw error;
    }
  } catch (error) {
    throw asVarveError(error);
  }
  if (sync) syncDirectory(directory);
}

function writeDraft(fd: number, content: Uint8Array | string, mode: number): void {
  try {
    writeFileSync(fd, content);
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
