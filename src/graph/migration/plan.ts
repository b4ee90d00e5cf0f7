import { join } from "node:path";
import { isVarveError } from "../../errors.ts";
import { namesIn } from "../../io/directory.ts";
import { MAX_DEPTH } from "../../layer/layer.ts";
import { type GraphID, type GraphImage, isGraphID } from "../descriptor.ts";
import { TRANSACTIONS } from "../entry-files.ts";
import { imageOfGraph } from "../graph-config.ts";
import { readGraph } from "../read-graph.ts";
import type { MigrationContext } from "./migration.ts";

/**
 * The images of the graph that are across or can come across, parents first, as far as that can be known without reading their
 * layers. The others are left, and so is what stands on them.
 */
export function planImages(context: MigrationContext): GraphImage[] {
  const { files, driver, state, report } = context;
  // What it would warn of is in the report.
  const { images, broken } = readGraph({ files, driver, warn: () => {} });
  const found = new Map([...images].map((image) => [image.id, image]));
  for (const { name, reason } of broken) report.leave("image", name, reason);
  const directories = new Set(files.names());
  for (const name of namesIn(files.directory)) {
    if (found.has(name as GraphID) || report.isLeft("image", name) || name === TRANSACTIONS) continue;
    if (!directories.has(name)) {
      if (isGraphID(name)) report.leave("image", name, `${join(files.directory, name)} is no directory`);
      // Whoever removed an image that came across may have removed its tree as well.
    } else if (isGraphID(name) && !state.images.has(name))
      report.leave("image", name, `the driver ${driver.name} has no tree of image ${name}`);
  }
  return sorted(context, found);
}

/** Whether an image is in the store of today. */
export function isAcross({ state, images }: MigrationContext, id: GraphID): boolean {
  const image = state.images.get(id);
  return image !== undefined && images.has(image);
}

/**
 * All but those that came across and were removed from the store of today since, unless something that has not come across
 * stands on them. Where the store has none of what came across, it is not the store that had it.
 */
function wantedOf(context: MigrationContext, found: ReadonlyMap<GraphID, GraphImage>): Set<GraphID> {
  const { state } = context;
  const isTheStore = [...state.images.keys()].some((id) => isAcross(context, id));
  const wanted = new Set<GraphID>();
  for (const image of found.values()) {
    if (isTheStore && state.images.has(image.id) && !isAcross(context, image.id)) continue;
    for (let next: GraphImage | undefined = image; next !== undefined && !wanted.has(next.id); ) {
      wanted.add(next.id);
      next = isAcross(context, next.id) ? undefined : next.parent && found.get(next.parent);
    }
  }
  return wanted;
}

/** Those that can come across, each after its parent. There are no circles among what was found. */
function sorted(context: MigrationContext, found: ReadonlyMap<GraphID, GraphImage>): GraphImage[] {
  const wanted = wantedOf(context, found);
  const planned = new Map<GraphID, GraphImage>();
  const depths = new Map<GraphID, number>();
  for (const image of found.values()) {
    const line: GraphImage[] = [];
    for (let next: GraphImage | undefined = image; next !== undefined && !depths.has(next.id); ) {
      line.push(next);
      next = next.parent && found.get(next.parent);
    }
    for (const next of line.reverse()) {
      const depth = 1 + (next.parent === undefined ? 0 : (depths.get(next.parent) ?? 0));
      depths.set(next.id, depth);
      if (!wanted.has(next.id)) continue;
      const obstacle = isAcross(context, next.id) ? undefined : obstacleTo(next, depth, planned, context);
      if (obstacle === undefined) planned.set(next.id, next);
      else context.report.leave("image", next.id, obstacle);
    }
  }
  return [...planned.values()];
}

function obstacleTo(
  { id, parent }: GraphImage,
  depth: number,
  planned: ReadonlyMap<GraphID, GraphImage>,
  context: MigrationContext,
): string | undefined {
  const { files, report } = context;
  if (parent !== undefined && !planned.has(parent) && !isAcross(context, parent))
    return `its parent ${parent} ${report.isLeft("image", parent) ? "is left, too" : "is not there"}`;
  if (depth > MAX_DEPTH) return `max depth exceeded: it has more than ${MAX_DEPTH} layers`;
  try {
    files.tarData(id);
    imageOfGraph(id, files.json(id), ANY_LAYER, undefined);
    return undefined;
  } catch (error) {
    if (isVarveError(error)) return error.message;
    throw error;
  }
}

/** Stands for a layer that nobody has read yet. */
const ANY_LAYER = `sha256:${"0".repeat(64)}` as const;
