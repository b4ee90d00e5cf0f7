import { opendirSync } from "node:fs";
import { join } from "node:path";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import type { IdMap } from "../fstree/id-map.ts";
import { isRoot } from "../sys/rank.ts";
import type { Driver, DriverOptions, Durability } from "./driver.ts";

export type DriverName = "overlay2" | "vfs" | "rootless";

type OpenDriver = (options: DriverOptions) => Promise<Driver>;

/** A driver's code is loaded when it is the one. */
const DRIVERS: Readonly<Record<DriverName, OpenDriver>> = {
  overlay2: async (options) => new (await import("./overlay2/overlay2.ts")).Overlay2Driver(options),
  vfs: async (options) => new (await import("./vfs/vfs.ts")).VfsDriver(options),
  rootless: async (options) => new (await import("./rootless/rootless.ts")).RootlessDriver(options),
};

/** The drivers that Varve has, the usual choice first. */
export const availableDrivers: readonly DriverName[] = Object.keys(DRIVERS) as DriverName[];

export interface OpenDriverOptions {
  /** Which driver; by default the root itself tells, and for a fresh one the kernel and the user. */
  readonly name?: string | undefined;
  readonly idMap?: IdMap | undefined;
  readonly durability: Durability;
  /** As in `DriverOptions`. */
  readonly readOnly?: boolean | undefined;
}

/**
 * Opens the driver that a data-root belongs to. Nothing is written, apart from a scratch directory that comes and goes
 * when root opens a fresh data-root and the kernel has to be asked.
 *
 * @throws VarveError `unsupported` for a driver that Varve has not; `conflict` when several have left trees in the root
 */
export async function openDriver(root: string, options: OpenDriverOptions): Promise<Driver> {
  const { name, idMap, durability, readOnly } = options;
  const chosen = name ?? priorDriver(root) ?? (await freshDriver(root));
  if (!isAvailable(chosen))
    throw new VarveError("unsupported", `driver not supported: ${chosen} (Varve has ${availableDrivers.join(", ")})`, {
      driver: chosen,
      root,
    });
  return await DRIVERS[chosen]({ home: join(root, chosen), idMap, durability, readOnly });
}

/** Docker's order of preference (FORMATS 7.4), and ours. vfs never counts as prior. */
const PRIORITY = ["btrfs", "zfs", "overlay2", "fuse-overlayfs", "aufs", "overlay", "devicemapper", "rootless"];

function priorDriver(root: string): string | undefined {
  const prior = PRIORITY.filter((driver) => hasEntries(join(root, driver)));
  if (prior.length > 1)
    throw new VarveError(
      "conflict",
      `${root} contains several valid graphdrivers: ${prior.join(", ")}; Please cleanup or explicitly choose storage driver (-s <DRIVER>)`,
      { root, drivers: prior },
    );
  return prior[0];
}

async function freshDriver(root: string): Promise<DriverName> {
  if (!isRoot()) return "rootless";
  const { probeOverlay } = await import("./overlay2/kernel.ts");
  return probeOverlay(join(root, "overlay2")).kind === "fails" ? "vfs" : "overlay2";
}

function hasEntries(directory: string): boolean {
  try {
    const entries = opendirSync(directory);
    try {
      return entries.readSync() !== null;
    } finally {
      entries.closeSync();
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return false;
    throw asVarveError(error);
  }
}

function isAvailable(name: string): name is DriverName {
  return Object.hasOwn(DRIVERS, name);
}
