import { goArray, goUnsigned } from "../../json/go-sized.ts";
import {
  field,
  type GoInteger,
  type GoStructType,
  type GoType,
  goBool,
  goCommand,
  goInteger,
  goList,
  goMap,
  goPointer,
  goString,
  goStruct,
  optional,
} from "../../json/go-type.ts";
import { type MountSpec, mountSpecType } from "./mount-spec.ts";
import { type Resources, resourceFields } from "./resources.ts";

/**
 * How a container is to be run on its host, Docker's `HostConfig` of 20.10: what `hostconfig.json` holds. `null` is a
 * list, map or pointer that is not there, which Docker tells from an empty one.
 */
export interface HostConfig extends Resources {
  /** `SOURCE:TARGET[:MODE]`, where the source is a path or a volume's name. */
  readonly binds: readonly string[] | null;
  readonly containerIDFile: string;
  readonly logConfig: { readonly type: string; readonly config: ReadonlyMap<string, string> | null };
  /** `default`, `bridge`, `host`, `none`, `container:ID` or a network's name. */
  readonly networkMode: string;
  readonly portBindings: ReadonlyMap<string, readonly PortBinding[] | null> | null;
  readonly restartPolicy: { readonly name: string; readonly maximumRetryCount: GoInteger };
  readonly autoRemove: boolean;
  readonly volumeDriver: string;
  /** `CONTAINER[:MODE]`. */
  readonly volumesFrom: readonly string[] | null;
  readonly capAdd: readonly string[] | null;
  readonly capDrop: readonly string[] | null;
  readonly cgroupnsMode: string;
  readonly dns: readonly string[] | null;
  readonly dnsOptions: readonly string[] | null;
  readonly dnsSearch: readonly string[] | null;
  /** `NAME:ADDRESS`. */
  readonly extraHosts: readonly string[] | null;
  readonly groupAdd: readonly string[] | null;
  readonly ipcMode: string;
  readonly cgroup: string;
  /** `CONTAINER[:ALIAS]`. */
  readonly links: readonly string[] | null;
  readonly oomScoreAdj: GoInteger;
  readonly pidMode: string;
  readonly privileged: boolean;
  readonly publishAllPorts: boolean;
  readonly readonlyRootfs: boolean;
  readonly securityOpt: readonly string[] | null;
  readonly storageOpt: ReadonlyMap<string, string> | null;
  /** Mount options by path. */
  readonly tmpfs: ReadonlyMap<string, string> | null;
  readonly utsMode: string;
  readonly usernsMode: string;
  /** Bytes. */
  readonly shmSize: GoInteger;
  readonly sysctls: ReadonlyMap<string, string> | null;
  readonly runtime: string;
  readonly consoleSize: readonly GoInteger[];
  readonly isolation: string;
  readonly mounts: readonly MountSpec[] | null;
  readonly maskedPaths: readonly string[] | null;
  readonly readonlyPaths: readonly string[] | null;
  readonly init: boolean | null;
}

export interface PortBinding {
  readonly hostIP: string;
  /** A port or a range, or nothing for any. */
  readonly hostPort: string;
}

const strings: GoType<readonly string[] | null> = goList(goString);

const portBindingType: GoStructType<PortBinding> = goStruct<PortBinding>("PortBinding", {
  hostIP: field("HostIp", goString),
  hostPort: field("HostPort", goString),
});

/** Reads and writes a `HostConfig` as Docker 20.10 does, the fields in its order. */
export const hostConfigType: GoStructType<HostConfig> = goStruct<HostConfig>("HostConfig", {
  binds: field("Binds", strings),
  containerIDFile: field("ContainerIDFile", goString),
  logConfig: field(
    "LogConfig",
    goStruct<HostConfig["logConfig"]>("LogConfig", {
      type: field("Type", goString),
      config: field("Config", goMap(goString)),
    }),
  ),
  networkMode: field("NetworkMode", goString),
  portBindings: field("PortBindings", goMap(goList(portBindingType))),
  restartPolicy: field(
    "RestartPolicy",
    goStruct<HostConfig["restartPolicy"]>("RestartPolicy", {
      name: field("Name", goString),
      maximumRetryCount: field("MaximumRetryCount", goInteger),
    }),
  ),
  autoRemove: field("AutoRemove", goBool),
  volumeDriver: field("VolumeDriver", goString),
  volumesFrom: field("VolumesFrom", strings),
  capAdd: field("CapAdd", goCommand),
  capDrop: field("CapDrop", goCommand),
  cgroupnsMode: field("CgroupnsMode", goString),
  dns: field("Dns", strings),
  dnsOptions: field("DnsOptions", strings),
  dnsSearch: field("DnsSearch", strings),
  extraHosts: field("ExtraHosts", strings),
  groupAdd: field("GroupAdd", strings),
  ipcMode: field("IpcMode", goString),
  cgroup: field("Cgroup", goString),
  links: field("Links", strings),
  oomScoreAdj: field("OomScoreAdj", goInteger),
  pidMode: field("PidMode", goString),
  privileged: field("Privileged", goBool),
  publishAllPorts: field("PublishAllPorts", goBool),
  readonlyRootfs: field("ReadonlyRootfs", goBool),
  securityOpt: field("SecurityOpt", strings),
  storageOpt: optional("StorageOpt", goMap(goString)),
  tmpfs: optional("Tmpfs", goMap(goString)),
  utsMode: field("UTSMode", goString),
  usernsMode: field("UsernsMode", goString),
  shmSize: field("ShmSize", goInteger),
  sysctls: optional("Sysctls", goMap(goString)),
  runtime: optional("Runtime", goString),
  consoleSize: field("ConsoleSize", goArray(2, goUnsigned(64))),
  isolation: field("Isolation", goString),
  ...resourceFields,
  mounts: optional("Mounts", goList(mountSpecType)),
  maskedPaths: field("MaskedPaths", strings),
  readonlyPaths: field("ReadonlyPaths", strings),
  init: optional("Init", goPointer(goBool)),
});
