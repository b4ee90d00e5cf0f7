import { randomID } from "../../digest/random-id.ts";
import { errnoOf, VarveError } from "../../errors.ts";
import type { ContainerConfig } from "../../image/container-config.ts";
import { closeFile } from "../../sys/at.ts";
import { fromText } from "../../sys/byte-string.ts";
import { statFile } from "../../sys/stat.ts";
import { cleanName, TreeRoot } from "../../sys/tree-root.ts";
import { type ContainerRecords, mountsOf } from "../containers.ts";
import type { HostConfig } from "./host-config.ts";
import {
  cleanPath,
  type MountPoint,
  mountPointType,
  type PlannedMount,
  parseVolumesFrom,
  plannedMounts,
} from "./mount-point.ts";
import { required } from "./others.ts";
import { refused } from "./refusal.ts";
import type { LocalVolumes } from "./volumes.ts";

/**
 * The mounts of a container that is being made. New volumes get what the image has at their place, as with Docker, and
 * the names that they are to have in the visible step; those that come to nothing go when this is disposed of.
 */
export class NewVolumes implements Disposable {
  readonly #root: string;
  readonly #volumes: LocalVolumes;
  readonly #containers: ContainerRecords;
  #mounts: readonly PlannedMount[] = [];
  /** Volumes that were made and have no names yet, by the names that they are to have. */
  readonly #made = new Map<string, string>();

  constructor({ root, volumes, containers }: { root: string; volumes: LocalVolumes; containers: ContainerRecords }) {
    this.#root = root;
    this.#volumes = volumes;
    this.#containers = containers;
  }

  /**
   * Decides what is to be mounted. To be called inside `read`.
   *
   * @throws VarveError `invalid-argument`, `not-found`, `conflict` with Docker's texts; `unsupported` for a volume that
   *   only Docker can make
   */
  plan(host: HostConfig, config: ContainerConfig): void {
    const mounts = new Map<string, PlannedMount>();
    for (const from of host.volumesFrom ?? [])
      for (const point of this.#mountsOfOther(from)) mounts.set(point.destination, { point });
    for (const mount of plannedMounts(host, this.#root)) {
      const { point } = mount;
      mounts.set(point.destination, mount.volume === undefined ? mount : { ...mount, point: this.#localVolume(point) });
    }
    for (const volume of config.volumes ?? []) {
      const destination = cleanPath(volume);
      if (mounts.has(destination) || host.tmpfs?.has(destination) === true) continue;
      mounts.set(destination, {
        point: anonymousVolume(destination, host.volumeDriver),
        volume: { copiesImage: true },
      });
    }
    this.#mounts = [...mounts.values()];
  }

  /** Makes the volumes that are missing, or empty though the image has something there. @param container its file system */
  make(container: string): void {
    using root = new TreeRoot(container);
    for (const { point, volume } of this.#mounts) {
      if (volume === undefined) continue;
      using content = volume.copiesImage ? openDirectoryIn(root, point) : undefined;
      // The same volume may be in several places; the first one that has something fills it.
      const present = this.#made.get(point.name) ?? point.name;
      if (this.#volumes.has(present) && (content === undefined || !this.#volumes.isEmpty(present))) continue;
      const made = this.#volumes.make(content?.path);
      if (present !== point.name) this.#volumes.remove(present);
      this.#made.set(point.name, made);
    }
  }

  /** Gives the volumes their names. To be called in the visible step. @returns what is to be recorded */
  settle(): MountPoint[] {
    for (const [name, made] of this.#made) {
      this.#volumes.settle(made, name);
      this.#made.delete(name);
    }
    return this.#mounts.map(({ point }) => point);
  }

  /** The volumes that the container has and did not get from another one. */
  get names(): string[] {
    return this.#mounts.filter(({ volume }) => volume !== undefined).map(({ point }) => point.name);
  }

  [Symbol.dispose](): void {
    for (const made of this.#made.values()) this.#volumes.remove(made);
  }

  #mountsOfOther(from: string): MountPoint[] {
    const { container, isWritable } = parseVolumesFrom(from);
    return mountsOf(required(this.#containers, container)).map((point) => {
      const { type, name, source, driver, destination, propagation, spec } = point;
      if (source === "" && type === "volume" && !this.#volumes.has(name))
        throw new VarveError("not-found", `get ${name}: no such volume`, { name });
      const common = { type, name, source, driver, destination, propagation, spec };
      return { ...mountPointType.zero, ...common, isWritable: point.isWritable && isWritable };
    });
  }

  #localVolume(point: MountPoint): MountPoint {
    const { name, driver, mode } = point;
    refusePlugin(driver);
    this.#volumes.checkName(name);
    const { labels, driverConfig } = point.spec.volumeOptions ?? {};
    if (!this.#volumes.has(name) && ((labels?.size ?? 0) > 0 || (driverConfig?.options?.size ?? 0) > 0))
      throw new VarveError("unsupported", `volume ${name}: only docker makes volumes with labels or options`, { name });
    return { ...point, source: this.#volumes.dataOf(name), driver: "local", mode: mode || "z" };
  }
}

/** As Docker records what an image declares. */
function anonymousVolume(destination: string, driver: string): MountPoint {
  refusePlugin(driver);
  const own = { destination, name: randomID(), type: "volume", driver: "local", isWritable: true };
  return { ...mountPointType.zero, ...own };
}

function refusePlugin(driver: string): void {
  if (driver === "" || driver === "local") return;
  throw new VarveError(
    "unsupported",
    `volumes of the plugin "${driver}" are made by docker, varve has local ones only`,
    {
      driver,
    },
  );
}

/** The directory at a mount point in the container, if there is one. */
function openDirectoryIn(
  root: TreeRoot,
  { destination, source }: MountPoint,
): (Disposable & { path: string }) | undefined {
  const fd = openPlace(root, destination);
  if (fd === undefined) return undefined;
  try {
    if (statFile(fd).kind !== "directory") {
      const isDeclared = source === "";
      throw refused(
        isDeclared
          ? `cannot mount volume over existing file, file exists ${destination}`
          : `source ${destination} is not directory`,
      );
    }
  } catch (error) {
    closeFile(fd);
    throw error;
  }
  return { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => closeFile(fd) };
}

function openPlace(root: TreeRoot, path: string): number | undefined {
  try {
    return root.openPlace(cleanName(fromText(path)));
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
