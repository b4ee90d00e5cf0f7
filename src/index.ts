/**
 * `varve`: Docker's image and layer store for Node programs, without a daemon.
 *
 * `openStore` gives a `Store`, which does whatever the command does; `connectStore` gives the same of a daemon. Errors are
 * `VarveError`s. Names in images are bytes; `toText` makes them readable. `varve/tar` is the tar codec alone,
 * `varve/driver` the contract of a driver, `varve/testing` what every driver and every store behind the contracts is tested
 * with.
 *
 * @example
 * import { openStore } from "varve";
 *
 * await using store = await openStore({ root: "/tmp/images" });
 * const [image] = await store.load("image.tar", { onEvent: (event) => console.log(event.kind) });
 * for await (const chunk of store.read(image.id, "/etc/os-release")) process.stdout.write(chunk);
 *
 * @example <caption>Act on what went wrong</caption>
 * import { isVarveError, openStore } from "varve";
 *
 * await using store = await openStore();
 * try {
 *   await store.remove("nginx:latest");
 * } catch (error) {
 *   if (isVarveError(error, "not-found")) console.log("it was not there");
 *   else if (isVarveError(error, "conflict")) console.log(error.message);
 *   else throw error;
 * }
 *
 * @example <caption>Copy an image from one root to another, and stop after a minute</caption>
 * import { openStore } from "varve";
 *
 * const signal = AbortSignal.timeout(60_000);
 * await using source = await openStore({ root: "/var/lib/docker" });
 * await using target = await openStore({ root: "/tmp/images" });
 * await target.load(source.save(["nginx:latest"], { signal }), { signal });
 */

import type { AnyStore } from "./engine/any-store.ts";
import type { GraphStoreOptions, OldGraph } from "./engine/old-graph.ts";
import type { Store } from "./engine/store.ts";
import type { V1StoreOptions } from "./engine/v1-root.ts";
import type { V1Store } from "./engine/v1-store.ts";
import type { StoreOptions } from "./engine/workspace.ts";
import type { MigrateOptions } from "./graph/migration/migration.ts";
import type { MigrationReport } from "./graph/migration/report.ts";
import type { ConnectOptions } from "./remote/connect.ts";

export type { LayerProgress } from "./archive/archive.ts";
export type { LoadEvent, LoadedImage } from "./archive/load.ts";
export type { SaveFormat } from "./archive/save.ts";
export type { ChainID, DiffID } from "./digest/chain-id.ts";
export type { Algorithm, Digest } from "./digest/digest.ts";
export type { Durability } from "./driver/driver.ts";
export type { AnyStore } from "./engine/any-store.ts";
export type { ContainerFilters } from "./engine/container-filter.ts";
export type { ContainerSummary } from "./engine/container-list.ts";
export type { ContainerPath, ContainerPathStat } from "./engine/container-path.ts";
export type { CopyInOptions } from "./engine/copy-in.ts";
export { defaultRoot } from "./engine/data-root.ts";
export type { StoreEvent } from "./engine/events.ts";
export type { FileEntry } from "./engine/file-view.ts";
export type { ImageFilters, PruneFilters } from "./engine/filters.ts";
export type { HistoryEntry, ImageSummary, LayerSummary } from "./engine/images.ts";
export type { InspectedConfig, InspectedImage } from "./engine/inspect.ts";
export type {
  InspectedContainer,
  InspectedMount,
  InspectedNetworkSettings,
  NetworkEndpoint,
  PortBinding,
} from "./engine/inspect-container.ts";
export type { GraphStoreOptions, OldGraph } from "./engine/old-graph.ts";
export type { RemovedItem } from "./engine/removal-model.ts";
export type { Store } from "./engine/store.ts";
export type { ContainerUsage, DiskUsage, ImageUsage, StoreInfo } from "./engine/usage.ts";
export type { V1ContainerSummary } from "./engine/v1-containers.ts";
export type { V1ImageSummary } from "./engine/v1-images.ts";
export type { V1SaveEvent } from "./engine/v1-layers.ts";
export type { V1StoreOptions } from "./engine/v1-root.ts";
export type { V1SaveFormat, V1SaveOptions } from "./engine/v1-source.ts";
export type { V1Store } from "./engine/v1-store.ts";
export type { VolumeFilters, VolumeSummary } from "./engine/volume-list.ts";
export type { Limits, StoreOptions } from "./engine/workspace.ts";
export { type ErrorCode, type ErrorDetails, isVarveError, VarveError } from "./errors.ts";
export type { GraphID, GraphImage } from "./graph/descriptor.ts";
export type { Graph, GraphOptions, NewGraphImage } from "./graph/graph.ts";
export type { BufferedTar, BufferOptions } from "./graph/graph-tar.ts";
export type { GraphRegisterOptions } from "./graph/make-entry.ts";
export type { MigrateOptions } from "./graph/migration/migration.ts";
export type {
  ChangedImage,
  Left,
  MigrationEvent,
  MigrationReport,
  MovedContainer,
  MovedImage,
  MovedTag,
} from "./graph/migration/report.ts";
export type { BrokenEntry } from "./graph/read-graph.ts";
export type { GraphTag, TagStore } from "./graph/tag-store.ts";
export type { V1Image } from "./image/config.ts";
export type { ContainerConfig, Healthcheck } from "./image/container-config.ts";
export type { ImageID } from "./image/image.ts";
export type { ByteSource } from "./io/byte-source.ts";
export type { GoTime } from "./json/go-time.ts";
export type { ConnectOptions } from "./remote/connect.ts";
export type { TlsFiles } from "./remote/host.ts";
export { type ByteString, fromBytes, fromText, toBytes, toText } from "./sys/byte-string.ts";
export type { FileKind } from "./sys/stat.ts";
export type { Time } from "./sys/time.ts";

