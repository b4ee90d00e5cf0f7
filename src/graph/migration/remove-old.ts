import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { VarveError } from "../../errors.ts";
import { directoriesIn } from "../../io/directory.ts";
import { removeFile } from "../../sys/remove-file.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { syncDirectory } from "../../sys/sync.ts";
import type { GraphID } from "../descriptor.ts";
import { readGraph } from "../read-graph.ts";
import { isThere, oldImageOf, recordsOf } from "./containers.ts";
import type { MigrationContext } from "./migration.ts";
import { tagsPath } from "./tags.ts";

/**
 * Removes what Docker 1.9 left, once all images and containers are across: trees that no layer needs, `graph/`, the old
 * records of containers, the names and the state files. If it dies in between, another call finishes it.
 *
 * @throws VarveError `conflict` while an image or a container is not across
 */
export async function removeOld(context: MigrationContext): Promise<void> {
  const { root, files, report, driver, state } = context;
  if (existsSync(files.directory)) {
    refuseWhatIsLeft(context);
    const removeTold = (path: string): void => {
      removeTree(path);
      report.removed.push(path);
    };
    for (const tree of needlessTrees(context)) await driver.remove(tree, { removeTree: removeTold });
    // In one step: of half a graph nobody could tell any more that all of it came across.
    renameSync(files.directory, asidePath(root));
    syncDirectory(root);
  }
  for (const { old, now } of directoriesIn(join(root, "containers")).map((id) => recordsOf(root, id)))
    if (isThere(old) && isThere(now)) remove(context, old);
  for (const path of [tagsPath(context), ...state.paths()]) if (isThere(path)) remove(context, path);
  // Last, since by it the next call knows that there is something left to do.
  if (existsSync(asidePath(root))) {
    removeTree(asidePath(root));
    report.removed.push(files.directory);
  }
}

/** Where a graph is while it is removed. */
export function asidePath(root: string): string {
  return join(root, ".migration-v1-removing");
}

function remove({ report }: MigrationContext, path: string): void {
  removeFile(path);
  report.removed.push(path);
}

/** @throws VarveError `conflict` */
function refuseWhatIsLeft({ report }: MigrationContext): void {
  const missing = report.left.filter(({ what }) => what !== "tag").map(({ what, name }) => `${what} ${name}`);
  if (missing.length === 0) return;
  const [first] = missing;
  const others = missing.length === 1 ? "" : `, nor have ${missing.length - 1} more`;
  throw new VarveError("conflict", `the v1 graph is not removed: ${first} has not come across${others}`, { missing });
}

/**
 * Trees of the graph that no layer has, because another entry had the same layer; unless a tree that is needed stands on
 * one. All entries can be read, or they would have been left.
 */
function needlessTrees(context: MigrationContext): GraphID[] {
  const { root, files, layers, driver, warn } = context;
  const images = new Map([...readGraph({ files, driver, warn: () => {} }).images].map((image) => [image.id, image]));
  const used = new Set([...layers.map().values()].map(({ cacheID }) => cacheID));
  const lost = [...context.state.images.keys()].find((id) => used.has(id) && !images.has(id));
  if (lost !== undefined) {
    warn(`nobody can say on which trees that of image ${lost} stands: those that may be needless are kept`);
    return [];
  }
  const containers = directoriesIn(join(root, "containers"));
  const needed = new Set<string>();
  for (const tree of [...used, ...containers.map((id) => oldImageOf(root, id))])
    for (let id = tree as GraphID | undefined; id !== undefined && !needed.has(id); id = images.get(id)?.parent)
      needed.add(id);
  return [...images.keys()].filter((id) => !needed.has(id) && driver.exists(id));
}
