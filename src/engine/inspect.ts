import { containerConfigType } from "../image/container-config.ts";
import type { Image } from "../image/image.ts";
import { formatTime, ZERO_TIME } from "../json/go-time.ts";
import { type GoStruct, toPlain } from "../json/go-value.ts";
import { familiarString } from "../reference/reference.ts";
import type { Container } from "./containers.ts";
import type { Workspace } from "./workspace.ts";

/**
 * What `docker image inspect` of 20.10 answers, with its keys in its order.
 *
 * @param graphData the driver's metadata of the top layer; `null` for an image without layers
 */
export function inspectImage(
  { images, references, driver }: Workspace,
  image: Image,
  graphData: Readonly<Record<string, string>> | null,
): object {
  const { id, config } = image;
  const named = references.referencesOf(id);
  const size = images.size(id);
  const answer: GoStruct = {
    Id: id,
    RepoTags: named.filter(({ digest }) => digest === undefined).map(familiarString),
    RepoDigests: named.filter(({ digest }) => digest !== undefined).map(familiarString),
    Parent: images.parent(id) ?? "",
    Comment: config.comment || (config.history?.at(-1)?.comment ?? ""),
    Created: formatTime(config.created),
    Container: config.container,
    ContainerConfig: containerConfigType.write(config.containerConfig),
    DockerVersion: config.dockerVersion,
    Author: config.author,
    Config: config.config === null ? null : containerConfigType.write(config.config),
    Architecture: config.architecture,
    Variant: config.variant || undefined,
    Os: config.os || "linux",
    OsVersion: config.osVersion || undefined,
    Size: size,
    VirtualSize: size,
    GraphDriver: { Data: graphData === null ? null : new Map(Object.entries(graphData)), Name: driver.name },
    RootFS: { Type: config.rootfs.type, Layers: image.diffIDs.length > 0 ? [...image.diffIDs] : undefined },
    Metadata: { LastTagTime: formatTime(images.lastUpdated(id) ?? ZERO_TIME) },
  };
  return toPlain(answer) as object;
}

/** What `docker container inspect` answers of a container that does not run, as far as its record tells. */
export function inspectContainer(
  container: Container,
  graphData: Readonly<Record<string, string>>,
  hostConfig: unknown,
): object {
  const { record } = container;
  const { Running, Health, ...state } = (record.State ?? {}) as Record<string, unknown>;
  return {
    Id: container.id,
    Created: container.created,
    Path: record.Path,
    Args: record.Args,
    State: { Status: statusOf(container), Running, ...state, ...(Health == null ? {} : { Health }) },
    Image: container.image,
    ResolvConfPath: record.ResolvConfPath,
    HostnamePath: record.HostnamePath,
    HostsPath: record.HostsPath,
    LogPath: record.LogPath,
    Name: `/${container.name}`,
    RestartCount: record.RestartCount,
    Driver: record.Driver,
    Platform: record.OS,
    MountLabel: record.MountLabel,
    ProcessLabel: record.ProcessLabel,
    AppArmorProfile: record.AppArmorProfile,
    ExecIDs: null,
    HostConfig: hostConfig,
    GraphDriver: { Data: graphData, Name: container.driver },
    Mounts: Object.values((record.MountPoints ?? {}) as object),
    Config: record.Config,
    NetworkSettings: record.NetworkSettings,
  };
}

/** `created`, `running`, `exited` and so on, as `docker ps` has it. */
export function statusOf({ record, running }: Container): string {
  const { Paused, Restarting, RemovalInProgress, Dead, StartedAt } = (record.State ?? {}) as Record<string, unknown>;
  if (running) return Paused === true ? "paused" : Restarting === true ? "restarting" : "running";
  if (RemovalInProgress === true) return "removing";
  if (Dead === true) return "dead";
  return StartedAt === undefined || StartedAt === "0001-01-01T00:00:00Z" ? "created" : "exited";
}
