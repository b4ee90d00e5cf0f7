import { goUnsigned } from "../../json/go-sized.ts";
import {
  field,
  type GoFields,
  type GoInteger,
  type GoStructType,
  goBool,
  goInteger,
  goList,
  goMap,
  goPointer,
  goString,
  goStruct,
} from "../../json/go-type.ts";

/** What a container may use of its host, Docker's `Resources`: sizes are bytes, times microseconds. */
export interface Resources {
  readonly cpuShares: GoInteger;
  readonly memory: GoInteger;
  readonly nanoCPUs: GoInteger;
  readonly cgroupParent: string;
  readonly blkioWeight: GoInteger;
  readonly blkioWeightDevice: readonly (WeightDevice | null)[] | null;
  readonly blkioDeviceReadBps: readonly (ThrottleDevice | null)[] | null;
  readonly blkioDeviceWriteBps: readonly (ThrottleDevice | null)[] | null;
  readonly blkioDeviceReadIOps: readonly (ThrottleDevice | null)[] | null;
  readonly blkioDeviceWriteIOps: readonly (ThrottleDevice | null)[] | null;
  readonly cpuPeriod: GoInteger;
  readonly cpuQuota: GoInteger;
  readonly cpuRealtimePeriod: GoInteger;
  readonly cpuRealtimeRuntime: GoInteger;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly devices: readonly DeviceMapping[] | null;
  readonly deviceCgroupRules: readonly string[] | null;
  readonly deviceRequests: readonly DeviceRequest[] | null;
  readonly kernelMemory: GoInteger;
  readonly kernelMemoryTCP: GoInteger;
  readonly memoryReservation: GoInteger;
  /** With the memory; -1 for any amount. */
  readonly memorySwap: GoInteger;
  readonly memorySwappiness: GoInteger | null;
  readonly oomKillDisable: boolean | null;
  readonly pidsLimit: GoInteger | null;
  readonly ulimits: readonly (Ulimit | null)[] | null;
  readonly cpuCount: GoInteger;
  readonly cpuPercent: GoInteger;
  readonly ioMaximumIOps: GoInteger;
  readonly ioMaximumBandwidth: GoInteger;
}

export interface WeightDevice {
  readonly path: string;
  readonly weight: GoInteger;
}

export interface ThrottleDevice {
  readonly path: string;
  readonly rate: GoInteger;
}

export interface DeviceMapping {
  readonly pathOnHost: string;
  readonly pathInContainer: string;
  /** Of `rwm`. */
  readonly cgroupPermissions: string;
}

export interface DeviceRequest {
  readonly driver: string;
  /** -1 for all. */
  readonly count: GoInteger;
  readonly deviceIDs: readonly string[] | null;
  readonly capabilities: readonly (readonly string[] | null)[] | null;
  readonly options: ReadonlyMap<string, string> | null;
}

export interface Ulimit {
  readonly name: string;
  readonly hard: GoInteger;
  readonly soft: GoInteger;
}

const weightDevice: GoStructType<WeightDevice> = goStruct<WeightDevice>("WeightDevice", {
  path: field("Path", goString),
  weight: field("Weight", goUnsigned(16)),
});

const throttleDevice: GoStructType<ThrottleDevice> = goStruct<ThrottleDevice>("ThrottleDevice", {
  path: field("Path", goString),
  rate: field("Rate", goUnsigned(64)),
});

const deviceMapping: GoStructType<DeviceMapping> = goStruct<DeviceMapping>("DeviceMapping", {
  pathOnHost: field("PathOnHost", goString),
  pathInContainer: field("PathInContainer", goString),
  cgroupPermissions: field("CgroupPermissions", goString),
});

const deviceRequest: GoStructType<DeviceRequest> = goStruct<DeviceRequest>("DeviceRequest", {
  driver: field("Driver", goString),
  count: field("Count", goInteger),
  deviceIDs: field("DeviceIDs", goList(goString)),
  capabilities: field("Capabilities", goList(goList(goString))),
  options: field("Options", goMap(goString)),
});

const ulimit: GoStructType<Ulimit> = goStruct<Ulimit>("Ulimit", {
  name: field("Name", goString),
  hard: field("Hard", goInteger),
  soft: field("Soft", goInteger),
});

/** In Docker's order. */
export const resourceFields: GoFields<Resources> = {
  cpuShares: field("CpuShares", goInteger),
  memory: field("Memory", goInteger),
  nanoCPUs: field("NanoCpus", goInteger),
  cgroupParent: field("CgroupParent", goString),
  blkioWeight: field("BlkioWeight", goUnsigned(16)),
  blkioWeightDevice: field("BlkioWeightDevice", goList(goPointer(weightDevice))),
  blkioDeviceReadBps: field("BlkioDeviceReadBps", goList(goPointer(throttleDevice))),
  blkioDeviceWriteBps: field("BlkioDeviceWriteBps", goList(goPointer(throttleDevice))),
  blkioDeviceReadIOps: field("BlkioDeviceReadIOps", goList(goPointer(throttleDevice))),
  blkioDeviceWriteIOps: field("BlkioDeviceWriteIOps", goList(goPointer(throttleDevice))),
  cpuPeriod: field("CpuPeriod", goInteger),
  cpuQuota: field("CpuQuota", goInteger),
  cpuRealtimePeriod: field("CpuRealtimePeriod", goInteger),
  cpuRealtimeRuntime: field("CpuRealtimeRuntime", goInteger),
  cpusetCpus: field("CpusetCpus", goString),
  cpusetMems: field("CpusetMems", goString),
  devices: field("Devices", goList(deviceMapping)),
  deviceCgroupRules: field("DeviceCgroupRules", goList(goString)),
  deviceRequests: field("DeviceRequests", goList(deviceRequest)),
  kernelMemory: field("KernelMemory", goInteger),
  kernelMemoryTCP: field("KernelMemoryTCP", goInteger),
  memoryReservation: field("MemoryReservation", goInteger),
  memorySwap: field("MemorySwap", goInteger),
  memorySwappiness: field("MemorySwappiness", goPointer(goInteger)),
  oomKillDisable: field("OomKillDisable", goPointer(goBool)),
  pidsLimit: field("PidsLimit", goPointer(goInteger)),
  ulimits: field("Ulimits", goList(goPointer(ulimit))),
  cpuCount: field("CpuCount", goInteger),
  cpuPercent: field("CpuPercent", goInteger),
  ioMaximumIOps: field("IOMaximumIOps", goUnsigned(64)),
  ioMaximumBandwidth: field("IOMaximumBandwidth", goUnsigned(64)),
};
