import { leaveLayer } from "../archive/held-layer.ts";
import type { Layer } from "../layer/layer.ts";
import { hostMounts } from "./container/host-mounts.ts";
import type { FileView } from "./file-view.ts";
import { findContainer, type HeldContainer, holdContainer } from "./held-container.ts";
import { ImageFiles } from "./image-files.ts";
import { imageLayers } from "./images.ts";
import { MountedFiles } from "./mounted-files.ts";
import type { Workspace } from "./workspace.ts";

/** The files of a container or an image, kept from deletion until it is disposed of. */
export interface OpenedView extends AsyncDisposable {
  readonly view: FileView;
}

/**
 * Opens what a name means: a container first, else an image.
 *
 * @throws VarveError `not-found`, `ambiguous`, `permission` for a container without root
 */
export async function openView(
  workspace: Workspace,
  target: string,
  signal: AbortSignal | undefined,
): Promise<OpenedView> {
  const closers: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const lease = workspace.lease();
    closers.push(() => lease[Symbol.dispose]());
    const found = await lease.run(() =>
      workspace.read((): HeldContainer | Layer[] => {
        if (findContainer(workspace, target) !== undefined) return holdContainer(workspace, target, lease);
        return imageLayers(workspace, workspace.find(target).image).map(({ chainID }) => {
          const layer = workspace.layers.get(chainID);
          closers.push(() => leaveLayer(layer));
          return layer;
        });
      }, signal),
    );
    const view = Array.isArray(found)
      ? await ImageFiles.open(found, signal)
      : await MountedFiles.open(found.layer, workspace.driver.idMap, hostMounts(workspace, found.container));
    closers.push(() => view[Symbol.asyncDispose]());
    return { view, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
