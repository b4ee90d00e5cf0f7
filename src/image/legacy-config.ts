import type { DiffID } from "../digest/chain-id.ts";
import { field, goList, goString, goStruct } from "../json/go-type.ts";
import { formatGo, type GoValue } from "../json/go-value.ts";
import { parseJson } from "../json/json.ts";
import { rootFSOf, rootFSType, v1ImageType } from "./config.ts";
import { isOlder } from "./docker-version.ts";
import { type HistoryEntry, historyEntryType } from "./history.ts";

/** Docker wrote all fields of the v1 object itself from this version on; what older ones wrote is completed first. */
const COMPLETE_SINCE = "1.8.3";

/** Keys that mean nothing in a config object. */
const DROPPED = ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"] as const;

const versionType = goStruct("struct", { dockerVersion: field("docker_version", goString) });

/**
 * Makes a config object of a v1 JSON (FORMATS 11.5). Values are taken over as they stand in the text, also those that
 * nobody knows.
 *
 * @param history of the parent, and the entry of this image (`historyEntryOf`)
 * @throws VarveError `invalid-archive`
 */
export function configOfV1(json: Uint8Array, diffIDs: readonly DiffID[], history: readonly HistoryEntry[]): Buffer {
  const isComplete = !isOlder(versionType.parse(json).dockerVersion, COMPLETE_SINCE);
  const fields = parseJson(isComplete ? json : formatGo(v1ImageType.write(v1ImageType.parse(json))));
  const config = new Map<string, GoValue>(fields.members());
  for (const key of DROPPED) config.delete(key);
  config.set("rootfs", rootFSType.write(rootFSOf(diffIDs)));
  config.set("history", goList(historyEntryType).write(history));
  return formatGo(config);
}

/**
 * What an image's v1 JSON tells about how it came about (FORMATS 10.5).
 *
 * @throws VarveError `invalid-archive`
 */
export function historyEntryOf(json: Uint8Array): HistoryEntry {
  const { author, created, containerConfig, comment } = v1ImageType.parse(json);
  return { author, created, createdBy: (containerConfig.cmd ?? []).join(" "), comment, emptyLayer: false };
}
