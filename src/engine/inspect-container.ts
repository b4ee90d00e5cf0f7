import { join } from "node:path";
import type { ImageID } from "../image/image.ts";
import { NEVER } from "./container/new-record.ts";
import type { Container } from "./containers.ts";

/**
 * What `docker container inspect` answers of a container that does not run. Besides what is named here it has what the
 * container's record has, as Docker wrote it.
 */
export interface InspectedContainer {
  readonly Id: string;
  readonly Created: string;
  readonly State: { readonly Status: string; readonly [field: string]: unknown };
  readonly Image: ImageID;
  /** With Docker's leading slash. */
  readonly Name: string;
  readonly Driver: unknown;
  readonly HostConfig: unknown;
  readonly GraphDriver: { readonly Data: Readonly<Record<string, string>>; readonly Name: string };
  /** Bytes that it wrote; only where it was asked for. */
  readonly SizeRw?: number;
  /** That, and the layers that it is made on. */
  readonly SizeRootFs?: number;
  readonly Mounts: readonly InspectedMount[];
  readonly Config: unknown;
  readonly NetworkSettings: InspectedNetworkSettings;
  readonly [field: string]: unknown;
}

/** What Docker mounts into a container that it starts. */
export interface InspectedMount {
  /** `bind`, `volume` or `tmpfs`. */
  readonly Type?: string;
  /** Of a volume. */
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}

/** What the container had of the network when Docker last ran it. */
export interface InspectedNetworkSettings {
  readonly Ports: Readonly<Record<string, readonly PortBinding[] | null>>;
  readonly Networks: Readonly<Record<string, NetworkEndpoint>>;
  readonly [field: string]: unknown;
}

export interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** A container's place in one network; see the Engine API for all its fields. */
export interface NetworkEndpoint {
  readonly NetworkID: string;
  readonly [field: string]: unknown;
}

/**
 * As far as the container's record tells.
 *
 * @param from.root the data-root, under which Docker keeps volumes
 */
export function inspectContainer(
  container: Container,
  from: {
    readonly root: string;
    readonly graphData: Readonly<Record<string, string>>;
    readonly hostConfig: unknown;
    readonly sizes?: { readonly size: number; readonly rootSize: number } | undefined;
  },
): InspectedContainer {
  const { record } = container;
  return {
    Id: container.id,
    Created: container.created,
    Path: record.Path,
    Args: record.Args,
    State: inspectState(container),
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
    HostConfig: from.hostConfig,
    GraphDriver: { Data: from.graphData, Name: container.driver },
    ...(from.sizes && { SizeRw: from.sizes.size, SizeRootFs: from.sizes.rootSize }),
    Mounts: recordedMounts(container).map((mount) => withPlace(mount, from.root)),
    Config: record.Config,
    NetworkSettings: inspectNetworks((record.NetworkSettings ?? {}) as NetworkRecord),
  };
}

/** `created`, `running`, `exited` and so on, as `docker ps` has it. */
export function statusOf({ record, running }: Container): string {
  const { Paused, Restarting, RemovalInProgress, Dead, StartedAt } = (record.State ?? {}) as Record<string, unknown>;
  if (running) return Paused === true ? "paused" : Restarting === true ? "restarting" : "running";
  if (RemovalInProgress === true) return "removing";
  if (Dead === true) return "dead";
  return (StartedAt ?? NEVER) === NEVER ? "created" : "exited";
}

function inspectState(container: Container): InspectedContainer["State"] {
  const state = (container.record.State ?? {}) as Record<string, unknown>;
  const { Running, Paused, Restarting, OOMKilled, Dead, Pid, ExitCode, StartedAt, FinishedAt } = state;
  const health = state.Health as { Status?: string; FailingStreak?: number; Log?: unknown[] | null } | null | undefined;
  return {
    Status: statusOf(container),
    ...{ Running, Paused, Restarting, OOMKilled, Dead, Pid, ExitCode, Error: state.Error, StartedAt, FinishedAt },
    ...(health && {
      Health: {
        // Docker calls a container unhealthy whose check has not begun.
        Status: health.Status || "unhealthy",
        FailingStreak: health.FailingStreak ?? 0,
        Log: health.Log ?? [],
      },
    }),
  };
}

interface MountRecord {
  readonly Type?: string;
  readonly Name?: string;
  readonly Source?: string;
  readonly Destination?: string;
  readonly Driver?: string;
  /** Docker's other name for the mode. */
  readonly Relabel?: string;
  readonly RW?: boolean;
  readonly Propagation?: string;
}

/** What dockerd will mount into the container when it starts it. Of an anonymous volume the record does not tell the place. */
export function recordedMounts({ record }: Container): InspectedMount[] {
  const points = Object.values((record.MountPoints ?? {}) as Record<string, MountRecord>);
  return points.map(({ Type, Name, Source = "", Destination = "", Driver, Relabel, RW = false, Propagation = "" }) => ({
    ...(Type && { Type }),
    ...(Name && { Name }),
    Source,
    Destination,
    ...(Driver && { Driver }),
    ...{ Mode: Relabel ?? "", RW, Propagation },
  }));
}

/** Docker's own driver of volumes has a fixed place for each. */
function withPlace(mount: InspectedMount, root: string): InspectedMount {
  const { Name, Driver } = mount;
  return Name && Driver === "local" ? { ...mount, Source: join(root, "volumes", Name, "_data") } : mount;
}

type NetworkRecord = Readonly<Record<string, unknown>> & {
  readonly Ports?: InspectedNetworkSettings["Ports"] | null;
  readonly Networks?: Readonly<Record<string, NetworkEndpoint | null>> | null;
};

function inspectNetworks(record: NetworkRecord): InspectedNetworkSettings {
  const networks: Record<string, NetworkEndpoint> = {};
  for (const [name, endpoint] of Object.entries(record.Networks ?? {})) {
    if (endpoint === null) continue;
    // What only the record knows.
    const { IPAMOperational: _, ...known } = endpoint;
    networks[name] = known as NetworkEndpoint;
  }
  const bridge: Readonly<Record<string, unknown>> = networks.bridge ?? {};
  const { EndpointID = "", Gateway = "", GlobalIPv6Address = "", GlobalIPv6PrefixLen = 0 } = bridge;
  const { IPAddress = "", IPPrefixLen = 0, IPv6Gateway = "", MacAddress = "" } = bridge;
  return {
    Bridge: record.Bridge ?? "",
    SandboxID: record.SandboxID ?? "",
    HairpinMode: record.HairpinMode ?? false,
    LinkLocalIPv6Address: record.LinkLocalIPv6Address ?? "",
    LinkLocalIPv6PrefixLen: record.LinkLocalIPv6PrefixLen ?? 0,
    Ports: record.Ports ?? {},
    SandboxKey: record.SandboxKey ?? "",
    SecondaryIPAddresses: record.SecondaryIPAddresses ?? null,
    SecondaryIPv6Addresses: record.SecondaryIPv6Addresses ?? null,
    ...{ EndpointID, Gateway, GlobalIPv6Address, GlobalIPv6PrefixLen },
    ...{ IPAddress, IPPrefixLen, IPv6Gateway, MacAddress },
    Networks: networks,
  };
}
