import { join } from "node:path";
import type { Driver } from "../../driver/driver.ts";
import type { ImageStore } from "../../image/store.ts";
import type { LayerStore } from "../../layer/store.ts";
import type { ReferenceStore } from "../../reference/reference-store.ts";
import { EntryFiles } from "../entry-files.ts";
import { migrateContainers } from "./containers.ts";
import { migrateImages, previewImages } from "./images.ts";
import { planImages } from "./plan.ts";
import { removeOld } from "./remove-old.ts";
import { type MigrationEvent, type MigrationReport, ReportBook } from "./report.ts";
import { MigrationState } from "./state.ts";
import { migrateTags } from "./tags.ts";

/** The data-root that a v1 graph lies in, and its stores of today. */
export interface MigrationRoot {
  readonly root: string;
  readonly driver: Driver;
  readonly layers: LayerStore;
  readonly images: ImageStore;
  readonly references: ReferenceStore;
  /** Whether changes outlive a power loss. */
  readonly sync: boolean;
  /** Runs a visible step while no other process makes one. */
  commit<T>(work: () => Promise<T> | T): Promise<T>;
  warn(message: string): void;
}

export interface MigrateOptions {
  /** Only says what would come across and what not. Nothing is written. */
  readonly dryRun?: boolean | undefined;
  /** Removes the old graph once everything is across. */
  readonly removeOld?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: MigrationEvent) => void) | undefined;
}

/** What the phases of one migration share. */
export interface MigrationContext extends MigrationRoot {
  readonly files: EntryFiles;
  readonly state: MigrationState;
  readonly report: ReportBook;
  readonly dryRun: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Brings a v1 graph into the layer store and the image store of today, as Docker 1.10 to 18.09 did at their start
 * (FORMATS 11.4 to 11.8), and with their state files, so that either goes on where the other one stopped:
 *
 * 1. `layer-reading.ts` reads every layer and notes which one it is, on several threads;
 * 2. `images.ts` makes an image of each entry, parents first: the driver's tree becomes the layer's as it is, the JSON
 *    becomes a config;
 * 3. `containers.ts` gives each container a record of today and its trees a writable layer;
 * 4. `tags.ts` carries the names over.
 *
 * What cannot come across is told and left, and so is what stands on it. Nothing old is changed or removed, unless
 * `remove-old.ts` is asked to. Whenever it ends, another run does what is left.
 *
 * @throws VarveError `no-space`, `locked`, `permission`, `cancelled`; `corrupt` for a state file or a file of tags that
 *   cannot be read; `conflict` when the old graph is to be removed and not everything is across
 */
export async function migrate(root: MigrationRoot, options: MigrateOptions = {}): Promise<MigrationReport> {
  const { dryRun = false, signal, onEvent = () => {} } = options;
  const files = new EntryFiles(join(root.root, "graph"), root);
  const state = new MigrationState(root.root, files, root);
  const report = new ReportBook(onEvent);
  const context: MigrationContext = { ...root, files, state, report, dryRun, signal };
  const plan = planImages(context);
  if (dryRun) previewImages(context, plan);
  else await migrateImages(context, plan);
  await migrateContainers(context);
  await migrateTags(context);
  // After the names of these images: should we die before, they are images that have just come across once more.
  if (!dryRun) state.saveImages();
  if (options.removeOld === true && !dryRun) await removeOld(context);
  return report;
}
