import { isVarveError, VarveError } from "../errors.ts";
import { type GraphID, type GraphImage, isGraphID } from "./descriptor.ts";
import type { GraphContext } from "./graph-context.ts";

/** A directory in the graph that cannot be used. */
export interface BrokenEntry {
  readonly name: string;
  readonly reason: string;
}

/**
 * All images of the graph that the driver has trees of (FORMATS 11.3). An image without its parent is one; those that
 * cannot be read, or whose parents lead round in a circle, are broken.
 */
export function readGraph({ files, driver, warn }: Pick<GraphContext, "files" | "driver" | "warn">): {
  readonly images: Iterable<GraphImage>;
  readonly broken: readonly BrokenEntry[];
} {
  const broken: BrokenEntry[] = [];
  const images = new Map<GraphID, GraphImage>();
  for (const name of files.names()) {
    try {
      if (!isGraphID(name)) throw new VarveError("corrupt", `${JSON.stringify(name)} is no image id`, { name });
      if (driver.exists(name)) images.set(name, files.image(name));
    } catch (error) {
      if (!isVarveError(error)) throw error;
      broken.push({ name, reason: error.message });
    }
  }
  for (const id of circular(images)) {
    images.delete(id);
    broken.push({ name: id, reason: `image ${id} is its own ancestor, or stands on one that is` });
  }
  for (const { id, parent } of images.values())
    if (parent !== undefined && !images.has(parent)) warn(`image ${id}: its parent ${parent} is not there`);
  for (const { reason } of broken) warn(reason);
  return { images: images.values(), broken };
}

/** Images whose parents lead round in a circle, and those that stand on them. */
function circular(images: ReadonlyMap<GraphID, GraphImage>): GraphID[] {
  const sound = new Set<GraphID>();
  const unsound = new Set<GraphID>();
  for (const start of images.keys()) {
    const way = new Set<GraphID>();
    let next: GraphID | undefined = start;
    while (next !== undefined && images.has(next) && !sound.has(next) && !unsound.has(next) && !way.has(next)) {
      way.add(next);
      next = images.get(next)?.parent;
    }
    const isRound = next !== undefined && (unsound.has(next) || way.has(next));
    for (const id of way) (isRound ? unsound : sound).add(id);
  }
  return [...unsound];
}
