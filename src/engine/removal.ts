import type { ChainID } from "../digest/chain-id.ts";
import { shortID } from "../digest/random-id.ts";
import { isVarveError, VarveError } from "../errors.ts";
import type { ImageID } from "../image/image.ts";
import { familiarString, type Reference } from "../reference/reference.ts";

/**
 * Which tags, images and layers a removal takes, by Docker's rules (FORMATS 3.7), worked out on a model before
 * anything is touched: a dry run prints the plan, a real run carries it out.
 */
export interface RemovalModel {
  readonly references: Map<ImageID, Reference[]>;
  readonly children: Map<ImageID, Set<ImageID>>;
  readonly parents: Map<ImageID, ImageID>;
  readonly chains: Map<ImageID, ChainID | undefined>;
  readonly layers: Map<ChainID, { readonly parent: ChainID | undefined; references: number }>;
  readonly containers: readonly { readonly id: string; readonly image: string; readonly running: boolean }[];
}

export type RemovalStep =
  | { readonly kind: "untag"; readonly reference: Reference; readonly image: ImageID }
  | { readonly kind: "delete"; readonly image: ImageID; readonly layers: readonly ChainID[] };

export interface RemovalTarget {
  readonly image: ImageID;
  /** As the user gave it, for messages; the reference's familiar spelling unless said. */
  readonly name?: string;
  /** The reference that the user named; absent when an id or a prefix of one was given. */
  readonly reference?: Reference;
}

/**
 * Plans the removal of one image, and moves the model on, so that several removals can be planned in a row.
 *
 * @throws VarveError `conflict` with Docker's text; the model is then as before
 */
export function planRemoval(
  model: RemovalModel,
  target: RemovalTarget,
  options: { force: boolean; prune: boolean },
): RemovalStep[] {
  const steps: RemovalStep[] = [];
  const { image } = target;
  if (target.reference !== undefined) {
    refuseUntaggingUsed(model, target, options.force);
    untag(model, steps, image, target.reference);
    untagLeftoverDigests(model, steps, image, target.reference);
    if (referencesOf(model, image).length > 0) return steps;
    deleteImage(model, steps, image, { ...options, quiet: true });
    return steps;
  }
  const all = referencesOf(model, image);
  if (isSingleReference(all)) {
    const conflict = findConflict(model, image, { soft: !options.force, references: false });
    if (conflict !== undefined) throw conflict;
    for (const reference of [...all]) untag(model, steps, image, reference);
  }
  deleteImage(model, steps, image, { ...options, quiet: false });
  return steps;
}

/**
 * Plans `image prune`: dangling images, or with `all` every image that no container uses. Images in conflict stay.
 *
 * @param candidates the images that the filters let through
 */
export function planPrune(model: RemovalModel, candidates: Iterable<ImageID>, all: boolean): RemovalStep[] {
  const steps: RemovalStep[] = [];
  const tops = [...candidates].filter(
    (id) => referencesOf(model, id).length > 0 || (model.children.get(id)?.size ?? 0) === 0,
  );
  for (const image of tops) {
    const references = [...referencesOf(model, image)];
    const tagged = references.some((reference) => reference.digest === undefined);
    if (tagged && !all) continue;
    const targets = references.length > 0 ? references.map((reference) => ({ image, reference })) : [{ image }];
    for (const target of targets) {
      if (!model.chains.has(image) || isPlanned(steps, target)) continue;
      try {
        steps.push(...planRemoval(model, target, { force: false, prune: true }));
      } catch (error) {
        if (!isVarveError(error, "conflict")) throw error;
      }
    }
  }
  return steps;
}

function isPlanned(steps: readonly RemovalStep[], target: RemovalTarget): boolean {
  return steps.some(
    (step) =>
      step.image === target.image &&
      (step.kind === "delete" ||
        (target.reference !== undefined && familiarString(step.reference) === familiarString(target.reference))),
  );
}

function refuseUntaggingUsed(model: RemovalModel, target: RemovalTarget, force: boolean): void {
  const { image, reference, name } = target;
  if (force || reference === undefined || !isSingleReference(referencesOf(model, image))) return;
  const user = model.containers.find((container) => container.image === image);
  if (user === undefined) return;
  throw new VarveError(
    "conflict",
    `conflict: unable to remove repository reference "${name ?? familiarString(reference)}" (must force) - container ${shortID(user.id)} is using its referenced image ${shortID(image)}`,
    { image, container: user.id },
  );
}

