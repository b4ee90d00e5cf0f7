import type { ChainID, DiffID } from "../digest/chain-id.ts";
import { extendChain } from "../digest/chain-id.ts";
import { compareTimes, type GoTime } from "../json/go-time.ts";
import { field, type GoStructType, goBool, goString, goStruct, goTime, optional } from "../json/go-type.ts";

/** How one layer, or one change to the config alone, came about. */
export interface HistoryEntry {
  readonly created: GoTime;
  readonly author: string;
  readonly createdBy: string;
  readonly comment: string;
  /** Whether the entry has no layer of its own. */
  readonly emptyLayer: boolean;
}

export const historyEntryType: GoStructType<HistoryEntry> = goStruct<HistoryEntry>("History", {
  created: field("created", goTime),
  author: optional("author", goString),
  createdBy: optional("created_by", goString),
  comment: optional("comment", goString),
  emptyLayer: optional("empty_layer", goBool),
});

export const EMPTY_HISTORY_ENTRY: HistoryEntry = historyEntryType.zero;

/** Whether two entries tell the same; the moment counts, not the zone in which it is written. */
export function sameHistoryEntry(a: HistoryEntry, b: HistoryEntry): boolean {
  return (
    compareTimes(a.created, b.created) === 0 &&
    a.author === b.author &&
    a.createdBy === b.createdBy &&
    a.comment === b.comment &&
    a.emptyLayer === b.emptyLayer
  );
}

/**
 * Whether an image with the history `child` can be the child of one with `parent` (FORMATS 10.4): exactly one entry
 * more and the others equal, or no history on either side.
 */
export function extendsHistory(child: readonly HistoryEntry[] | null, parent: readonly HistoryEntry[] | null): boolean {
  const [longer, shorter] = [child ?? [], parent ?? []];
  if (longer.length === 0 && shorter.length === 0) return true;
  return longer.length === shorter.length + 1 && shorter.every((entry, i) => sameHistoryEntry(entry, longer[i]!));
}

/** An entry with the layer that it made: the stack up to it, or nothing for an empty layer. */
export interface HistoryStep {
  readonly entry: HistoryEntry;
  readonly chainID: ChainID | undefined;
}

/** Pairs history with layers, oldest first. An entry without a layer left for it gets none. */
export function historySteps(history: readonly HistoryEntry[] | null, diffIDs: readonly DiffID[]): HistoryStep[] {
  let chainID: ChainID | undefined;
  let used = 0;
  return (history ?? []).map((entry) => {
    const diffID = entry.emptyLayer ? undefined : diffIDs[used++];
    if (diffID === undefined) return { entry, chainID: undefined };
    chainID = extendChain(chainID, diffID);
    return { entry, chainID };
  });
}
