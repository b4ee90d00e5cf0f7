import { statSync } from "node:fs";
import { join } from "node:path";
import { VarveError } from "../../errors.ts";
import { replaceFile } from "../../io/atomic-file.ts";
import { throwIfCancelled } from "../../io/byte-source.ts";
import { directoriesIn } from "../../io/directory.ts";
import { readWholeFile } from "../../io/whole-file.ts";
import { formatGo, type GoValue } from "../../json/go-value.ts";
import { type Json, parseJson } from "../../json/json.ts";
import { isGraphID } from "../descriptor.ts";
import type { MigrationContext } from "./migration.ts";

/** Brings containers across (FORMATS 11.6): those of Docker 1.9 that have no record of today yet. */
export async function migrateContainers(context: MigrationContext): Promise<void> {
  const { root, report, signal, dryRun } = context;
  for (const id of directoriesIn(join(root, "containers")).sort()) {
    throwIfCancelled(signal);
    const paths = recordsOf(root, id);
    if (!isThere(paths.old)) continue;
    if (isThere(paths.now)) {
      report.container(id, { before: true, dryRun });
      continue;
    }
    try {
      await migrateContainer(context, id, paths);
      report.container(id, { before: false, dryRun });
    } catch (error) {
      report.leaveOver("container", id, error);
    }
  }
}

/** Where Docker 1.9 keeps what it knows of a container, and where Docker does today. */
export function recordsOf(root: string, container: string): { readonly old: string; readonly now: string } {
  const directory = join(root, "containers", container);
  return { old: join(directory, "config.json"), now: join(directory, "config.v2.json") };
}

/** The v1 id of the image on whose tree a container's tree stands, if it is one of Docker 1.9's. */
export function oldImageOf(root: string, container: string): string | undefined {
  const { old } = recordsOf(root, container);
  return isThere(old) ? readRecord(old).get("Image")?.text : undefined;
}

export function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function migrateContainer(
  context: MigrationContext,
  id: string,
  paths: { readonly old: string; readonly now: string },
): Promise<void> {
  const { driver, layers, images, commit, sync, dryRun } = context;
  const record = readRecord(paths.old);
  const image = imageOf(context, record);
  if (!isGraphID(id) || !driver.exists(id)) throw noTree(context, id, record);
  if (dryRun) return;
  await commit(async () => {
    const parent = images.get(image).chainID;
    const initID = driver.exists(`${id}-init`) ? `${id}-init` : undefined;
    // The record last: with it the container counts as done.
    await layers.adoptRW(id, { mountID: id, initID, parent });
    replaceFile(paths.now, formatGo(new Map<string, GoValue>([...record, ["Image", image]])), { mode: 0o600, sync });
  });
}

function readRecord(path: string): ReadonlyMap<string, Json> {
  const bytes = readWholeFile(path, MAX_RECORD);
  const json = parseJson(bytes ?? "");
  if (json.kind !== "object") throw new VarveError("corrupt", `${path}: it is no record of a container`, { path });
  return new Map(json.members());
}

function imageOf({ state, dryRun, report }: MigrationContext, record: ReadonlyMap<string, Json>): `sha256:${string}` {
  const image = record.get("Image")?.text;
  if (!image) throw new VarveError("corrupt", "it does not say which image it is of");
  const known = isGraphID(image) ? state.images.get(image) : undefined;
  if (known !== undefined) return known as `sha256:${string}`;
  if (dryRun && report.images.some(({ id }) => id === image)) return `sha256:${image}`;
  throw new VarveError("not-found", `its image ${image} has not come across`, { image });
}

function noTree({ driver }: MigrationContext, id: string, record: ReadonlyMap<string, Json>): VarveError {
  const other = record.get("Driver")?.text;
  const hint = other === undefined || other === driver.name ? "" : ` (it is of the driver ${other || "aufs"})`;
  return new VarveError("not-found", `the driver ${driver.name} has no tree of it${hint}`, { id, driver: other });
}

const MAX_RECORD = 16 << 20;
