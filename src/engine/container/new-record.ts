import { type ContainerConfig, containerConfigType } from "../../image/container-config.ts";
import type { GoStruct } from "../../json/go-value.ts";
import { type MountPoint, mountPointType } from "./mount-point.ts";
import type { Security } from "./security.ts";

/** A container that is to be recorded; its host config is in a file of its own. */
export interface NewContainer {
  readonly id: string;
  /** Without Docker's leading slash. */
  readonly name: string;
  /** Nothing for a container from scratch. */
  readonly image: string;
  readonly created: string;
  readonly driver: string;
  readonly config: ContainerConfig;
  readonly networkSettings: GoStruct;
  readonly mounts: readonly MountPoint[];
  readonly security: Security;
}

/** `config.v2.json` of a container that never ran, as dockerd 20.10 writes it. */
export function newRecord(container: NewContainer): GoStruct {
  const { config, security } = container;
  const words = [...(config.entrypoint ?? []), ...(config.cmd ?? [])];
  return {
    StreamConfig: {},
    State: {
      Running: false,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      RemovalInProgress: false,
      Dead: false,
      Pid: 0,
      ExitCode: 0,
      Error: "",
      StartedAt: NEVER,
      FinishedAt: NEVER,
      Health: null,
    },
    ID: container.id,
    Created: container.created,
    Managed: false,
    Path: words[0] ?? "",
    Args: words.slice(1),
    Config: containerConfigType.write(config),
    Image: container.image,
    NetworkSettings: container.networkSettings,
    LogPath: "",
    Name: `/${container.name}`,
    Driver: container.driver,
    OS: "linux",
    MountLabel: "",
    ProcessLabel: "",
    RestartCount: 0,
    HasBeenStartedBefore: false,
    HasBeenManuallyStopped: false,
    MountPoints: new Map(container.mounts.map((mount) => [mount.destination, mountPointType.write(mount)])),
    SecretReferences: null,
    ConfigReferences: null,
    AppArmorProfile: security.appArmorProfile,
    HostnamePath: "",
    HostsPath: "",
    ShmPath: "",
    ResolvConfPath: "",
    SeccompProfile: security.seccompProfile,
    NoNewPrivileges: security.noNewPrivileges,
    LocalLogCacheMeta: { HaveNotifyEnabled: false },
  };
}

/** Go's zero time. */
export const NEVER = "0001-01-01T00:00:00Z";
