import { existsSync } from "node:fs";
import { join } from "node:path";
import { VarveError } from "../../errors.ts";
import { type Container, mountsOf } from "../containers.ts";
import type { MountPoint } from "./mount-point.ts";
import type { LocalVolumes } from "./volumes.ts";

/** A file or directory of the host in a container. */
export interface HostMount {
  /** A path of the host. */
  readonly source: string;
  readonly destination: string;
  readonly isWritable: boolean;
  /** Otherwise a source that is missing is an empty directory. */
  readonly mustExist: boolean;
}

/**
 * What of the host is in a container for those who copy into it and out of it, as with Docker: its volumes, its binds,
 * and the files about its network that a dockerd made when it started it. What lies in another one comes after that.
 *
 * @throws VarveError `not-found` with Docker's text for a volume that is gone
 */
export function hostMounts(
  { root, volumes }: { readonly root: string; readonly volumes: LocalVolumes },
  container: Container,
): HostMount[] {
  const mounts = mountsOf(container)
    .filter(({ type }) => type !== "tmpfs")
    .map((point) => ({ ...point, source: sourceOf(volumes, point) }))
    .filter(({ source }) => source !== "")
    .sort((a, b) => depthOf(a) - depthOf(b));
  return [...mounts, ...networkFiles(container, join(root, "containers", container.id))];
}

/** Docker does not record the places of all volumes, and those of a root that was copied are elsewhere. */
function sourceOf(volumes: LocalVolumes, { source, name, driver }: MountPoint): string {
  if (name === "" || driver !== "local") return source;
  if (!volumes.has(name)) throw new VarveError("not-found", `get ${name}: no such volume`, { name });
  return volumes.dataOf(name);
}

/** @param directory that of the container's record, beside which Docker keeps them */
function networkFiles({ id, record }: Container, directory: string): HostMount[] {
  return NETWORK_FILES.flatMap(([destination, field, name]) => {
    const source = join(directory, name);
    if (!`${record[field]}`.includes(`/${id}/`) || !existsSync(source)) return [];
    return [{ source, destination, isWritable: true, mustExist: true }];
  });
}

/** Where the container sees it, which field of its record names it, and its name beside the record. */
const NETWORK_FILES = [
  ["/etc/hostname", "HostnamePath", "hostname"],
  ["/etc/hosts", "HostsPath", "hosts"],
  ["/etc/resolv.conf", "ResolvConfPath", "resolv.conf"],
] as const;

function depthOf({ destination }: HostMount): number {
  return destination.split("/").length;
}
