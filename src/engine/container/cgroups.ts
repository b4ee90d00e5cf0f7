import { existsSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { errnoOf } from "../../errors.ts";

/** What this machine's kernel can limit, as far as Docker asks before it records a limit. */
export interface Limiters {
  /** Only the second version of cgroups is mounted. */
  readonly unified: boolean;
  readonly memory: boolean;
  readonly swap: boolean;
  readonly memoryReservation: boolean;
  readonly oomKillDisable: boolean;
  readonly swappiness: boolean;
  readonly kernelMemory: boolean;
  readonly cpuShares: boolean;
  readonly cpuQuota: boolean;
  readonly cpuRealtime: boolean;
  readonly cpuset: boolean;
  /** Lists such as `0-3,7`. */
  readonly cpus: string;
  readonly memoryNodes: string;
  readonly pids: boolean;
  readonly blkioWeight: boolean;
  readonly blkioWeightDevice: boolean;
  readonly blkioReadBps: boolean;
  readonly blkioWriteBps: boolean;
  readonly blkioReadIOps: boolean;
  readonly blkioWriteIOps: boolean;
  readonly cgroupNamespaces: boolean;
  readonly forwardsIPv4: boolean;
  readonly processors: number;
}

/** Asks the machine. */
export function limitersOf(): Limiters {
  const unified = isUnified();
  return {
    unified,
    ...(unified ? unifiedLimiters() : mountedLimiters()),
    cgroupNamespaces: existsSync("/proc/self/ns/cgroup"),
    forwardsIPv4: read("/proc/sys/net/ipv4/ip_forward") === "1",
    processors: availableParallelism(),
  };
}

type CgroupLimiters = Omit<Limiters, "unified" | "cgroupNamespaces" | "forwardsIPv4" | "processors">;

const CGROUPS = "/sys/fs/cgroup";
const CGROUP2_MAGIC = 0x63677270;

function isUnified(): boolean {
  try {
    return statfsSync(CGROUPS).type === CGROUP2_MAGIC;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** Each controller of the first version has a mount and a file for everything it can do. */
function mountedLimiters(): CgroupLimiters {
  const mounts = controllerMounts();
  const has = (controller: string, file = ""): boolean => {
    const mount = mounts.get(controller);
    return mount !== undefined && existsSync(join(mount, file));
  };
  return {
    memory: has("memory"),
    swap: has("memory", "memory.memsw.limit_in_bytes"),
    memoryReservation: has("memory", "memory.soft_limit_in_bytes"),
    oomKillDisable: has("memory", "memory.oom_control"),
    swappiness: has("memory", "memory.swappiness"),
    kernelMemory: has("memory", "memory.kmem.limit_in_bytes"),
    cpuShares: has("cpu", "cpu.shares"),
    cpuQuota: has("cpu", "cpu.cfs_quota_us"),
    cpuRealtime: has("cpu", "cpu.rt_period_us"),
    cpuset: has("cpuset"),
    cpus: read(join(mounts.get("cpuset") ?? "/nonexistent", "cpuset.cpus")),
    memoryNodes: read(join(mounts.get("cpuset") ?? "/nonexistent", "cpuset.mems")),
    pids: has("pids"),
    blkioWeight: has("blkio", "blkio.weight"),
    blkioWeightDevice: has("blkio", "blkio.weight_device"),
    blkioReadBps: has("blkio", "blkio.throttle.read_bps_device"),
    blkioWriteBps: has("blkio", "blkio.throttle.write_bps_device"),
    blkioReadIOps: has("blkio", "blkio.throttle.read_iops_device"),
    blkioWriteIOps: has("blkio", "blkio.throttle.write_iops_device"),
  };
}

function controllerMounts(): Map<string, string> {
  const mounts = new Map<string, string>();
  for (const line of read("/proc/self/mountinfo").split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [type, , options = ""] = after.split(" ");
    if (type !== "cgroup") continue;
    for (const controller of options.split(",")) mounts.set(controller, before.split(" ")[4] ?? "");
  }
  return mounts;
}

/** A controller of the second version does all that it can or is not there. */
function unifiedLimiters(): CgroupLimiters {
  const controllers = read(join(CGROUPS, "cgroup.controllers")).split(" ");
  const [memory, cpu, io, cpuset, pids] = ["memory", "cpu", "io", "cpuset", "pids"].map((name) =>
    controllers.includes(name),
  ) as [boolean, boolean, boolean, boolean, boolean];
  const own = /^0::(.*)$/m.exec(read("/proc/self/cgroup"))?.[1] ?? "/";
  return {
    memory,
    swap: memory && existsSync(join(CGROUPS, own, "memory.swap.max")),
    memoryReservation: memory,
    oomKillDisable: false,
    swappiness: false,
    kernelMemory: false,
    cpuShares: cpu,
    cpuQuota: cpu,
    cpuRealtime: false,
    cpuset,
    cpus: cpuset ? read(join(CGROUPS, "cpuset.cpus.effective")) : "",
    memoryNodes: cpuset ? read(join(CGROUPS, "cpuset.mems.effective")) : "",
    pids,
    blkioWeight: io,
    blkioWeightDevice: io,
    blkioReadBps: io,
    blkioWriteBps: io,
    blkioReadIOps: io,
    blkioWriteIOps: io,
  };
}

/** Without the line's end; nothing where there is no such file. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(error) ?? "")) return "";
    throw error;
  }
}
