import { fromText } from "../sys/byte-string.ts";
import { lastChangeOf, STATE_LENGTH, stateOf } from "../sys/stat.ts";

/**
 * What tells the state of some objects in a directory from every other state of theirs: of each its inode, its size and
 * when it and its inode were last changed. A file that is written in place has other times, one that takes its place
 * another inode. Times that somebody sets, as a restored backup's are, do not deceive: nobody sets that of the inode.
 *
 * A stamp is opaque, and means nothing on another machine.
 *
 * @param names the empty one stands for the directory itself
 * @param options.follow whether a symbolic link stands for what it leads to
 * @returns `undefined` when none of the objects is there
 */
export function stampOf(
  directory: string,
  names: readonly string[],
  { follow = false }: { readonly follow?: boolean } = {},
): string | undefined {
  let stamp = "";
  let found = false;
  for (const name of names) {
    const state = stateOf(fromText(name === "" ? directory : `${directory}/${name}`), follow);
    if (state !== undefined) found = true;
    stamp += state ?? NOTHING;
  }
  return found ? stamp : undefined;
}

/**
 * Whether the objects of a stamp had been left alone for a while at a moment. Only then does an equal stamp later on say
 * that nothing changed since: two changes within one tick of a file system's clock may leave the same stamp.
 *
 * @param moment milliseconds since the epoch, before the stamp was taken
 */
export function isSettled(stamp: string, moment: number): boolean {
  for (let at = 0; at < stamp.length; at += STATE_LENGTH)
    if (lastChangeOf(stamp.slice(at, at + STATE_LENGTH)) >= moment / 1000 - COARSEST_TICK) return false;
  return true;
}

/** Seconds. No file system in use counts time in longer steps. */
const COARSEST_TICK = 2;

const NOTHING = "\0".repeat(STATE_LENGTH);
