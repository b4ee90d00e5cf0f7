import { setTimeout } from "node:timers/promises";
import { type Change, changes, changesSize, exportChanges } from "../fstree/changes.ts";
import { treeDiff } from "../fstree/diff.ts";
import type { IdMap } from "../fstree/id-map.ts";
import type { View } from "./driver.ts";

/** A layer seen whole, and its parent when there is one: the naive way to tell what a layer changes (FORMATS 8.8). */
export interface Pair {
  readonly layer: View;
  readonly parent: View | undefined;
}

/** Opens the two sides of a comparison; neither stays open when the other one fails. */
export function openPair(open: (id: string) => View, id: string, parent: string | undefined): Pair {
  const layer = open(id);
  try {
    return { layer, parent: parent === undefined ? undefined : open(parent) };
  } catch (error) {
    layer.close();
    throw error;
  }
}

export function naiveChanges(pair: Pair): Change[] {
  return closing(pair, () => changes(pair.layer.path, pair.parent?.path));
}

export function naiveDiffSize(pair: Pair): number {
  return closing(pair, () => changesSize(pair.layer.path, changes(pair.layer.path, pair.parent?.path)));
}

export interface NaiveDiffOptions {
  readonly idMap: IdMap | undefined;
  /** As in `DriverOptions`. */
  readonly readOnly: boolean;
}

/**
 * The tar of what a layer changes. Opens its trees when the first chunk is asked for. Unless they are read-only, deletions
 * are of now, and it ends no earlier than the second in which it began: times in layers are whole seconds, and whoever
 * changes a file next must be seen to have done so.
 */
export async function* naiveDiff(open: () => Pair, { idMap, readOnly }: NaiveDiffOptions): AsyncGenerator<Uint8Array> {
  const pair = open();
  try {
    if (pair.parent === undefined) {
      yield* treeDiff(pair.layer.path, { idMap, overlay: false });
      return;
    }
    const started = Date.now();
    try {
      const found = changes(pair.layer.path, pair.parent.path);
      yield* exportChanges(pair.layer.path, found, { idMap, deletedAt: readOnly ? 0 : undefined });
    } finally {
      if (!readOnly) await setTimeout(started - (started % 1000) + 1000 - Date.now());
    }
  } finally {
    closePair(pair);
  }
}

function closing<T>(pair: Pair, work: () => T): T {
  try {
    return work();
  } finally {
    closePair(pair);
  }
}

function closePair({ layer, parent }: Pair): void {
  layer.close();
  parent?.close();
}
