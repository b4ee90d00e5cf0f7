import { readFileSync } from "node:fs";
import { arch, cpus, release, totalmem } from "node:os";
import type { ChainID } from "../digest/chain-id.ts";
import type { Durability } from "../driver/driver.ts";
import type { ImageID } from "../image/image.ts";
import { sizeBelow } from "./container-list.ts";
import { databaseOfRunningDockerd } from "./dockerd.ts";
import type { Workspace } from "./workspace.ts";

/** What `docker system df` shows of images and containers; bytes. */
export interface DiskUsage {
  readonly images: {
    readonly total: number;
    /** Images that containers are made of. */
    readonly active: number;
    /** All layers, each once. */
    readonly size: number;
    /** What would be free without the images that no container uses. */
    readonly reclaimable: number;
    readonly entries: readonly ImageUsage[];
  };
  readonly containers: {
    readonly total: number;
    readonly active: number;
    /** What the containers wrote. */
    readonly size: number;
    readonly reclaimable: number;
    readonly entries: readonly ContainerUsage[];
  };
}

export interface ImageUsage {
  readonly id: ImageID;
  readonly size: number;
  /** Bytes in layers that other images have too. */
  readonly sharedSize: number;
  readonly containers: number;
}

export interface ContainerUsage {
  readonly id: string;
  /** What it wrote. */
  readonly size: number;
  /** That, and the layers that it is made on. */
  readonly rootSize: number;
  readonly running: boolean;
}

export interface StoreInfo {
  readonly root: string;
  readonly driver: string;
  readonly driverStatus: readonly (readonly [name: string, value: string])[];
  readonly durability: Durability;
  readonly images: number;
  readonly layers: number;
  readonly containers: { readonly total: number; readonly running: number; readonly stopped: number };
  /** Records on disk that cannot be used, in one line each. */
  readonly broken: readonly string[];
  /** A dockerd lives on this root, so that it is read-only. */
  readonly dockerd: boolean;
  readonly operatingSystem: string;
  readonly kernelVersion: string;
  readonly architecture: string;
  readonly cpus: number;
  readonly memory: number;
}

/** @param sizes what containers wrote. To be called inside `read` */
export function diskUsage(workspace: Workspace, sizes: ReadonlyMap<string, number>): DiskUsage {
  const { layers, images, references } = workspace;
  const records = workspace.containersHere();
  const known = layers.map();
  const users = new Map<ChainID, number>();
  const counted = [...images.map()].filter(
    ([id]) => references.referencesOf(id).length > 0 || images.children(id).length === 0,
  );
  for (const [, image] of counted)
    for (let chain = image.chainID; chain !== undefined; chain = known.get(chain)?.parent)
      users.set(chain, (users.get(chain) ?? 0) + 1);
  const entries = counted.map(([id, image]): ImageUsage => {
    let sharedSize = 0;
    for (let chain = image.chainID; chain !== undefined; chain = known.get(chain)?.parent)
      if (users.get(chain)! > 1) sharedSize += known.get(chain)?.size ?? 0;
    const used = records.filter((container) => container.image === id).length;
    return { id, size: images.size(id), sharedSize, containers: used };
  });
  const size = [...users.keys()].reduce((sum, chain) => sum + (known.get(chain)?.size ?? 0), 0);
  const used = entries.filter((entry) => entry.containers > 0);
  const kept = used.reduce((sum, entry) => sum + entry.size - entry.sharedSize, 0);
  const written = records.map(({ id, running }): ContainerUsage => {
    const size = sizes.get(id) ?? 0;
    return { id, running, size, rootSize: size + sizeBelow(workspace, id) };
  });
  return {
    images: { total: counted.length, active: used.length, size, reclaimable: size - kept, entries },
    containers: {
      total: written.length,
      active: written.filter(({ running }) => running).length,
      size: sumSizes(written),
      reclaimable: sumSizes(written.filter(({ running }) => !running)),
      entries: written,
    },
  };
}

export function storeInfo(workspace: Workspace): StoreInfo {
  const { root, driver, durability, images, layers } = workspace;
  const records = workspace.containersHere();
  const running = records.filter((container) => container.running).length;
  return {
    root,
    driver: driver.name,
    driverStatus: driver.status(),
    durability,
    images: images.map().size,
    layers: layers.map().size,
    containers: { total: records.length, running, stopped: records.length - running },
    broken: [
      ...layers.broken.map(({ kind, name, reason }) => `${kind} ${name}: ${reason}`),
      ...images.broken.map(({ id, reason }) => `image ${id}: ${reason}`),
    ],
    dockerd: databaseOfRunningDockerd(root) !== undefined,
    operatingSystem: /^PRETTY_NAME="?(.*?)"?$/m.exec(readOSRelease())?.[1] ?? "Linux",
    kernelVersion: release(),
    architecture: ARCHITECTURES[arch()] ?? arch(),
    cpus: cpus().length,
    memory: totalmem(),
  };
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

function readOSRelease(): string {
  try {
    return readFileSync("/etc/os-release", "utf8");
  } catch {
    return "";
  }
}

function sumSizes(entries: readonly ContainerUsage[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}
