import { hostname, release } from "node:os";
import { hostPlatform } from "../archive/platform.ts";
import { digestOf, hexOf } from "../digest/digest.ts";
import type { StoreInfo } from "../engine/usage.ts";
import { version as packageVersion } from "../engine/version.ts";
import { NEWEST_VERSION, OLDEST_VERSION } from "./versions.ts";

/** Docker's document of the daemon's version. What belongs to Go or to a commit is empty. */
export function versionDocument(): object {
  const { os, architecture } = hostPlatform();
  const Version = packageVersion();
  const details = { ApiVersion: NEWEST_VERSION, Arch: architecture, KernelVersion: release(), Os: os };
  return {
    Platform: { Name: "Varve" },
    Components: [
      {
        Name: "Engine",
        Version,
        Details: { ...details, Experimental: "false", MinAPIVersion: OLDEST_VERSION, NodeVersion: process.version },
      },
    ],
    ...{ Version, ApiVersion: NEWEST_VERSION, MinAPIVersion: OLDEST_VERSION, GitCommit: "", GoVersion: "" },
    ...{ Os: os, Arch: architecture, KernelVersion: release(), BuildTime: "" },
  };
}

/** Docker's document of the daemon and its machine. Nothing runs here that limits could be set for. */
export function infoDocument(info: StoreInfo): object {
  const { total, running, stopped } = info.containers;
  return {
    ID: idOf(info.root),
    ...{ Containers: total, ContainersRunning: running, ContainersPaused: 0, ContainersStopped: stopped },
    Images: info.images,
    Driver: info.driver,
    DriverStatus: info.driverStatus,
    Plugins: { Volume: [], Network: [], Authorization: null, Log: [] },
    ...Object.fromEntries(LIMITS.map((name) => [name, false])),
    ...{ Debug: false, NFd: 0, OomKillDisable: false, NGoroutines: 0, NEventsListener: 0 },
    SystemTime: new Date().toISOString(),
    ...{ LoggingDriver: "none", CgroupDriver: "none" },
    KernelVersion: info.kernelVersion,
    OperatingSystem: info.operatingSystem,
    OSVersion: "",
    OSType: "linux",
    Architecture: info.architecture,
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: {
      AllowNondistributableArtifactsCIDRs: [],
      AllowNondistributableArtifactsHostnames: [],
      InsecureRegistryCIDRs: [],
      IndexConfigs: {},
      Mirrors: [],
    },
    NCPU: info.cpus,
    MemTotal: info.memory,
    GenericResources: null,
    DockerRootDir: info.root,
    ...{ HttpProxy: "", HttpsProxy: "", NoProxy: "" },
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: packageVersion(),
    ...{ Runtimes: {}, DefaultRuntime: "" },
    Swarm: {
      ...{ NodeID: "", NodeAddr: "", LocalNodeState: "inactive", ControlAvailable: false, Error: "" },
      RemoteManagers: null,
    },
    ...{ LiveRestoreEnabled: false, Isolation: "", InitBinary: "" },
    ...{ ContainerdCommit: NO_COMMIT, RuncCommit: NO_COMMIT, InitCommit: NO_COMMIT },
    SecurityOptions: [],
    Warnings: ["WARNING: This is varve, which keeps images and containers and runs none", ...brokenOf(info)],
  };
}

const LIMITS = [
  ...["MemoryLimit", "SwapLimit", "KernelMemory", "KernelMemoryTCP", "CpuCfsPeriod", "CpuCfsQuota", "CPUShares"],
  ...["CPUSet", "PidsLimit", "IPv4Forwarding", "BridgeNfIptables", "BridgeNfIp6tables"],
];
const NO_COMMIT = { ID: "", Expected: "" };

function brokenOf({ broken }: StoreInfo): string[] {
  return broken.map((text) => `WARNING: ${text}`);
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The same for one root on one machine at all times, in the form that Docker's ids of daemons have. */
function idOf(root: string): string {
  const bits = BigInt(`0x${hexOf(digestOf(`${hostname()}:${root}`))}`) >> 16n;
  const letters = Array.from({ length: 48 }, (_, i) => BASE32[Number((bits >> BigInt(5 * i)) & 31n)]).join("");
  return letters.match(/.{4}/g)!.join(":");
}
