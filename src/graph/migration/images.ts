import { join } from "node:path";
import { asVarveError, isVarveError } from "../../errors.ts";
import type { ImageID } from "../../image/image.ts";
import { throwIfCancelled } from "../../io/byte-source.ts";
import { noteBlob } from "../../layer/blob-digests.ts";
import type { StrayTree } from "../../layer/identity-jobs.ts";
import type { GraphID, GraphImage } from "../descriptor.ts";
import { imageOfGraph } from "../graph-config.ts";
import type { MigrationContext } from "./migration.ts";
import type { KnownLayer } from "./state.ts";

/** Brings images across. @param plan parents first */
export async function migrateImages(context: MigrationContext, plan: readonly GraphImage[]): Promise<void> {
  const { state, report, dryRun } = context;
  if (!dryRun) await readLayers(context, plan);
  for (const image of plan) {
    const { id, parent } = image;
    const before = state.images.get(id);
    if (before !== undefined) report.image(id, before, { before: true });
    else if (dryRun) report.image(id, undefined, { before: false });
    else if (report.isLeft("image", id)) continue;
    else if (parent !== undefined && !state.images.has(parent))
      report.leave("image", id, `its parent ${parent} is left, too`);
    else await bringAcross(context, image);
  }
  if (!dryRun) state.saveImages();
}

interface GraphTree extends StrayTree {
  readonly cacheID: GraphID;
}

/** Notes of every image which layer it has. It is the long part, and the one for which it matters to be able to go on. */
async function readLayers(context: MigrationContext, plan: readonly GraphImage[]): Promise<void> {
  const { state, files, layers, report, signal } = context;
  const unread = plan.filter(({ id }) => !state.images.has(id) && state.layer(id) === undefined);
  const trees = unread.map(
    ({ id, parent }): GraphTree => ({
      cacheID: id,
      parent,
      split: state.keptSplit(id),
      newSplit: state.newSplit(id),
    }),
  );
  let done = 0;
  await layers.identifyTrees(trees, {
    bytes: unread.reduce((sum, { id }) => sum + sizeOf(context, id), 0),
    signal,
    onTree({ cacheID: id }, identity) {
      done++;
      if (isVarveError(identity)) {
        report.leaveOver("image", id, identity);
        return;
      }
      state.noteLayer(id, identity);
      if (identity.reason !== undefined)
        context.warn(`image ${id}: ${files.path(id, "tar-data.json.gz")} does not fit its files: ${identity.reason}`);
      report.tell({ kind: "checksum", id, bytes: identity.length, done, total: trees.length });
    },
  });
}

/** As far as somebody has counted it, and can be believed. */
function sizeOf({ files }: MigrationContext, id: GraphID): number {
  try {
    return files.size(id) ?? 0;
  } catch (error) {
    if (isVarveError(error, "corrupt")) return 0;
    throw error;
  }
}

async function bringAcross(context: MigrationContext, image: GraphImage): Promise<void> {
  const { state, report, signal } = context;
  const { id } = image;
  throwIfCancelled(signal);
  try {
    const layer = state.layer(id);
    if (layer === undefined) throw new Error(`the layer of image ${id} was not read`);
    const imageID = await publish(context, image, layer);
    state.noteImage(id, imageID);
    report.image(id, imageID, { before: false });
    if (!layer.isOriginal && state.keptSplit(id) !== undefined)
      report.change(id, "its layer is made of the files as they are now: they are not those of its tar-data.json.gz");
    noteChecksum(context, id, layer);
  } catch (error) {
    report.leaveOver("image", id, error);
  }
}

/** Makes the image visible, with its layer. When it fails the layer may stay, which is taken up the next time. */
async function publish(context: MigrationContext, image: GraphImage, layer: KnownLayer): Promise<ImageID> {
  const { files, state, layers, images, commit } = context;
  const { id, parent: parentID } = image;
  const { diffID, size, split } = layer;
  return await commit(async () => {
    const parent = parentID && images.get(state.images.get(parentID)!);
    const made = imageOfGraph(id, files.json(id), diffID, parent);
    const held = await layers.adopt({ cacheID: id, diffID, size, split }, parent?.chainID);
    try {
      await images.create(made.raw);
      if (parent !== undefined && images.parent(made.id) !== parent.id) images.setParent(made.id, parent.id);
      return made.id;
    } finally {
      held.forget();
    }
  });
}

/** The blob that the layer came as: a pull need not fetch it again. Without it nothing is lost. */
function noteChecksum({ root, driver, files, sync, warn }: MigrationContext, id: GraphID, layer: KnownLayer): void {
  if (!layer.isOriginal) return;
  try {
    const directory = join(root, "image", driver.name, "distribution");
    noteBlob(directory, layer.diffID, { digest: files.digest(id), sourceRepository: "" }, { sync });
  } catch (error) {
    const coded = asVarveError(error);
    if (isVarveError(coded, "not-found") || isVarveError(coded, "invalid-digest")) return;
    warn(`image ${id}: the digest of its blob could not be noted: ${(coded as Error).message}`);
  }
}
