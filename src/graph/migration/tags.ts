import { existsSync } from "node:fs";
import { join } from "node:path";
import { VarveError } from "../../errors.ts";
import type { ImageID } from "../../image/image.ts";
import { familiarString, type Reference } from "../../reference/reference.ts";
import { isGraphID } from "../descriptor.ts";
import { type GraphTag, nameOfTag, referenceOfTag, TagStore } from "../tag-store.ts";
import type { MigrationContext } from "./migration.ts";
import { isAcross } from "./plan.ts";

/**
 * Carries the names over (FORMATS 11.7): each in the run in which its image comes across, so that a name that somebody
 * removes later does not come back. A name of today stays what it is.
 */
export async function migrateTags(context: MigrationContext): Promise<void> {
  const { state, report, dryRun, commit } = context;
  if (!existsSync(tagsPath(context))) return;
  const tags = new TagStore(tagsPath(context), context).all();
  const fresh = new Set(report.images.filter(({ before }) => !before).map(({ id }) => id));
  const isDue = ({ id }: GraphTag): boolean => !state.tagsAreDone || fresh.has(id);
  const wasRemoved = ({ id }: GraphTag): boolean =>
    isGraphID(id) && state.images.has(id) && !isAcross(context, id) && !report.isLeft("image", id);
  for (const tag of tags) if (!isDue(tag) && !wasRemoved(tag)) settle(context, tag, checkOld);
  const due = tags.filter(isDue);
  if (dryRun) {
    for (const tag of due) settle(context, tag, foresee);
    return;
  }
  if (due.length === 0 && state.tagsAreDone) return;
  await commit(() => {
    for (const tag of due) settle(context, tag, carryOver);
    if (!state.tagsAreDone) state.noteTags();
  });
}

export function tagsPath({ root, driver }: MigrationContext): string {
  return join(root, `repositories-${driver.name}`);
}

/** Puts what becomes of a tag into the report, if only that it cannot come. */
function settle(
  context: MigrationContext,
  tag: GraphTag,
  work: (context: MigrationContext, reference: Reference, image: ImageID | undefined) => void,
): void {
  try {
    work(context, referenceOfTag(tag), imageOf(context, tag));
  } catch (error) {
    context.report.leaveOver("tag", nameOfTag(tag), error);
  }
}

function carryOver({ references, report }: MigrationContext, reference: Reference, image: ImageID | undefined): void {
  const added = references.add(reference, image!);
  report.tag(familiarString(reference), image, { before: !added, dryRun: false });
}

function foresee(context: MigrationContext, reference: Reference, image: ImageID | undefined): void {
  refuseOther(context, reference, image);
  const before = context.references.find(reference) !== undefined;
  context.report.tag(familiarString(reference), image, { before, dryRun: true });
}

/** Of a tag that had its turn. One that was removed since is nobody's business. */
function checkOld(context: MigrationContext, reference: Reference, image: ImageID | undefined): void {
  refuseOther(context, reference, image);
  if (context.references.find(reference) !== undefined)
    context.report.tag(familiarString(reference), image, { before: true, dryRun: context.dryRun });
}

/** @throws VarveError `conflict` when the name stands for something else today */
function refuseOther({ references }: MigrationContext, reference: Reference, image: ImageID | undefined): void {
  const now = references.find(reference);
  if (now !== undefined && now !== image)
    throw new VarveError("conflict", `${familiarString(reference)} is already set to image ${now}`);
}

/** @returns `undefined` in a dry run, for an image that is still to come @throws VarveError `not-found` */
function imageOf(context: MigrationContext, { id }: GraphTag): ImageID | undefined {
  const { state, report, dryRun } = context;
  if (isGraphID(id) && isAcross(context, id)) return state.images.get(id);
  if (dryRun && report.hasImage(id)) return undefined;
  throw new VarveError("not-found", `its image ${id} has not come across`, { image: id });
}
