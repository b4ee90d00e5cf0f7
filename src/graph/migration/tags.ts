import { join } from "node:path";
import { isDigest } from "../../digest/digest.ts";
import { VarveError } from "../../errors.ts";
import type { ImageID } from "../../image/image.ts";
import { familiarString, parseNormalized, type Reference, withDigest, withTag } from "../../reference/reference.ts";
import { isGraphID } from "../descriptor.ts";
import { type GraphTag, TagStore } from "../tag-store.ts";
import type { MigrationContext } from "./migration.ts";

/**
 * Carries the names over (FORMATS 11.7), once: who removes one of them later will not get it back. They are done when none
 * of them waits for an image that may yet come across. A tag of today stays.
 */
export async function migrateTags(context: MigrationContext): Promise<void> {
  const { state, report, dryRun, commit } = context;
  const tags = new TagStore(tagsPath(context), context).all();
  if (state.tagsAreDone) {
    for (const tag of tags) noteOld(context, tag);
    return;
  }
  if (dryRun) {
    for (const tag of tags) plan(context, tag);
    return;
  }
  if (tags.length === 0 && report.images.length === 0) return;
  await commit(() => {
    for (const tag of tags) migrateTag(context, tag);
    if (!tags.some(({ id }) => report.isLeft("image", id))) state.noteTags();
  });
}

export function tagsPath({ root, driver }: MigrationContext): string {
  return join(root, `repositories-${driver.name}`);
}

function migrateTag(context: MigrationContext, tag: GraphTag): void {
  const { references, report } = context;
  const name = nameOf(tag);
  try {
    const { reference, image } = found(context, tag);
    const added = references.add(reference, image!);
    report.tag(familiarString(reference), image, { before: !added, dryRun: false });
  } catch (error) {
    report.leaveOver("tag", name, error);
  }
}

function plan(context: MigrationContext, tag: GraphTag): void {
  const { references, report } = context;
  try {
    const { reference, image } = found(context, tag);
    const now = references.find(reference);
    if (now !== undefined && now !== image)
      throw new VarveError("conflict", `${familiarString(reference)} is already set to image ${now}`);
    report.tag(familiarString(reference), image, { before: now !== undefined, dryRun: true });
  } catch (error) {
    report.leaveOver("tag", nameOf(tag), error);
  }
}

/** Of one that an earlier run carried over, or could not. */
function noteOld(context: MigrationContext, tag: GraphTag): void {
  const { report, dryRun } = context;
  try {
    const { reference, image } = found(context, tag);
    report.tag(familiarString(reference), image, { before: true, dryRun });
  } catch (error) {
    report.leaveOver("tag", nameOf(tag), error);
  }
}

/** @throws VarveError `not-found` for an image that is not across, `invalid-reference` */
function found(
  { state, report, dryRun }: MigrationContext,
  tag: GraphTag,
): { readonly reference: Reference; readonly image: ImageID | undefined } {
  const image = isGraphID(tag.id) ? state.images.get(tag.id) : undefined;
  const isPlanned = dryRun && report.images.some(({ id }) => id === tag.id);
  if (image === undefined && !isPlanned)
    throw new VarveError("not-found", `its image ${tag.id} has not come across`, { image: tag.id });
  return { reference: referenceOf(tag), image };
}

function referenceOf({ repository, key }: GraphTag): Reference {
  const name = parseNormalized(repository);
  return isDigest(key) ? withDigest(name, key) : withTag(name, key);
}

function nameOf({ repository, key }: GraphTag): string {
  return `${repository}${isDigest(key) ? "@" : ":"}${key}`;
}
