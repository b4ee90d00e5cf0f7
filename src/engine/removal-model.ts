import type { ChainID } from "../digest/chain-id.ts";
import { VarveError } from "../errors.ts";
import type { ImageID } from "../image/image.ts";
import { throwIfCancelled } from "../io/byte-source.ts";
import { familiarString, parseAny, type Reference, withDefaultTag } from "../reference/reference.ts";
import { tellOfImage } from "./images.ts";
import { planRemoval, type RemovalModel, type RemovalStep } from "./removal.ts";
import type { Workspace } from "./workspace.ts";

/** One line of what `docker rmi` prints: a reference, or the digest of an image or of a layer's chain. */
export type RemovedItem = { readonly untagged: string } | { readonly deleted: string };

/** The stores as `removal.ts` plans on them. */
export function modelOf(workspace: Workspace): RemovalModel {
  const { images, layers, references } = workspace;
  const model: RemovalModel = {
    references: new Map(),
    children: new Map(),
    parents: new Map(),
    chains: new Map(),
    layers: new Map(),
    containers: workspace.containersHere().map(({ id, image, running }) => ({ id, image, running })),
  };
  for (const [chain, { parent }] of layers.map()) model.layers.set(chain, { parent, references: 0 });
  const refer = (chain: ChainID | undefined): void => {
    const layer = chain === undefined ? undefined : model.layers.get(chain);
    if (layer !== undefined) layer.references++;
  };
  for (const { parent } of layers.map().values()) refer(parent);
  for (const name of layers.rwNames()) refer(layers.getRW(name).parent?.chainID);
  for (const [id, image] of images.map()) {
    model.chains.set(id, image.chainID);
    model.references.set(id, references.referencesOf(id));
    model.children.set(id, new Set(images.children(id)));
    const parent = images.parent(id);
    if (parent !== undefined) model.parents.set(id, parent);
    refer(image.chainID);
  }
  return model;
}

/**
 * Plans the removal of what a name means, on a model from which earlier plans may have taken that already.
 *
 * @throws VarveError `not-found`, `ambiguous`, `invalid-reference`; `conflict` with Docker's text
 */
export function planNamed(
  workspace: Workspace,
  name: string,
  options: { readonly force?: boolean | undefined; readonly noPrune?: boolean | undefined },
  model: RemovalModel = modelOf(workspace),
): RemovalStep[] {
  const { image, reference } = workspace.find(name);
  if (!isLeft(model, image.id, reference)) throw noSuchImage(name);
  const target = { image: image.id, name, ...(reference === undefined ? {} : { reference }) };
  const { force = false, noPrune = false } = options;
  return planRemoval(model, target, { force, prune: !noPrune });
}

function isLeft(model: RemovalModel, image: ImageID, reference: Reference | undefined): boolean {
  if (reference === undefined) return model.chains.has(image);
  const text = familiarString(reference);
  return (model.references.get(image) ?? []).some((other) => familiarString(other) === text);
}

function noSuchImage(name: string): VarveError {
  const named = parseAny(name);
  const text = named.kind === "id" ? named.id : familiarString(withDefaultTag(named.reference));
  return new VarveError("not-found", `No such image: ${text}`, { name: text });
}

export function describeSteps(steps: readonly RemovalStep[]): RemovedItem[] {
  return steps.flatMap((step): RemovedItem[] =>
    step.kind === "untag"
      ? [{ untagged: familiarString(step.reference) }]
      : [{ deleted: step.image }, ...step.layers.map((chain) => ({ deleted: chain }))],
  );
}

/**
 * Carries a plan out, inside the commit section in which it was made.
 *
 * @throws VarveError `cancelled` between two steps; those before it are done
 */
export async function carryOut(
  workspace: Workspace,
  steps: readonly RemovalStep[],
  signal: AbortSignal | undefined,
): Promise<RemovedItem[]> {
  const { references, images } = workspace;
  const removed: RemovedItem[] = [];
  for (const step of steps) {
    throwIfCancelled(signal);
    if (step.kind === "untag") {
      references.remove(step.reference);
      removed.push({ untagged: familiarString(step.reference) });
      tellOfImage(workspace, "untag", step.image);
    } else {
      using _doubt = workspace.doubt(step.layers);
      workspace.imageMounts.drop(step.image);
      const layers = await images.delete(step.image);
      removed.push({ deleted: step.image }, ...layers.map(({ chainID }) => ({ deleted: chainID })));
      tellOfImage(workspace, "delete", step.image);
    }
  }
  return removed;
}