/** Once the last tag of a repository is gone, its digest references to the image go too. */
function untagLeftoverDigests(model: RemovalModel, steps: RemovalStep[], image: ImageID, removed: Reference): void {
  if (removed.digest !== undefined) return;
  const siblings = referencesOf(model, image).filter((reference) => sameRepository(reference, removed));
  if (siblings.some((reference) => reference.digest === undefined)) return;
  for (const reference of siblings) untag(model, steps, image, reference);
}

function deleteImage(
  model: RemovalModel,
  steps: RemovalStep[],
  image: ImageID,
  options: { force: boolean; prune: boolean; quiet: boolean },
): void {
  const conflict = findConflict(model, image, { soft: !options.force, references: true });
  if (conflict !== undefined) {
    const dangling = referencesOf(model, image).length === 0 && (model.children.get(image)?.size ?? 0) === 0;
    if (options.quiet && (!dangling || conflict.details.used === true)) return;
    throw conflict;
  }
  const parent = model.parents.get(image);
  for (const reference of [...referencesOf(model, image)]) untag(model, steps, image, reference);
  steps.push({ kind: "delete", image, layers: dropImage(model, image) });
  if (options.prune && parent !== undefined && model.chains.has(parent))
    deleteImage(model, steps, parent, { force: false, prune: true, quiet: true });
}

/** Takes the image out of the model and returns the layers that nothing needs any more, top first. */
function dropImage(model: RemovalModel, image: ImageID): ChainID[] {
  const parent = model.parents.get(image);
  if (parent !== undefined) model.children.get(parent)?.delete(image);
  for (const child of model.children.get(image) ?? []) model.parents.delete(child);
  model.children.delete(image);
  model.parents.delete(image);
  const freed: ChainID[] = [];
  let chain = model.chains.get(image);
  model.chains.delete(image);
  while (chain !== undefined) {
    const layer = model.layers.get(chain);
    if (layer === undefined || --layer.references > 0) break;
    freed.push(chain);
    model.layers.delete(chain);
    chain = layer.parent;
  }
  return freed;
}

function findConflict(
  model: RemovalModel,
  image: ImageID,
  consider: { soft: boolean; references: boolean },
): VarveError | undefined {
  if ((model.children.get(image)?.size ?? 0) > 0) return conflictOf(image, true, "image has dependent child images");
  const users = model.containers.filter((container) => container.image === image);
  const running = users.find((container) => container.running);
  if (running !== undefined)
    return conflictOf(image, true, `image is being used by running container ${shortID(running.id)}`, true);
  if (!consider.soft) return undefined;
  if (consider.references && referencesOf(model, image).length > 0)
    return conflictOf(image, false, "image is referenced in multiple repositories");
  const stopped = users[0];
  if (stopped === undefined) return undefined;
  return conflictOf(image, false, `image is being used by stopped container ${shortID(stopped.id)}`, true);
}

function conflictOf(image: ImageID, hard: boolean, reason: string, used = false): VarveError {
  const force = hard ? "cannot be forced" : "must be forced";
  return new VarveError("conflict", `conflict: unable to delete ${shortID(image)} (${force}) - ${reason}`, {
    image,
    used,
  });
}

/** At most one tag, and every digest reference in that tag's repository. */
function isSingleReference(references: readonly Reference[]): boolean {
  if (references.length <= 1) return true;
  const tagged = references.filter((reference) => reference.digest === undefined);
  if (tagged.length > 1) return false;
  const only = tagged[0] ?? references[0];
  return references.every((reference) => reference.digest === undefined || sameRepository(reference, only!));
}

function untag(model: RemovalModel, steps: RemovalStep[], image: ImageID, reference: Reference): void {
  model.references.set(
    image,
    referencesOf(model, image).filter(
      (other) => other !== reference && familiarString(other) !== familiarString(reference),
    ),
  );
  steps.push({ kind: "untag", reference, image });
}

function referencesOf(model: RemovalModel, image: ImageID): readonly Reference[] {
  return model.references.get(image) ?? [];
}

function sameRepository(a: Reference, b: Reference): boolean {
  return a.domain === b.domain && a.path === b.path;
}
