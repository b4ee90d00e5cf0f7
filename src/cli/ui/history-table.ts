/** `docker history`: a row a step, newest first. */

import { timeAgo } from "../../engine/human-duration.ts";
import { shortSize } from "../../engine/human-size.ts";
import type { HistoryEntry } from "../../engine/images.ts";
import { rfc3339, unixSeconds } from "./clock.ts";
import type { Columns } from "./rows.ts";
import type { Value } from "./template/value.ts";
import { ellipsis, shortId } from "./text.ts";

/** Docker's width for the command in a table. */
const COMMAND_COLUMNS = 45;

export interface HistoryTableOptions {
  readonly format?: string | undefined;
  readonly quiet?: boolean | undefined;
  readonly human: boolean;
}

export function historyColumns(human: boolean): Columns {
  return {
    name: "history entry",
    headers: {
      ID: "IMAGE",
      CreatedSince: human ? "CREATED" : "CREATED AT",
      CreatedAt: "CREATED AT",
      CreatedBy: "CREATED BY",
      Size: "SIZE",
      Comment: "COMMENT",
    },
  };
}

export function historyFormat({ format = "table", quiet, human }: HistoryTableOptions): string {
  if (format !== "table") return format;
  if (quiet) return "{{.ID}}";
  return `table {{.ID}}\t${human ? "{{.CreatedSince}}" : "{{.CreatedAt}}"}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`;
}

export interface HistoryRowOptions {
  /** Cut ids to twelve characters and commands to forty-five. */
  readonly truncates: boolean;
  /** Sizes and times in words instead of numbers. */
  readonly human: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export function historyRows(
  entries: readonly HistoryEntry[],
  { truncates, human, now }: HistoryRowOptions,
): Record<string, Value>[] {
  return entries.map((entry) => {
    const created = unixSeconds(entry.created);
    const id = entry.id ?? "<missing>";
    const command = entry.createdBy.replaceAll("\t", " ");
    return {
      ID: truncates ? shortId(id) : id,
      CreatedSince: human ? timeAgo(created, now) : rfc3339(created),
      CreatedAt: rfc3339(created),
      CreatedBy: truncates ? ellipsis(command, COMMAND_COLUMNS) : command,
      Size: human ? shortSize(entry.size) : String(entry.size),
      Comment: entry.comment,
    };
  });
}
