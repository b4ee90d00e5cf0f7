import { join } from "node:path";
import { asVarveError, isVarveError } from "../../errors.ts";
import type { ImageID } from "../../image/image.ts";
import { throwIfCancelled } from "../../io/byte-source.ts";
import { noteBlob } from "../../layer/blob-digests.ts";
import { FirstFailure } from "../../layer/first-failure.ts";
import type { GraphID, GraphImage } from "../descriptor.ts";
import { imageOfGraph } from "../graph-config.ts";
import { LayerReading } from "./layer-reading.ts";
import type { MigrationContext } from "./migration.ts";
import { isAcross } from "./plan.ts";
import type { KnownLayer } from "./state.ts";

/** Brings images across, the earlier ones while the layers of the later ones are read. @param plan parents first */
export async function migrateImages(context: MigrationContext, plan: readonly GraphImage[]): Promise<void> {
  context.report.imagesToMove = plan.filter(({ id }) => !isAcross(context, id)).length;
  using ending = new FirstFailure(context.signal);
  const reading = new LayerReading(context, plan, ending.signal);
  const all = [reading.done, publishAll(context, plan, reading, ending.signal)].map((work) => ending.watch(work));
  try {
    await Promise.all(all);
  } catch (error) {
    await Promise.allSettled(all);
    throw ending.or(error);
  }
}

/** What `migrateImages` would do. */
export function previewImages(context: MigrationContext, plan: readonly GraphImage[]): void {
  for (const { id } of plan) {
    const before = isAcross(context, id);
    context.report.image(id, before ? context.state.images.get(id) : undefined, { before });
  }
}

async function publishAll(
  context: MigrationContext,
  plan: readonly GraphImage[],
  reading: LayerReading,
  signal: AbortSignal,
): Promise<void> {
  const { state, report } = context;
  for (const image of plan) {
    const { id, parent } = image;
    await reading.until(id);
    throwIfCancelled(signal);
    if (isAcross(context, id)) report.image(id, state.images.get(id), { before: true });
    else if (report.isLeft("image", id)) continue;
    else if (parent !== undefined && !isAcross(context, parent))
      report.leave("image", id, `its parent ${parent} is left, too`);
    else await bringAcross(context, image);
  }
}

async function bringAcross(context: MigrationContext, image: GraphImage): Promise<void> {
  const { files, state, report } = context;
  const { id } = image;
  try {
    const layer = state.layer(id);
    if (layer === undefined) throw new Error(`the layer of image ${id} was not read`);
    const imageID = await publish(context, image, layer);
    state.noteImage(id, imageID);
    report.image(id, imageID, { before: false });
    if (!layer.isOriginal && files.tarData(id) !== undefined)
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
