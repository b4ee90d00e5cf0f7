/**
 * `varve`: Docker's image and layer store for Node programs, without a daemon.
 *
 * @example
 * import { openStore } from "varve";
 *
 * await using store = await openStore({ root: "/tmp/images" });
 * const [image] = await store.load("image.tar", { onEvent: (event) => console.log(event.kind) });
 * for await (const chunk of store.read(image.id, "/etc/os-release")) process.stdout.write(chunk);
 */

export type { ChainID, DiffID } from "./digest/chain-id.ts";
export type { Digest } from "./digest/digest.ts";
export type { Durability } from "./driver/driver.ts";
export { defaultRoot } from "./engine/data-root.ts";
export type { StoreEvent } from "./engine/events.ts";
export type { FileEntry } from "./engine/file-view.ts";
export type { ImageFilters, PruneFilters } from "./engine/filters.ts";
export type { HistoryEntry, ImageSummary, LayerSummary } from "./engine/images.ts";
export type { RemovedItem } from "./engine/removal-model.ts";
export { type ContainerSummary, openStore, Store } from "./engine/store.ts";
export type { ContainerUsage, DiskUsage, ImageUsage, StoreInfo } from "./engine/usage.ts";
export type { Limits, StoreOptions } from "./engine/workspace.ts";
export { type ErrorCode, isVarveError, VarveError } from "./errors.ts";
export type { ImageID } from "./image/image.ts";
export type { ByteSource } from "./io/byte-source.ts";
export type { FileKind } from "./sys/stat.ts";
export type { Time } from "./sys/time.ts";
