import { VarveError } from "../errors.ts";
import { namesIn } from "../io/directory.ts";

/** The drivers of Docker 1.9, whose files of tags lie beside a v1 graph. */
export const GRAPH_DRIVERS: readonly string[] = ["aufs", "btrfs", "devicemapper", "overlay", "overlay2", "vfs", "zfs"];

/**
 * The driver of the one file of tags, since a v1 graph says nothing about its driver; `undefined` where that tells nothing.
 *
 * @throws VarveError `conflict` when there are several
 */
export function driverOfTags(root: string): string | undefined {
  const names = namesIn(root);
  return theOneOf(
    GRAPH_DRIVERS.filter((name) => names.includes(`repositories-${name}`)),
    root,
  );
}

/** @throws VarveError `conflict` when there are several */
export function theOneOf(drivers: readonly string[], root: string): string | undefined {
  if (drivers.length > 1)
    throw new VarveError("conflict", `${root} has v1 graphs of several drivers: choose one with --driver`, { drivers });
  return drivers[0];
}

export function noGraph(root: string): VarveError {
  return new VarveError("not-found", `there is no v1 graph in ${root}`, { root });
}
