import type { ContainerSummary } from "../engine/container-list.ts";
import { humanDuration } from "../engine/human-duration.ts";
import type {
  InspectedContainer,
  InspectedNetworkSettings,
  NetworkEndpoint,
  PortBinding,
} from "../engine/inspect-container.ts";
import { isOlder } from "../image/docker-version.ts";
import { parseTime } from "../json/go-time.ts";

/** A container as Docker lists it. Sizes that nobody asked for, and those of 0, are left out. */
export function containerDocument(inspected: InspectedContainer, summary: ContainerSummary): object {
  const config = (inspected.Config ?? {}) as { Image?: string; Labels?: object | null };
  const host = (inspected.HostConfig ?? {}) as { NetworkMode?: string };
  return {
    Id: inspected.Id,
    Names: [inspected.Name],
    Image: config.Image === summary.image ? summary.image : summary.imageID,
    ImageID: summary.imageID,
    Command: summary.command,
    Created: parseTime(summary.created).seconds,
    Ports: portsOf(inspected.NetworkSettings.Ports),
    SizeRw: summary.size || undefined,
    SizeRootFs: summary.rootSize || undefined,
    Labels: config.Labels ?? null,
    State: inspected.State.Status,
    Status: statusText(inspected.State, Date.now()),
    HostConfig: { NetworkMode: host.NetworkMode || undefined },
    NetworkSettings: { Networks: endpointsOf(inspected.NetworkSettings) },
    Mounts: summary.mountPoints,
  };
}

/** A container as Docker inspects it for a client that speaks this version. */
export function inspectDocument(inspected: InspectedContainer, version: string): object {
  if (!isOlder(version, "1.21")) return inspected;
  const { Mounts, Config, NetworkSettings, ...base } = inspected;
  const { Networks: _, ...network } = NetworkSettings;
  // Newer clients get an empty object before the first start.
  const networkSettings = base.State.Status === "created" ? { ...network, Ports: null } : network;
  if (!isOlder(version, "1.20"))
    return { ...base, Mounts, Config: oldConfig(inspected, []), NetworkSettings: networkSettings };
  return {
    ...base,
    Volumes: Object.fromEntries(Mounts.map(({ Destination, Source }) => [Destination, Source])),
    VolumesRW: Object.fromEntries(Mounts.map(({ Destination, RW }) => [Destination, RW])),
    Config: oldConfig(inspected, [
      ["Memory", "Memory"],
      ["MemorySwap", "MemorySwap"],
      ["CpuShares", "CpuShares"],
      ["Cpuset", "CpusetCpus"],
    ]),
    NetworkSettings: networkSettings,
  };
}

/** Old clients look for some limits in the config, and for what newer ones do not get when it is empty. */
function oldConfig(
  { Config, HostConfig }: InspectedContainer,
  limits: readonly (readonly [name: string, now: string])[],
): object {
  const {
    MacAddress = "",
    NetworkDisabled = false,
    ExposedPorts = null,
    ...config
  } = Config as Record<string, unknown>;
  const host = HostConfig as Record<string, unknown>;
  const moved = limits.map(([name, now]) => [name, host[now]]);
  const own = { MacAddress, NetworkDisabled, ExposedPorts, VolumeDriver: host.VolumeDriver };
  return { ...config, ...own, ...Object.fromEntries(moved) };
}

/** What `docker ps` has in its column. @param now milliseconds since 1970 */
export function statusText(state: InspectedContainer["State"], now: number): string {
  const since = (moment: unknown): string => humanDuration(now / 1000 - parseTime(String(moment)).seconds);
  const health = (state.Health as { Status?: string } | undefined)?.Status;
  switch (state.Status) {
    case "created":
      return "Created";
    case "dead":
      return "Dead";
    case "removing":
      return "Removal In Progress";
    case "exited":
      return isUnset(state.FinishedAt) ? "" : `Exited (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
    case "restarting":
      return `Restarting (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
    case "paused":
      return `Up ${since(state.StartedAt)} (Paused)`;
    default:
      return `Up ${since(state.StartedAt)}${health === undefined ? "" : ` (${health === "starting" ? "health: starting" : health})`}`;
  }
}

function isUnset(moment: unknown): boolean {
  return moment === undefined || moment === "0001-01-01T00:00:00Z";
}

interface ListedPort {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

function portsOf(ports: InspectedNetworkSettings["Ports"]): ListedPort[] {
  return Object.entries(ports).flatMap(([name, bindings]): ListedPort[] => {
    const [port, Type = "tcp"] = name.split("/");
    const PrivatePort = Number(port);
    if (bindings === null || bindings.length === 0) return [{ PrivatePort, Type }];
    return bindings.map(({ HostIp, HostPort }: PortBinding) => ({
      ...(HostIp && { IP: HostIp }),
      ...{ PrivatePort, PublicPort: Number(HostPort), Type },
    }));
  });
}

/** Lists tell less of a network than inspections do. */
function endpointsOf({ Networks }: InspectedNetworkSettings): Readonly<Record<string, NetworkEndpoint>> {
  const listed = Object.entries(Networks).map(([name, endpoint]) => {
    const document: NetworkEndpoint = { ...endpoint, Links: null, Aliases: null, DriverOpts: null };
    return [name, document] as const;
  });
  return Object.fromEntries(listed);
}
