import { rootIdentity } from "../driver/home.ts";
import type { Identity } from "../fstree/id-map.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { hostMounts } from "./container/host-mounts.ts";
import { MountedContainer } from "./container/mounted.ts";
import { type Container, configOf, eventAttributes } from "./containers.ts";
import { type CopyInOptions, copyIn } from "./copy-in.ts";
import { holdContainer } from "./held-container.ts";
import { hostUser } from "./host-user.ts";
import type { Workspace } from "./workspace.ts";

/**
 * Unpacks a tar into a directory of a container, its volumes and binds mounted as long as that takes.
 *
 * @throws VarveError as `copyIn`; `invalid-argument` with Docker's text where the container may not write
 */
export async function copyIntoContainer(
  workspace: Workspace,
  name: string,
  path: ByteString,
  tar: ByteSource,
  options: CopyInOptions,
): Promise<void> {
  const { idMap } = workspace.driver;
  await workspace.prepareToWrite(options.signal);
  using lease = workspace.lease();
  const { container, layer, mounted, isReadonly } = await workspace.commit(async () => {
    const { container, layer } = holdContainer(workspace, name, lease);
    const isReadonly = workspace.containers.hostConfig(container.id).readonlyRootfs;
    return { container, layer, isReadonly, mounted: await layer.mount() };
  }, options.signal);
  try {
    using whole = new MountedContainer(mounted, hostMounts(workspace, container), {
      owner: rootIdentity(idMap),
      id: container.id,
      places: workspace.mountPlaces,
    });
    await copyIn(whole.path, path, tar, idMap, {
      ...options,
      ownerOf: () => (options.copyUIDGID === true ? userOf(container) : undefined),
      container: name,
      check: () => whole.checkWritable(path, isReadonly),
    });
  } finally {
    await layer.unmount();
  }
  const attributes = eventAttributes(container);
  workspace.events.append({ type: "container", action: "extract-to-dir", id: container.id, attributes });
}

/** Docker looks the container's user up on the host. */
function userOf(container: Container): Identity | undefined {
  const { user } = configOf(container);
  return user === "" ? undefined : hostUser(user);
}
