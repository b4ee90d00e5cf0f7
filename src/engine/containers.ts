import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { shortID } from "../digest/random-id.ts";
import { groupOnly, makeDirectory, makeMissingDirectory, rootIdentity } from "../driver/home.ts";
import { errnoOf, VarveError } from "../errors.ts";
import type { Identity, IdMap } from "../fstree/id-map.ts";
import { type ContainerConfig, containerConfigType } from "../image/container-config.ts";
import type { ImageID } from "../image/image.ts";
import { replaceFile } from "../io/atomic-file.ts";
import { parseJson } from "../json/json.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { syncDirectory } from "../sys/sync.ts";

/**
 * Containers as Docker records them, in `containers/<id>/config.v2.json` and `hostconfig.json`, so that a dockerd that
 * opens the root later shows and starts those that were made here. A record is kept as it was read, with every key
 * that we do not know.
 */
export interface Container {
  readonly id: string;
  /** Without Docker's leading slash. */
  readonly name: string;
  readonly image: ImageID;
  readonly created: string;
  readonly running: boolean;
  readonly driver: string;
  /** `config.v2.json` as it is. */
  readonly record: Readonly<Record<string, unknown>>;
}

export interface NewContainer {
  readonly id: string;
  readonly name: string;
  readonly image: ImageID;
  /** What the user called the image. */
  readonly imageName: string;
  readonly created: string;
  readonly driver: string;
  /** The image's `config`, which becomes the container's. */
  readonly config: Readonly<Record<string, unknown>>;
}

export class ContainerRecords {
  readonly #directory: string;
  readonly #owner: Identity;
  readonly #sync: boolean;

  /** @param options.sync whether a record has reached the disk when it is written */
  constructor(directory: string, options: { readonly idMap: IdMap | undefined; readonly sync: boolean }) {
    this.#directory = directory;
    this.#owner = groupOnly(rootIdentity(options.idMap));
    this.#sync = options.sync;
  }

  /** All that can be read, newest first. */
  list(onWarning: (message: string) => void = () => {}): Container[] {
    const containers: Container[] = [];
    for (const id of this.#ids()) {
      try {
        containers.push(this.read(id));
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") onWarning(`container ${id}: ${(error as Error).message}`);
      }
    }
    return containers.sort((a, b) => (a.created < b.created ? 1 : -1));
  }

