/** Files that commands write: whole under their name, or not there at all. */

import { randomInt } from "node:crypto";
import { closeSync, fsyncSync, lstatSync, openSync, readlinkSync, realpathSync, renameSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { errnoOf, VarveError } from "../errors.ts";
import { removeFile } from "../sys/remove-file.ts";
import { unwritable } from "./unwritable.ts";

/** As private as what `docker save -o` writes. */
const MODE = 0o600;

/**
 * Writes beside the target and renames at the end, so that an error, an interruption or a power loss leaves what was
 * there before. Pipes, devices and what /dev/stdout stands for get the bytes at once.
 *
 * @param write writes to an open file
 * @returns how many bytes there were
 * @throws VarveError
 */
export async function writeWholeFile(path: string, write: (file: number) => Promise<number>): Promise<number> {
  const draft = isSpecial(path) ? undefined : join(dirname(path), `.tmp-${basename(path)}${randomInt(2 ** 47)}`);
  try {
    if (draft === undefined) return await writeTo(path, "w", write, () => {});
    return await writeTo(draft, "wx", write, (file) => {
      fsyncSync(file);
      renameSync(draft, path);
    });
  } catch (error) {
    if (draft !== undefined) removeFile(draft);
    throw unwritable(path, error);
  }
}

/** @throws VarveError for a path that no file can be written to */
function isSpecial(path: string): boolean {
  if (path === "") throw new VarveError("invalid-argument", "invalid output path: it is empty; name a file");
  const directory = dirname(path);
  if (statSync(directory, { throwIfNoEntry: false }) === undefined)
    throw new VarveError("not-found", `invalid output path: directory "${directory}" does not exist`, { path });
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory())
    throw new VarveError("invalid-argument", `invalid output path: "${path}" is a directory; name a file in it`, {
      path,
    });
  return stat !== undefined && (!stat.isFile() || meansDescriptor(path));
}

/** Whether a path is another name for an open file, as /dev/stdout is: its link is not ours to replace. */
function meansDescriptor(path: string): boolean {
  for (let at = path; ; ) {
    const directory = realpathSync(dirname(at));
    if (directory.startsWith("/proc/")) return true;
    if (!lstatSync(at).isSymbolicLink()) return false;
    at = resolve(directory, readlinkSync(at));
  }
}

async function writeTo(
  path: string,
  flags: string,
  write: (file: number) => Promise<number>,
  finish: (file: number) => void,
): Promise<number> {
  const file = open(path, flags);
  try {
    const size = await write(file);
    finish(file);
    return size;
  } finally {
    closeSync(file);
  }
}

function open(path: string, flags: string): number {
  try {
    return openSync(path, flags, MODE);
  } catch (error) {
    const reason = errnoOf(error) === "EACCES" ? "permission denied" : (error as Error).message;
    throw new VarveError("permission", `cannot write ${path}: ${reason}. Choose another file with -o`, { path }, error);
  }
}
