import type { ChainID } from "../digest/chain-id.ts";
import type { ImageID } from "../image/image.ts";
import { throwIfCancelled } from "../io/byte-source.ts";
import { familiarString } from "../reference/reference.ts";
import type { RemovalModel, RemovalStep } from "./removal.ts";
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
  const { references, images, events } = workspace;
  const removed: RemovedItem[] = [];
  for (const step of steps) {
    throwIfCancelled(signal);
    const event = (action: string, id: ImageID, name: string): void =>
      events.append({ type: "image", action, id, attributes: { name } });
    if (step.kind === "untag") {
      references.remove(step.reference);
      removed.push({ untagged: familiarString(step.reference) });
      event("untag", step.image, step.image);
    } else {
      using _doubt = workspace.doubt(step.layers);
      workspace.imageMounts.drop(step.image);
      const layers = await images.delete(step.image);
      removed.push({ deleted: step.image }, ...layers.map(({ chainID }) => ({ deleted: chainID })));
      event("delete", step.image, step.image);
    }
  }
  return removed;
}
