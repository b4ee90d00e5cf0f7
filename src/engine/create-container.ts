import { hostname } from "node:os";
import { mergeConfig } from "../archive/merge-config.ts";
import { randomID, shortID } from "../digest/random-id.ts";
import { VarveError } from "../errors.ts";
import type { ContainerConfig } from "../image/container-config.ts";
import type { Image } from "../image/image.ts";
import { formatTime, timeOf } from "../json/go-time.ts";
import { populateInitLayer } from "../layer/init-layer.ts";
import { limitersOf } from "./container/cgroups.ts";
import { checkBody, checkConfig } from "./container/check-config.ts";
import { checkForLinux, checkHostConfig, checkLogging } from "./container/check-host-config.ts";
import { withDefaults } from "./container/defaults.ts";
import type { HostConfig } from "./container/host-config.ts";
import { checkLimits } from "./container/limits.ts";
import { cleanPath } from "./container/mount-point.ts";
import { newName } from "./container/names.ts";
import { checkNetworking, networkSettings } from "./container/network.ts";
import type { NewContainer } from "./container/new-record.ts";
import { NewVolumes } from "./container/new-volumes.ts";
import { withOthers } from "./container/others.ts";
import { platformWarning } from "./container/platform-warning.ts";
import { refused } from "./container/refusal.ts";
import { type CreateRequest, type ReadRequest, readConfig, readRequest } from "./container/request.ts";
import { readSecurity } from "./container/security.ts";
import { makeWorkingDirectory } from "./container/working-directory.ts";
import { eventAttributes } from "./containers.ts";
import type { Workspace } from "./workspace.ts";

export interface CreateContainerOptions extends CreateRequest {
  readonly name?: string | undefined;
  /** Told, in Docker's words, of what was asked for and will not be. */
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A container that does not run yet: its writable layer on an init layer, its working directory in it (FORMATS 12.4), its
 * volumes, and Docker's record of it.
 *
 * @param imageName nothing for a container from scratch
 * @returns its id
 * @throws VarveError `not-found` for the image, also when it was removed meanwhile; `conflict` for a name in use;
 *   `invalid-argument` with Docker's text for what Docker refuses
 */
export async function createContainer(
  workspace: Workspace,
  imageName: string,
  options: CreateContainerOptions = {},
): Promise<string> {
  const { layers, driver, containers, events } = workspace;
  const id = randomID();
  const request = checkedRequest(workspace, imageName, options);
  const owner = driver.idMap?.root ?? { uid: 0, gid: 0 };
  using lease = workspace.lease();
  using volumes = new NewVolumes(workspace);
  const found = await lease.run(() =>
    workspace.read(() => {
      const image = imageName === "" ? undefined : workspace.find(imageName).image;
      const host = withOthers(workspace.containers, request.host);
      const config = configOf(request.config, image, imageName);
      const name = nameOf(workspace, options.name, id);
      volumes.plan(host, config);
      const below = image?.chainID === undefined ? undefined : layers.get(image.chainID);
      return { image, host, config, name, below };
    }, options.signal),
  );
  const { image, host, below } = found;
  if (image !== undefined) platformWarning(image.config, options.onWarning);
  const record = recordOf(found, request, { id, isAnonymous: !options.name });
  let written = false;
  try {
    await layers.createRW(id, {
      parent: image?.chainID,
      init: (path) => populateInitLayer(path, owner),
      fill: (path) => {
        options.signal?.throwIfAborted();
        makeWorkingDirectory(path, record.config.workingDir, owner);
        volumes.make(path);
      },
      // The record first: should we die in between, it can be seen, and removed.
      beside: () => {
        options.signal?.throwIfAborted();
        const name = nameOf(workspace, options.name ?? found.name, id);
        if (image !== undefined && !workspace.images.has(image.id))
          throw new VarveError("not-found", `No such image: ${imageName}`, { name: imageName });
        const mounts = volumes.settle();
        written = true;
        containers.write({ ...record, name, driver: driver.name, mounts }, host);
      },
    });
  } catch (error) {
    if (written) await workspace.commit(() => containers.remove(id));
    throw error;
  } finally {
    await below?.release();
  }
  for (const volume of volumes.names)
    events.append({ type: "volume", action: "create", id: volume, attributes: { driver: "local" } });
  events.append({ type: "container", action: "create", id, attributes: eventAttributes(containers.read(id)) });
  return id;
}

/** What a client asks for, as far as it can be judged without looking at the root. */
function checkedRequest(
  workspace: Workspace,
  imageName: string,
  { onWarning = () => {}, ...options }: CreateContainerOptions,
): ReadRequest {
  const request = readRequest(options);
  if (imageName === "" && readConfig(options.config) === undefined)
    throw refused("Config cannot be empty in order to create a container");
  const can = limitersOf();
  const isRemapped = workspace.driver.idMap !== undefined;
  checkBody(request.config, request.host, can);
  checkConfig(request.config);
  let { host } = request;
  if (request.hasHost) {
    checkHostConfig(host);
    host = checkLimits(host, can, onWarning);
    checkForLinux(host, { ...can, isRemapped }, onWarning);
  }
  checkNetworking(request.networking);
  const adapted = withDefaults(host, can, request.hasHost);
  return { ...request, host: { ...adapted, logConfig: checkLogging(adapted.logConfig) } };
}

/** Docker's merge of what is asked for with what the image says. */
function configOf(asked: ContainerConfig, image: Image | undefined, imageName: string): ContainerConfig {
  const inherited = image?.config.config ?? null;
  const merged = inherited === null ? asked : mergeConfig(asked, inherited);
  const { cmd, entrypoint, workingDir } = merged;
  // An empty word stands for no entry point, whatever the image has.
  const own = entrypoint?.length === 1 && entrypoint[0] === "" ? null : entrypoint;
  if (!cmd?.length && !own?.length) throw refused("No command specified");
  return { ...merged, entrypoint: own, workingDir: workingDir && cleanPath(workingDir), image: imageName };
}

function nameOf({ containers }: Workspace, asked: string | undefined, id: string): string {
  if (asked === undefined || asked === "") return newName((name) => containers.hasName(name), id);
  containers.checkName(asked);
  return asked.replace(/^\//, "");
}

function recordOf(
  { image, host, config }: { image: Image | undefined; host: HostConfig; config: ContainerConfig },
  { networking }: ReadRequest,
  options: { readonly id: string; readonly isAnonymous: boolean },
): Omit<NewContainer, "name" | "mounts" | "driver"> {
  const { id, isAnonymous } = options;
  const isDisabled = config.networkDisabled;
  return {
    id,
    image: image?.id ?? "",
    created: formatTime(timeOf(new Date())),
    config: { ...config, hostname: config.hostname || (host.networkMode === "host" ? hostname() : shortID(id)) },
    networkSettings: networkSettings(host.networkMode, networking, { isDisabled, isAnonymous }),
    security: readSecurity(host),
  };
}
