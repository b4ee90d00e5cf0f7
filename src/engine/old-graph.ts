import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Driver } from "../driver/driver.ts";
import { makeMissingDirectory, rootIdentity } from "../driver/home.ts";
import { openDriver } from "../driver/select.ts";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import { Graph } from "../graph/graph.ts";
import type { MigrateOptions } from "../graph/migration/migration.ts";
import { asidePath } from "../graph/migration/remove-old.ts";
import type { MigrationReport } from "../graph/migration/report.ts";
import { TagStore } from "../graph/tag-store.ts";
import { DirectoryLock } from "../layer/directory-lock.ts";
import { FileMetadata } from "../layer/file-metadata.ts";
import { locateDataRoot, refuseUnreadable } from "./data-root.ts";
import { refuseRunningDockerd } from "./dockerd.ts";
import { driverOfTags, noGraph } from "./graph-traces.ts";
import { type StoreOptions, Workspace } from "./workspace.ts";

/** A v1 graph and its names, open for changes by this process alone until it is disposed of. */
export interface OldGraph extends Disposable {
  readonly root: string;
  readonly driver: Driver;
  readonly graph: Graph;
  readonly tags: TagStore;
}

/** How a v1 graph is opened: as a store, as far as that means something to it. */
export type GraphStoreOptions = Pick<StoreOptions, "root" | "driver" | "usernsRemap" | "durability" | "onWarning">;

/** What `openGraph` does. */
export async function openOldGraph(options: GraphStoreOptions = {}): Promise<OldGraph> {
  try {
    const dataRoot = locateDataRoot(options.root, options.usernsRemap);
    const { path, idMap } = dataRoot;
    refuseUnreadable(dataRoot);
    refuseRunningDockerd(path);
    const { durability = "layer", onWarning } = options;
    const driver = await openDriver(path, { name: options.driver ?? driverOfTags(path), idMap, durability });
    makeMissingDirectory(join(path, "graph"), 0o700, rootIdentity(idMap));
    const lock = lockGraph(path);
    const sync = durability !== "none";
    try {
      return {
        root: path,
        driver,
        graph: Graph.open({
          directory: join(path, "graph"),
          driver,
          sync,
          usedElsewhere: (tree) => isLayerTree(join(path, "image", driver.name, "layerdb"), tree),
          onWarning,
        }),
        tags: new TagStore(join(path, `repositories-${driver.name}`), { sync }),
        [Symbol.dispose]: () => lock?.[Symbol.dispose](),
      };
    } catch (error) {
      lock?.[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    throw asVarveError(error);
  }
}

/** What `migrateGraph` does. */
export async function migrateOldGraph(options: StoreOptions & MigrateOptions = {}): Promise<MigrationReport> {
  try {
    const dataRoot = locateDataRoot(options.root, options.usernsRemap);
    const { path } = dataRoot;
    refuseUnreadable(dataRoot);
    refuseMissingGraph(path);
    const workspace = await Workspace.open({ ...options, driver: options.driver ?? driverOfTags(path) });
    if (options.dryRun) return await migrateIn(workspace, options);
    using _lock = lockGraph(path);
    await workspace.prepareToWrite(options.signal);
    return await migrateIn(workspace, options);
  } catch (error) {
    throw asVarveError(error);
  }
}

async function migrateIn(workspace: Workspace, options: MigrateOptions): Promise<MigrationReport> {
  const { migrate } = await import("../graph/migration/migration.ts");
  const { root, driver, layers, images, references, durability, warn } = workspace;
  const commit = <T>(work: () => Promise<T> | T): Promise<T> => workspace.commit(work, options.signal);
  const sync = durability !== "none";
  return await migrate({ root, driver, layers, images, references, sync, commit, warn }, options);
}

/** Whether a layer of today has the tree. */
function isLayerTree(layerdb: string, tree: string): boolean {
  const metadata = new FileMetadata(layerdb, { sync: false });
  return metadata.chains().some((chain) => {
    try {
      return metadata.readLayer(chain).cacheID === tree;
    } catch (error) {
      if (isVarveError(error, "not-found") || isVarveError(error, "corrupt")) return false;
      throw error;
    }
  });
}

/** @throws VarveError `not-found` */
function refuseMissingGraph(root: string): void {
  const traces = [join(root, "graph"), asidePath(root)];
  if (!traces.some((path) => existsSync(path))) throw noGraph(root);
}

/** @throws VarveError `locked` when another process has it */
function lockGraph(root: string): DirectoryLock | undefined {
  const path = join(root, "graph");
  const lock = DirectoryLock.tryAcquire(path);
  if (lock === undefined && existsSync(path))
    throw new VarveError("locked", `the v1 graph in ${root} is in use by another process`, { path });
  return lock;
}
