import { shortID } from "../digest/random-id.ts";
import { isVarveError, VarveError } from "../errors.ts";
import type { Container } from "./containers.ts";
import type { Workspace } from "./workspace.ts";

export interface RemoveContainerOptions {
  /** Also when its record says that it runs. */
  readonly force?: boolean | undefined;
  /** Only tells, by not failing, that it could be deleted. */
  readonly dryRun?: boolean | undefined;
}

/**
 * Deletes a container: its writable layer first, then its record, so that a failure leaves one that can be seen.
 *
 * @returns its id
 */
export async function removeContainer(
  workspace: Workspace,
  name: string,
  options: RemoveContainerOptions,
): Promise<string> {
  const { layers, containers, events } = workspace;
  const { container, layer } = await workspace.read(() => {
    const container = findRemovable(workspace, name, options);
    return { container, layer: layers.hasRW(container.id) ? layers.getRW(container.id) : undefined };
  });
  if (options.dryRun === true) {
    if (workspace.isContainerHeld(container.id)) throw inUse(container);
    return container.id;
  }
  const doubts: Disposable[] = [];
  const check = (): void => {
    findRemovable(workspace, container.id, options);
    if (workspace.isContainerHeld(container.id)) throw inUse(container);
    if (layer?.parent !== undefined) doubts.push(workspace.doubt([layer.parent.chainID]));
  };
  try {
    if (layer !== undefined) await layers.releaseRW(layer, { check });
  } catch (error) {
    // Another process is about to delete it, or has been interrupted doing so.
    if (!isVarveError(error, "not-found")) throw error;
  }
  await workspace.commit(() => {
    containers.remove(findRemovable(workspace, container.id, options).id);
    for (const doubt of doubts) doubt[Symbol.dispose]();
    events.append({ type: "container", action: "destroy", id: container.id, attributes: { name: container.name } });
  });
  return container.id;
}

function findRemovable({ containers }: Workspace, name: string, { force }: RemoveContainerOptions): Container {
  const container = containers.find(name);
  if (!container.running || force === true) return container;
  throw new VarveError(
    "conflict",
    `You cannot remove a running container ${container.id}. Stop the container before attempting removal or force remove`,
    { container: container.id },
  );
}

function inUse({ id }: Container): VarveError {
  return new VarveError("in-use", `container ${shortID(id)} is being read or written by another varve`, {
    container: id,
  });
}