/**
 * Opens a data-root. Nothing is written before the first change, and nothing of the engine is loaded before the first
 * call.
 *
 * @throws VarveError `conflict` when several drivers have left trees there, `permission` when it cannot be read
 */
export async function openStore(options: StoreOptions = {}): Promise<Store> {
  const engine = await import("./engine/store.ts");
  return await engine.openStore(options);
}

/**
 * Connects to a running `varve serve`. What it gives does whatever an open store does, with the daemon's store: files
 * are read and written on this machine, `mount` gives a path on the daemon's. Whoever breaks off does not wait for the
 * daemon, which cancels what it has not done by then. What the daemon is warned of, its own log tells.
 *
 * @throws VarveError `unavailable` when no daemon answers, now or later; `unsupported` when it is none of Varve, or one of
 *   another version; `permission`; `invalid-argument`
 * @example
 * import { connectStore } from "varve";
 *
 * await using store = await connectStore({ host: "unix:///run/varve.sock" });
 * await store.load("image.tar", { onEvent: (event) => console.log(event.kind) });
 */
export async function connectStore(options: ConnectOptions = {}): Promise<AnyStore> {
  const remote = await import("./remote/connect.ts");
  return await remote.connectStore(options);
}

/**
 * Opens the v1 graph of a data-root, the image store of Docker 1.9 and before, for reading and for changes. Only one
 * process at a time has it open.
 *
 * @throws VarveError `locked` while another process or a dockerd has it, `unsupported` for a driver that Varve has not
 * @example
 * import { openGraph } from "varve";
 *
 * using old = await openGraph({ root: "/mnt/old-disk/docker" });
 * for (const { id, image } of old.graph.heads()) console.log(id, image.author, old.tags.of(id));
 */
export async function openGraph(options: GraphStoreOptions = {}): Promise<OldGraph> {
  const engine = await import("./engine/old-graph.ts");
  return await engine.openOldGraph(options);
}

/**
 * Opens the v1 graph of a data-root to be looked at and saved from, as on the disk of a machine that is gone. Not a byte
 * below the root is changed, no lock is taken, and nothing needs root as long as the files can be read.
 *
 * @throws VarveError `not-found` without a v1 graph, `permission`, `unsupported` for a driver that Varve has not, `conflict`
 *   when there are graphs of several drivers
 * @example
 * import { createWriteStream } from "node:fs";
 * import { pipeline } from "node:stream/promises";
 * import { openV1Store } from "varve";
 *
 * const old = await openV1Store({ root: "/mnt/old-disk/docker" });
 * for (const { id, tags } of await old.images()) console.log(id, tags);
 * await pipeline(old.save(["busybox"]), createWriteStream("busybox.tar"));
 */
export async function openV1Store(options: V1StoreOptions = {}): Promise<V1Store> {
  const { V1Store } = await import("./engine/v1-store.ts");
  return await V1Store.open(options);
}

/**
 * Brings the images, containers and tags of a v1 graph into the stores of today, whose trees it uses in place. What cannot
 * come across is in the report with the reason; the old graph stays, unless `removeOld` is said. Whenever it ends, even in
 * a crash, another call does what is left.
 *
 * @throws VarveError `not-found` without a v1 graph, `locked`, `no-space`, `cancelled`, `corrupt`; `conflict` when not all
 *   is across that `removeOld` would remove
 * @example
 * import { migrateGraph } from "varve";
 *
 * const { images, left } = await migrateGraph({ root: "/mnt/old-disk/docker", onEvent: (event) => console.log(event) });
 * for (const { what, name, reason } of left) console.error(`${what} ${name}: ${reason}`);
 */
export async function migrateGraph(options: StoreOptions & MigrateOptions = {}): Promise<MigrationReport> {
  const engine = await import("./engine/old-graph.ts");
  return await engine.migrateOldGraph(options);
}
