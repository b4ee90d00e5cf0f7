import { isVarveError } from "../../errors.ts";
import { MAX_DEPTH } from "../../layer/layer.ts";
import { type GraphID, type GraphImage, isGraphID } from "../descriptor.ts";
import { imageOfGraph } from "../graph-config.ts";
import { readGraph } from "../read-graph.ts";
import type { MigrationContext } from "./migration.ts";

/**
 * The images of the graph that can come across, parents first, as far as that can be known without reading their layers.
 * The others are left, and so is what stands on them.
 */
export function planImages(context: MigrationContext): GraphImage[] {
  const { files, driver, state, report } = context;
  // What it would warn of is in the report.
  const { images, broken } = readGraph({ ...context, warn: () => {} });
  const found = new Map([...images].map((image) => [image.id, image]));
  for (const { name, reason } of broken) if (!isAcross(context, name)) report.leave("image", name, reason);
  for (const name of files.names())
    if (isGraphID(name) && !found.has(name) && !isAcross(context, name) && !report.isLeft("image", name))
      report.leave("image", name, `the driver ${driver.name} has no tree of image ${name}`);

  const planned = new Map<GraphID, GraphImage>();
  const depths = new Map<GraphID, number>();
  for (const image of found.values())
    for (const next of lineage(image, found, planned)) {
      if (report.isLeft("image", next.id)) continue;
      const depth = 1 + (next.parent === undefined ? 0 : (depths.get(next.parent) ?? 0));
      const obstacle = state.images.has(next.id) ? undefined : obstacleTo(next, depth, planned, context);
      if (obstacle !== undefined) report.leave("image", next.id, obstacle);
      else planned.set(next.id, next);
      depths.set(next.id, depth);
    }
  return [...planned.values()];
}

function isAcross({ state }: MigrationContext, name: string): boolean {
  return isGraphID(name) && state.images.has(name);
}

/** An image and those below it that were not planned yet, the lowest first. There are no circles among what was found. */
function lineage(
  image: GraphImage,
  found: ReadonlyMap<GraphID, GraphImage>,
  planned: ReadonlyMap<GraphID, GraphImage>,
): GraphImage[] {
  const line: GraphImage[] = [];
  for (let next: GraphImage | undefined = image; next !== undefined && !planned.has(next.id); ) {
    line.push(next);
    next = next.parent && found.get(next.parent);
  }
  return line.reverse();
}

function obstacleTo(
  { id, parent }: GraphImage,
  depth: number,
  planned: ReadonlyMap<GraphID, GraphImage>,
  { files, state, report }: MigrationContext,
): string | undefined {
  if (parent !== undefined && !planned.has(parent) && !state.images.has(parent))
    return `its parent ${parent} ${report.isLeft("image", parent) ? "is left, too" : "is not there"}`;
  if (depth > MAX_DEPTH) return `max depth exceeded: it has more than ${MAX_DEPTH} layers`;
  try {
    imageOfGraph(id, files.json(id), ANY_LAYER, undefined);
    return undefined;
  } catch (error) {
    if (isVarveError(error)) return error.message;
    throw error;
  }
}

/** Stands for a layer that nobody has read yet. */
const ANY_LAYER = `sha256:${"0".repeat(64)}` as const;
