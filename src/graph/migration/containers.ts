import { lstatSync } from "node:fs";
import { join } from "node:path";
import { isVarveError, VarveError } from "../../errors.ts";
import type { ImageID } from "../../image/image.ts";
import { replaceFile } from "../../io/atomic-file.ts";
import { throwIfCancelled } from "../../io/byte-source.ts";
import { directoriesIn } from "../../io/directory.ts";
import { readWholeFile } from "../../io/whole-file.ts";
import { formatGo, type GoValue } from "../../json/go-value.ts";
import { type Json, parseJson } from "../../json/json.ts";
import { isGraphID } from "../descriptor.ts";
import type { MigrationContext } from "./migration.ts";
import { isAcross } from "./plan.ts";

/** Brings the containers of Docker 1.9 across (FORMATS 11.6): each gets a record of today and a writable layer. */
export async function migrateContainers(context: MigrationContext): Promise<void> {
  const { root, report, signal, dryRun } = context;
  for (const id of directoriesIn(join(root, "containers")).sort()) {
    throwIfCancelled(signal);
    const paths = recordsOf(root, id);
    if (!isThere(paths.old)) continue;
    try {
      const before = isThere(paths.now) && isWhole(context, id, paths);
      if (!before) await migrateContainer(context, id, paths);
      report.container(id, { before, dryRun });
    } catch (error) {
      report.leaveOver("container", id, error);
    }
  }
}

interface Records {
  /** What Docker 1.9 knew of a container. */
  readonly old: string;
  /** What Docker knows of it today. */
  readonly now: string;
}

export function recordsOf(root: string, container: string): Records {
  const directory = join(root, "containers", container);
  return { old: join(directory, "config.json"), now: join(directory, "config.v2.json") };
}

/** The v1 id of the image on whose tree a container's tree stands, if it is one of Docker 1.9's. */
export function oldImageOf(root: string, container: string): string | undefined {
  const { old } = recordsOf(root, container);
  return isThere(old) ? readRecord(old).get("Image")?.text : undefined;
}

export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/**
 * Whether a container that has a record of today also has its writable layer: Docker 1.10 made that later.
 *
 * @throws VarveError `corrupt` when the record cannot be read: it may be newer than the old one
 */
function isWhole({ layers }: MigrationContext, id: string, { now }: Records): boolean {
  readRecord(now);
  return layers.hasRW(id);
}

async function migrateContainer(context: MigrationContext, id: string, paths: Records): Promise<void> {
  const { driver, layers, images, commit, sync, dryRun } = context;
  const record = readRecord(paths.old);
  const image = imageOf(context, record);
  if (!isGraphID(id) || !driver.exists(id)) throw noTree(context, id, record);
  if (dryRun || image === undefined) return;
  await commit(async () => {
    const parent = images.get(image).chainID;
    const initID = driver.exists(`${id}-init`) ? `${id}-init` : undefined;
    // The record last: with it the container counts as done.
    await layers.adoptRW(id, { mountID: id, initID, parent });
    if (isThere(paths.now)) return;
    replaceFile(paths.now, formatGo(new Map<string, GoValue>([...record, ["Image", image]])), { mode: 0o600, sync });
  });
}

function readRecord(path: string): ReadonlyMap<string, Json> {
  try {
    const json = parseJson(readWholeFile(path, MAX_RECORD) ?? "");
    if (json.kind !== "object") throw new VarveError("corrupt", "it is no record of a container");
    return new Map(json.members());
  } catch (error) {
    if (!isVarveError(error, "invalid-archive") && !isVarveError(error, "corrupt")) throw error;
    throw new VarveError("corrupt", `${path}: ${error.message}`, { path }, error);
  }
}

/** @returns `undefined` in a dry run, for an image that is still to come @throws VarveError `corrupt`, `not-found` */
function imageOf(context: MigrationContext, record: ReadonlyMap<string, Json>): ImageID | undefined {
  const { state, report, dryRun } = context;
  const image = record.get("Image")?.text;
  if (!image) throw new VarveError("corrupt", "it does not say which image it is of");
  if (isGraphID(image) && isAcross(context, image)) return state.images.get(image);
  if (dryRun && report.hasImage(image)) return undefined;
  throw new VarveError("not-found", `its image ${image} has not come across`, { image });
}

function noTree({ driver }: MigrationContext, id: string, record: ReadonlyMap<string, Json>): VarveError {
  const other = record.get("Driver")?.text;
  const hint = other === undefined || other === driver.name ? "" : ` (it is of the driver ${other || "aufs"})`;
  return new VarveError("not-found", `the driver ${driver.name} has no tree of it${hint}`, { id, driver: other });
}

const MAX_RECORD = 16 << 20;
