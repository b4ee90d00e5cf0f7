import { isVarveError, VarveError } from "../errors.ts";
import { refused } from "./container/refusal.ts";
import { eventAttributes } from "./containers.ts";
import type { Workspace } from "./workspace.ts";

/**
 * Gives a container another name. To be called inside `commit`.
 *
 * @throws VarveError `not-found`, `invalid-argument`, `conflict` with Docker's texts
 */
export function renameContainer({ containers, events }: Workspace, name: string, newName: string): void {
  if (name === "" || newName === "") throw refused("Neither old nor new names may be empty");
  const container = containers.find(name);
  const wanted = newName.startsWith("/") ? newName : `/${newName}`;
  if (wanted === `/${container.name}`) throw refused("Renaming a container with the same name as its current name");
  try {
    containers.checkName(wanted);
  } catch (error) {
    if (!isVarveError(error)) throw error;
    throw new VarveError(error.code, `Error when allocating new name: ${error.message}`, error.details, error);
  }
  containers.rename(container.id, wanted.slice(1));
  const attributes = { ...eventAttributes(containers.read(container.id)), oldName: `/${container.name}` };
  events.append({ type: "container", action: "rename", id: container.id, attributes });
}
