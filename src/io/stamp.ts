import { lstatSync, type Stats, statSync } from "node:fs";
import { asVarveError, errnoOf } from "../errors.ts";

/**
 * What tells the state of some files in a directory from every other state of theirs: of each its inode, its size and
 * when it and its inode were last changed. A file that is written in place has other times, one that takes its place
 * another inode. Times that somebody sets, as a restored backup's are, do not deceive: nobody sets that of the inode.
 *
 * A stamp is opaque, and means nothing on another machine.
 *
 * @param options.follow whether a symbolic link stands for what it leads to
 * @returns `undefined` when none of the files is there
 */
export function stampOf(
  directory: string,
  names: readonly string[],
  { follow = false }: { readonly follow?: boolean } = {},
): string | undefined {
  const stat = follow ? statSync : lstatSync;
  let found = false;
  for (let i = 0; i < names.length; i++) {
    const state = statOf(stat, `${directory}/${names[i]}`);
    if (state !== undefined) found = true;
    values[i * FIELDS] = state?.ino ?? 0;
    values[i * FIELDS + 1] = state?.size ?? 0;
    values[i * FIELDS + 2] = state?.mtimeMs ?? 0;
    values[i * FIELDS + 3] = state?.ctimeMs ?? 0;
  }
  return found ? bytes.toString("latin1", 0, names.length * FIELDS * 8) : undefined;
}

/**
 * Whether the files of a stamp had been left alone for a while at a moment. Only then does an equal stamp later on say
 * that nothing changed since: two changes within one tick of a file system's clock may leave the same stamp.
 *
 * @param moment milliseconds since the epoch, before the stamp was taken
 */
export function isSettled(stamp: string, moment: number): boolean {
  bytes.write(stamp, "latin1");
  for (let i = 0; i < stamp.length / 8; i += FIELDS)
    if (!(Math.max(values[i + 2]!, values[i + 3]!) < moment - COARSEST_TICK_MS)) return false;
  return true;
}

/** No file system in use counts time in longer steps. */
const COARSEST_TICK_MS = 2000;

const FIELDS = 4;
const MOST_FILES = 16;
const values = new Float64Array(MOST_FILES * FIELDS);
const bytes: Buffer = Buffer.from(values.buffer);

const QUIET = { throwIfNoEntry: false } as const;

function statOf(stat: typeof statSync | typeof lstatSync, path: string): Stats | undefined {
  try {
    return stat(path, QUIET) as Stats | undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return undefined;
    throw asVarveError(error);
  }
}