  read(id: string): Container {
    const record: unknown = JSON.parse(readFileSync(join(this.#directory, id, "config.v2.json"), "utf8"));
    if (typeof record !== "object" || record === null) throw broken(id);
    const { ID, Name, Image, Created, State, Driver } = record as Record<string, unknown>;
    if (typeof Image !== "string" || typeof Name !== "string") throw broken(id);
    return {
      id: typeof ID === "string" && ID !== "" ? ID : id,
      name: Name.replace(/^\//, ""),
      image: Image as ImageID,
      created: typeof Created === "string" ? Created : "",
      running: (State as { Running?: unknown } | null | undefined)?.Running === true,
      driver: typeof Driver === "string" ? Driver : "",
      record: record as Record<string, unknown>,
    };
  }

  /**
   * A container by its full id, its name, or a prefix of its id, in this order, as Docker looks.
   *
   * @throws VarveError `not-found`, `ambiguous`
   */
  find(name: string): Container {
    const containers = this.list();
    const exact =
      containers.find((container) => container.id === name) ??
      containers.find((container) => container.name === name.replace(/^\//, ""));
    if (exact !== undefined) return exact;
    const matches = /^[0-9a-f]+$/.test(name) ? containers.filter((container) => container.id.startsWith(name)) : [];
    if (matches.length > 1)
      throw new VarveError("ambiguous", `Multiple IDs found with provided prefix: ${name}`, { name });
    if (matches[0] === undefined) throw new VarveError("not-found", `No such container: ${name}`, { name });
    return matches[0];
  }

  /** @throws VarveError `conflict` for a name in use, `invalid-argument` for one that Docker refuses */
  checkName(name: string): void {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
      throw new VarveError(
        "invalid-argument",
        `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
        { name },
      );
    const user = this.list().find((container) => container.name === name);
    if (user !== undefined)
      throw new VarveError(
        "conflict",
        `Conflict. The container name "/${name}" is already in use by container "${user.id}". You have to remove (or rename) that container to be able to reuse that name.`,
        { name, container: user.id },
      );
  }

  write(container: NewContainer): void {
    const directory = join(this.#directory, container.id);
    const sync = this.#sync;
    makeMissingDirectory(this.#directory, 0o710, this.#owner);
    makeDirectory(directory, 0o710, this.#owner);
    try {
      makeDirectory(join(directory, "checkpoints"), 0o700, { uid: 0, gid: 0 });
      const host = Buffer.from(JSON.stringify(HOST_CONFIG));
      replaceFile(join(directory, "hostconfig.json"), host, { mode: 0o644, sync });
      const record = Buffer.from(JSON.stringify(recordOf(container)));
      replaceFile(join(directory, "config.v2.json"), record, { mode: 0o600, sync });
      if (sync) for (const path of [this.#directory, dirname(this.#directory)]) syncDirectory(path);
    } catch (error) {
      removeTree(directory);
      throw error;
    }
  }

  remove(id: string): void {
    removeTree(join(this.#directory, id));
  }

  #ids(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }
}

/** How the container is to be run, as far as Docker knows it. */
export function configOf({ id, record }: Container): ContainerConfig {
  try {
    return containerConfigType.read(parseJson(JSON.stringify(record.Config ?? {})), containerConfigType.zero, "Config");
  } catch (error) {
    throw new VarveError("corrupt", `container ${id}: its config cannot be read`, { id }, error);
  }
}

/** What Docker would run: the entry point and its arguments, those with a space between quotes. */
export function commandOf(container: Container): string {
  const { Path, Args } = container.record as { Path?: string; Args?: string[] | null };
  const words = [Path ?? "", ...(Args ?? []).map((word) => (word.includes(" ") ? `'${word}'` : word))];
  return words.filter((word) => word !== "").join(" ");
}

function recordOf(container: NewContainer): Record<string, unknown> {
  const { Entrypoint, Cmd } = container.config as { Entrypoint?: string[] | null; Cmd?: string[] | null };
  const words = [...(Entrypoint ?? []), ...(Cmd ?? [])];
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
      StartedAt: ZERO_TIME,
      FinishedAt: ZERO_TIME,
      Health: null,
    },
    ID: container.id,
    Created: container.created,
    Managed: false,
    Path: words[0] ?? "",
    Args: words.slice(1),
    Config: {
      ...EMPTY_CONFIG,
      ...container.config,
      Hostname: shortID(container.id),
      AttachStdout: true,
      AttachStderr: true,
      Image: container.imageName,
      Labels: container.config.Labels ?? {},
    },
    Image: container.image,
    NetworkSettings: NETWORK_SETTINGS,
    LogPath: "",
    Name: `/${container.name}`,
    Driver: container.driver,
    OS: "linux",
    MountLabel: "",
    ProcessLabel: "",
    RestartCount: 0,
    HasBeenStartedBefore: false,
    HasBeenManuallyStopped: false,
    MountPoints: {},
    SecretReferences: null,
    ConfigReferences: null,
    AppArmorProfile: "",
    HostnamePath: "",
    HostsPath: "",
    ShmPath: "",
    ResolvConfPath: "",
    SeccompProfile: "",
    NoNewPrivileges: false,
    LocalLogCacheMeta: { HaveNotifyEnabled: false },
  };
}

const ZERO_TIME = "0001-01-01T00:00:00Z";

const EMPTY_CONFIG = {
  Hostname: "",
  Domainname: "",
  User: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: "",
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: {},
};

// The next two are what `docker create` without options writes (dockerd 20.10.24).

const NETWORK_SETTINGS = {
  Bridge: "",
  SandboxID: "",
  HairpinMode: false,
  LinkLocalIPv6Address: "",
  LinkLocalIPv6PrefixLen: 0,
  Networks: {
    bridge: {
      IPAMConfig: null,
      Links: null,
      Aliases: null,
      NetworkID: "",
      EndpointID: "",
      Gateway: "",
      IPAddress: "",
      IPPrefixLen: 0,
      IPv6Gateway: "",
      GlobalIPv6Address: "",
      GlobalIPv6PrefixLen: 0,
      MacAddress: "",
      DriverOpts: null,
      IPAMOperational: false,
    },
  },
  Service: null,
  Ports: null,
  SandboxKey: "",
  SecondaryIPAddresses: null,
  SecondaryIPv6Addresses: null,
  IsAnonymousEndpoint: false,
  HasSwarmEndpoint: false,
};

const HOST_CONFIG = {
  Binds: null,
  ContainerIDFile: "",
  LogConfig: { Type: "json-file", Config: {} },
  NetworkMode: "default",
  PortBindings: {},
  RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
  AutoRemove: false,
  VolumeDriver: "",
  VolumesFrom: null,
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: "host",
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: "private",
  Cgroup: "",
  Links: null,
  OomScoreAdj: 0,
  PidMode: "",
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: "",
  UsernsMode: "",
  ShmSize: 67108864,
  Runtime: "runc",
  ConsoleSize: [0, 0],
  Isolation: "",
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: "",
  BlkioWeight: 0,
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: "",
  CpusetMems: "",
  Devices: [],
  DeviceCgroupRules: null,
  DeviceRequests: null,
  KernelMemory: 0,
  KernelMemoryTCP: 0,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: false,
  PidsLimit: null,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  MaskedPaths: [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
  ],
  ReadonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
};

function broken(id: string): VarveError {
  return new VarveError("corrupt", `container ${id}: config.v2.json is not a container record`, { id });
}
