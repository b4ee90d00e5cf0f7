import { randomID, shortID } from "../digest/random-id.ts";
import { errnoOf, VarveError } from "../errors.ts";
import type { Identity } from "../fstree/id-map.ts";
import { containerConfigType } from "../image/container-config.ts";
import { formatTime, timeOf } from "../json/go-time.ts";
import { toPlain } from "../json/go-value.ts";
import { populateInitLayer } from "../layer/init-layer.ts";
import { changeModeAt, changeOwnerAt, makeDirectoryAt } from "../sys/at.ts";
import { type ByteString, fromText } from "../sys/byte-string.ts";
import { cleanName, TreeRoot } from "../sys/tree-root.ts";
import type { Workspace } from "./workspace.ts";

/**
 * A container that does not run yet: its writable layer on an init layer, the directories that its config names
 * (FORMATS 12.4), and Docker's record of it.
 *
 * @returns its id
 * @throws VarveError `not-found` for the image, also when it was removed meanwhile; `conflict` for a name in use
 */
export async function createContainer(
  workspace: Workspace,
  imageName: string,
  options: { name?: string | undefined } = {},
): Promise<string> {
  const { layers, driver, containers, events } = workspace;
  const id = randomID();
  const name = options.name ?? `varve_${shortID(id)}`;
  const owner = driver.idMap?.root ?? { uid: 0, gid: 0 };
  using lease = workspace.lease();
  const { image, below } = await lease.run(() =>
    workspace.read(() => {
      containers.checkName(name);
      const { image } = workspace.find(imageName);
      return { image, below: image.chainID === undefined ? undefined : layers.get(image.chainID) };
    }),
  );
  const config = image.config.config ?? containerConfigType.zero;
  const directories = [config.workingDir, ...(config.volumes ?? [])].filter((path) => path !== "");
  const record = {
    id,
    name,
    image: image.id,
    imageName,
    created: formatTime(timeOf(new Date())),
    driver: driver.name,
    config: toPlain(containerConfigType.write(config)) as Record<string, unknown>,
  };
  let written = false;
  try {
    await layers.createRW(id, {
      parent: image.chainID,
      init: (path) => populateInitLayer(path, owner),
      ...(directories.length === 0 ? {} : { fill: (path) => makeDirectories(path, directories, owner) }),
      // The record first: should we die in between, it can be seen, and removed.
      beside: () => {
        containers.checkName(name);
        if (!workspace.images.has(image.id))
          throw new VarveError("not-found", `No such image: ${imageName}`, { name: imageName });
        containers.write(record);
        written = true;
      },
    });
  } catch (error) {
    if (written) await workspace.commit(() => containers.remove(id));
    throw error;
  } finally {
    await below?.release();
  }
  events.append({ type: "container", action: "create", id, attributes: { name, image: imageName } });
  return id;
}

function makeDirectories(path: string, directories: readonly string[], owner: Identity): void {
  using root = new TreeRoot(path);
  for (const directory of directories) makeDirectory(root, cleanName(fromText(directory)), owner);
}

/** With its parents, each 0755, resolved inside the container. What is there already stays as it is. */
function makeDirectory(root: TreeRoot, path: ByteString, owner: Identity): void {
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
