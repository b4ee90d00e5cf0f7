import { shortID } from "../digest/random-id.ts";
import { VarveError } from "../errors.ts";
import type { RWLayer } from "../layer/rw-layer.ts";
import type { Container } from "./containers.ts";
import type { Lease } from "./leases.ts";
import type { Workspace } from "./workspace.ts";

/** A container and its writable layer, which nobody deletes as long as the lease lasts. */
export interface HeldContainer {
  readonly container: Container;
  readonly layer: RWLayer;
}

/**
 * Finds a container for long work on it. To be called inside `read` or `commit`.
 *
 * @throws VarveError `not-found`, also for one whose writable layer this driver does not have; `ambiguous`
 */
export function holdContainer(workspace: Workspace, name: string, lease: Lease): HeldContainer {
  const container = workspace.containers.find(name);
  const layer = writableOf(workspace, container);
  lease.holdContainer(container.id);
  return { container, layer };
}

/** @throws VarveError `not-found` when this driver does not have it */
export function writableOf({ layers, driver }: Workspace, container: Container): RWLayer {
  if (layers.hasRW(container.id)) return layers.getRW(container.id);
  const reason =
    container.driver === driver.name
      ? "its writable layer cannot be used"
      : `it belongs to the driver ${container.driver}`;
  throw new VarveError("not-found", `container ${shortID(container.id)}: ${reason}`, {
    container: container.id,
    driver: container.driver,
  });
}

/** The container of this name, if there is one. */
export function findContainer({ containers }: Workspace, name: string): Container | undefined {
  try {
    return containers.find(name);
  } catch (error) {
    if (error instanceof VarveError && error.code === "not-found") return undefined;
    throw error;
  }
}
