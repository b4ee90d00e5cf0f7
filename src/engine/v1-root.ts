import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import type { Driver } from "../driver/driver.ts";
import { openDriver } from "../driver/select.ts";
import { asVarveError, errnoOf, isVarveError, VarveError } from "../errors.ts";
import { type GraphID, type GraphImage, isGraphID } from "../graph/descriptor.ts";
import { EntryFiles } from "../graph/entry-files.ts";
import { Graph } from "../graph/graph.ts";
import { type GraphTag, TagStore } from "../graph/tag-store.ts";
import { directoriesIn } from "../io/directory.ts";
import { locateDataRoot } from "./data-root.ts";
import { driverOfTags, GRAPH_DRIVERS, noGraph, theOneOf } from "./graph-traces.ts";
import type { StoreOptions } from "./workspace.ts";

/** How a data-root of Docker 1.9 is opened to be looked at. */
export type V1StoreOptions = Pick<StoreOptions, "root" | "driver" | "usernsRemap" | "onWarning">;

/** A v1 graph that is only looked at, as it was when it was opened. */
export class V1Root {
  readonly path: string;
  readonly driver: Driver;
  readonly files: EntryFiles;
  readonly graph: Graph;
  /** In the order of their file. Nobody checked that their images are there. */
  readonly tags: readonly GraphTag[];
  readonly warn: (message: string) => void;

  /**
   * Takes no lock and writes nothing. What is broken is not told here but where it is asked for.
   *
   * @throws VarveError `not-found` without a v1 graph, `permission`, `unsupported` for a driver that Varve has not, `conflict`
   *   when there are several
   */
  static async open({ root, driver: named, usernsRemap, onWarning = () => {} }: V1StoreOptions): Promise<V1Root> {
    const { path, idMap } = locateDataRoot(root, usernsRemap);
    refuseUnreadableGraph(path);
    const name = named ?? driverOf(path);
    const driver = await openDriver(path, { name, idMap, durability: "none", readOnly: true });
    refuseUnreadableTrees(driver);
    return new V1Root(path, driver, onWarning);
  }

  private constructor(path: string, driver: Driver, warn: (message: string) => void) {
    this.path = path;
    this.driver = driver;
    this.warn = warn;
    this.files = new EntryFiles(join(path, "graph"), { sync: false });
    this.graph = Graph.open({ directory: join(path, "graph"), driver, sync: false });
    this.tags = readTags(path, driver.name, warn);
  }

  /**
   * An image and its ancestors, bottom first.
   *
   * @throws VarveError `not-found`, `corrupt`: which image is missing or broken, and why
   */
  chain(id: GraphID): GraphImage[] {
    const chain: GraphImage[] = [];
    for (let next: GraphID | undefined = id; next !== undefined; next = chain[0]!.parent) {
      const image = this.graph.map().get(next);
      if (image === undefined) {
        const reason = this.reasonAgainst(next);
        if (next === id) throw reason;
        const message = `image ${chain[0]!.id}: its parent cannot be used: ${reason.message}`;
        throw new VarveError("corrupt", message, { id }, reason);
      }
      chain.unshift(image);
    }
    return chain;
  }

  /** Why an image is not among those of the graph. */
  reasonAgainst(id: string): VarveError {
    const broken = this.graph.broken.find(({ name }) => name === id);
    if (broken !== undefined) {
      const message = broken.reason.includes(id) ? broken.reason : `image ${id}: ${broken.reason}`;
      return new VarveError("corrupt", message, { id });
    }
    if (isGraphID(id) && existsSync(this.files.path(id, "json")))
      return new VarveError("not-found", `image ${id}: the driver ${this.driver.name} has no tree of it`, { id });
    return new VarveError("not-found", `image ${id} is not there`, { id });
  }

  /** Images whose files are there, but not their trees: another driver's, or damaged. */
  withoutTree(): GraphID[] {
    return this.files.names().filter((name): name is GraphID => isGraphID(name) && !this.driver.exists(name));
  }
}

function refuseUnreadableGraph(path: string): void {
  const graph = join(path, "graph");
  try {
    mustBeReadable(graph);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw error;
    throw noGraph(path);
  }
}

/** Else all its trees would seem to be missing. */
function refuseUnreadableTrees({ home, name }: Driver): void {
  for (const path of name === "vfs" ? [home, join(home, "dir")] : [home])
    try {
      mustBeReadable(path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
}

function mustBeReadable(path: string): void {
  try {
    accessSync(path, constants.R_OK | constants.X_OK);
  } catch (error) {
    throw errnoOf(error) === "EACCES" ? noPermission(path) : asVarveError(error);
  }
}

function noPermission(path: string): VarveError {
  return new VarveError("permission", `no permission to read ${path}: run as root, or let this user read it`, { path });
}

/**
 * A graph says nothing about its driver; files of tags and directories of trees do.
 *
 * @throws VarveError `conflict`, `unsupported`, `not-found` for a graph without trees
 */
function driverOf(path: string): string {
  const withTrees = (): string[] => GRAPH_DRIVERS.filter((name) => directoriesIn(join(path, name)).length > 0);
  const driver = driverOfTags(path) ?? theOneOf(withTrees(), path);
  if (driver !== undefined) return driver;
  throw new VarveError("not-found", `the v1 graph in ${path} has no trees of any driver`, { path });
}

function readTags(path: string, driver: string, warn: (message: string) => void): readonly GraphTag[] {
  try {
    return new TagStore(join(path, `repositories-${driver}`), { sync: false }).all();
  } catch (error) {
    if (!isVarveError(error)) throw error;
    warn(`the names of the images cannot be read: ${error.message}`);
    return [];
  }
}
