import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import { FileLock } from "../sys/lock.ts";

/**
 * A dockerd keeps the state of its stores in memory and writes whole files over ours, so a root on which one lives is
 * read-only to Varve. It is known by the locks that it holds on its bolt databases for as long as it runs; its pid file
 * may be anywhere and its socket may be gone.
 */
const DATABASES = [
  "volumes/metadata.db",
  "network/files/local-kv.db",
  "buildkit/snapshots.db",
  "buildkit/cache.db",
  "buildkit/metadata.db",
  "buildkit/metadata_v2.db",
  "buildkit/containerdmeta.db",
  "buildkit/history.db",
  // Of the containerd that dockerd starts for itself, before it reads anything.
  "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db",
] as const;

/** The database that a running dockerd has locked, or `undefined` when none runs on this root. */
export function databaseOfRunningDockerd(root: string): string | undefined {
  for (const name of DATABASES) {
    const path = join(root, name);
    if (isLocked(path)) return path;
  }
  return undefined;
}

/** @throws VarveError `locked` while a dockerd runs on this root */
export function refuseRunningDockerd(root: string): void {
  const database = databaseOfRunningDockerd(root);
  if (database === undefined) return;
  throw new VarveError(
    "locked",
    `a dockerd is running on ${root}: varve only reads there until it is stopped (systemctl stop docker docker.socket)`,
    { root, database },
  );
}

/** A file that is not there, or that we may not open, is no sign of a dockerd. */
function isLocked(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(error) ?? "")) return false;
    throw asVarveError(error);
  }
  try {
    using lock = FileLock.tryAcquire(fd, "shared");
    return lock === undefined;
  } finally {
    closeSync(fd);
  }
}
