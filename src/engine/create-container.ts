import { randomID, shortID } from "../digest/random-id.ts";
import { errnoOf } from "../errors.ts";
import { containerConfigType } from "../image/container-config.ts";
import type { Image } from "../image/image.ts";
import { formatTime, timeOf } from "../json/go-time.ts";
import { toPlain } from "../json/go-value.ts";
import { populateInitLayer } from "../layer/init-layer.ts";
import type { RWLayer } from "../layer/rw-layer.ts";
import { changeModeAt, changeOwnerAt, makeDirectoryAt } from "../sys/at.ts";
import { type ByteString, fromText } from "../sys/byte-string.ts";
import { cleanName, TreeRoot } from "../sys/tree-root.ts";
import type { Workspace } from "./workspace.ts";

/**
 * A container that does not run yet: its writable layer on an init layer, the directories that its config names
 * (FORMATS 12.4), and Docker's record of it.
 *
 * @returns its id
 */
export async function createContainer(
  workspace: Workspace,
  image: Image,
  options: { name?: string | undefined; imageName: string },
): Promise<string> {
  const { layers, driver, containers, durability, events } = workspace;
  const id = randomID();
  const name = options.name ?? `varve_${shortID(id)}`;
  const config = image.config.config ?? containerConfigType.zero;
  const owner = driver.idMap?.root ?? { uid: 0, gid: 0 };
  await workspace.read(() => containers.checkName(name));
  const layer = await layers.createRW(id, {
    parent: image.chainID,
    init: (path) => populateInitLayer(path, owner),
  });
  try {
    const wanted = [config.workingDir, ...(config.volumes ?? [])].filter((path) => path !== "");
    if (wanted.length > 0) await makeDirectories(layer, wanted, owner);
    await workspace.commit(() => {
      containers.checkName(name);
      containers.write(
        {
          id,
          name,
          image: image.id,
          imageName: options.imageName,
          created: formatTime(timeOf(new Date())),
          driver: driver.name,
          config: toPlain(containerConfigType.write(config)) as Record<string, unknown>,
        },
        { sync: durability !== "none" },
      );
      events.append({ type: "container", action: "create", id, attributes: { name, image: options.imageName } });
    });
  } catch (error) {
    await layers.releaseRW(layer);
    throw error;
  }
  return id;
}

async function makeDirectories(
  layer: RWLayer,
  paths: readonly string[],
  owner: { uid: number; gid: number },
): Promise<void> {
  const path = await layer.mount();
  try {
    using root = new TreeRoot(path);
    for (const directory of paths) makeDirectory(root, cleanName(fromText(directory)), owner);
  } finally {
    await layer.unmount();
  }
}

/** With its parents, each 0755, resolved inside the container. What is there already stays as it is. */
function makeDirectory(root: TreeRoot, path: ByteString, owner: { uid: number; gid: number }): void {
  const components = path.split("/");
  for (let depth = 1; depth <= components.length; depth++) {
    const { dir, base } = root.parentOf(components.slice(0, depth).join("/") as ByteString);
    try {
      makeDirectoryAt(dir, base, 0o755);
      changeOwnerAt(dir, base, owner.uid, owner.gid);
      changeModeAt(dir, base, 0o755);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
  }
}
