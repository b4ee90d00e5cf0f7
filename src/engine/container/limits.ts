import type { Limiters } from "./cgroups.ts";
import type { HostConfig } from "./host-config.ts";
import { refused } from "./refusal.ts";

/**
 * Checks the limits of a container and drops those that this machine does not know, as Docker does.
 *
 * @param warn told of each that is dropped, in Docker's words
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function checkLimits(host: HostConfig, can: Limiters, warn: (message: string) => void): HostConfig {
  let checked = checkMemory({ ...host, memorySwappiness: host.memorySwappiness === -1 ? null : host.memorySwappiness });
  checked = checkKernelMemory(checked);
  checked = checkProcesses(checked);
  checked = checkProcessors(checked);
  checked = checkSets(checked);
  return checkDevices(checked);

  function drop(what: Partial<HostConfig>, from: HostConfig, message: string): HostConfig {
    warn(message);
    return { ...from, ...what };
  }

  function checkMemory(host: HostConfig): HostConfig {
    let limited = host;
    if (host.memory !== 0 && host.memory < LEAST_MEMORY) throw refused("Minimum memory limit allowed is 6MB");
    if (limited.memory > 0 && !can.memory) limited = drop({ memory: 0, memorySwap: -1 }, limited, unlimited("memory"));
    if (limited.memory > 0 && limited.memorySwap !== -1 && !can.swap)
      limited = drop({ memorySwap: -1 }, limited, NO_SWAP);
    const { memory, memorySwap, memoryReservation } = limited;
    if (memory > 0 && memorySwap > 0 && memorySwap < memory)
      throw refused("Minimum memoryswap limit should be larger than memory limit, see usage");
    if (memory === 0 && memorySwap > 0)
      throw refused("You should always set the Memory limit when using Memoryswap limit, see usage");
    if (limited.memorySwappiness !== null && !can.swappiness)
      limited = drop(
        { memorySwappiness: null },
        limited,
        `${UNSUPPORTED} memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.`,
      );
    const { memorySwappiness } = limited;
    if (memorySwappiness !== null && (memorySwappiness < 0 || memorySwappiness > 100))
      throw refused(`Invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
    if (memoryReservation > 0 && !can.memoryReservation)
      return drop({ memoryReservation: 0 }, limited, unlimited("memory soft limit"));
    if (memoryReservation > 0 && memoryReservation < LEAST_MEMORY)
      throw refused("Minimum memory reservation allowed is 6MB");
    if (memory > 0 && memoryReservation > 0 && memory < memoryReservation)
      throw refused("Minimum memory limit can not be less than memory reservation limit, see usage");
    return limited;
  }

  function checkKernelMemory(host: HostConfig): HostConfig {
    if (host.kernelMemory <= 0) return host;
    warn("Specifying a kernel memory limit is deprecated and will be removed in a future release.");
    if (!can.kernelMemory) return drop({ kernelMemory: 0 }, host, unlimited("kernel memory limit"));
    if (host.kernelMemory < LEAST_MEMORY) throw refused("Minimum kernel memory limit allowed is 6MB");
    return host;
  }

  function checkProcesses(host: HostConfig): HostConfig {
    let limited = host;
    if (host.oomKillDisable !== null && !can.oomKillDisable) {
      if (host.oomKillDisable) warn(`${UNSUPPORTED} OomKillDisable. OomKillDisable discarded.`);
      limited = { ...limited, oomKillDisable: null };
    }
    if (limited.oomKillDisable === true && limited.memory === 0)
      warn(
        "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
      );
    if (limited.pidsLimit === null || can.pids) return limited;
    if (limited.pidsLimit > 0)
      warn(`${UNSUPPORTED} PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.`);
    return { ...limited, pidsLimit: null };
  }

  function checkProcessors(host: HostConfig): HostConfig {
    const { nanoCPUs, cpuPeriod, cpuQuota } = host;
    if (nanoCPUs > 0 && cpuPeriod > 0)
      throw refused("Conflicting options: Nano CPUs and CPU Period cannot both be set");
    if (nanoCPUs > 0 && cpuQuota > 0) throw refused("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    if (nanoCPUs > 0 && !can.cpuQuota)
      throw refused(
        "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
      );
    if (nanoCPUs < 0 || nanoCPUs > can.processors * 1e9)
      throw refused(
        `Range of CPUs is from 0.01 to ${can.processors}.00, as there are only ${can.processors} CPUs available`,
      );
    let limited = host;
    if (host.cpuShares > 0 && !can.cpuShares)
      limited = drop(
        { cpuShares: 0 },
        limited,
        `${UNSUPPORTED} CPU shares or the cgroup is not mounted. Shares discarded.`,
      );
    if ((cpuPeriod !== 0 || cpuQuota !== 0) && !can.cpuQuota)
      limited = drop(
        { cpuPeriod: 0, cpuQuota: 0 },
        limited,
        `${UNSUPPORTED} CPU CFS scheduler. CPU period/quota discarded.`,
      );
    if (limited.cpuPeriod !== 0 && (limited.cpuPeriod < 1000 || limited.cpuPeriod > 1_000_000))
      throw refused("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    if (limited.cpuQuota > 0 && limited.cpuQuota < 1000)
      throw refused("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (limited.cpuPercent > 0)
      limited = drop({ cpuPercent: 0 }, limited, "linux does not support CPU percent. Percent discarded.");
    return limited;
  }

  function checkSets(host: HostConfig): HostConfig {
    let limited = host;
    if ((host.cpusetCpus !== "" || host.cpusetMems !== "") && !can.cpuset)
      limited = drop(
        { cpusetCpus: "", cpusetMems: "" },
        limited,
        `${UNSUPPORTED} cpuset or the cgroup is not mounted. Cpuset discarded.`,
      );
    const { cpusetCpus, cpusetMems } = limited;
    if (!isWithin(cpusetCpus, can.cpus, "cpus"))
      throw refused(`Requested CPUs are not available - requested ${cpusetCpus}, available: ${can.cpus}`);
    if (!isWithin(cpusetMems, can.memoryNodes, "mems"))
      throw refused(
        `Requested memory nodes are not available - requested ${cpusetMems}, available: ${can.memoryNodes}`,
      );
    return limited;
  }

  function checkDevices(host: HostConfig): HostConfig {
    let limited = host;
    if (host.blkioWeight > 0 && !can.blkioWeight)
      limited = drop(
        { blkioWeight: 0 },
        limited,
        `${UNSUPPORTED} Block I/O weight or the cgroup is not mounted. Weight discarded.`,
      );
    if (limited.blkioWeight > 0 && (limited.blkioWeight < 10 || limited.blkioWeight > 1000))
      throw refused("Range of blkio weight is from 10 to 1000");
    for (const [key, supported, what, kind] of [
      ["blkioWeightDevice", can.blkioWeightDevice, "Block I/O weight_device", "Weight-device"],
      ["blkioDeviceReadBps", can.blkioReadBps, "BPS Block I/O read limit", "Block I/O BPS read limit"],
      ["blkioDeviceWriteBps", can.blkioWriteBps, "BPS Block I/O write limit", "Block I/O BPS write limit"],
      ["blkioDeviceReadIOps", can.blkioReadIOps, "IOPS Block read limit", "Block I/O IOPS read limit"],
      ["blkioDeviceWriteIOps", can.blkioWriteIOps, "IOPS Block write limit", "Block I/O IOPS write limit"],
    ] as const)
      if ((limited[key]?.length ?? 0) > 0 && !supported)
        limited = drop(
          { [key]: [] },
          limited,
          `${UNSUPPORTED} ${what} or the cgroup is not mounted. ${kind} discarded.`,
        );
    return limited;
  }
}

const LEAST_MEMORY = 6 * 1024 * 1024;
const UNSUPPORTED = "Your kernel does not support";
const NO_SWAP = `${UNSUPPORTED} swap limit capabilities or the cgroup is not mounted. Memory limited without swap.`;

function unlimited(what: string): string {
  return `${UNSUPPORTED} ${what} capabilities or the cgroup is not mounted. Limitation discarded.`;
}

/** Whether all of a list such as `0-2,4` is in another one. */
function isWithin(wanted: string, available: string, kind: "cpus" | "mems"): boolean {
  const provided = rangesOf(available) ?? [];
  const ranges = rangesOf(wanted);
  if (ranges === undefined) throw refused(`Invalid value ${wanted} for cpuset ${kind}: invalid format: ${wanted}`);
  return ranges.every(([first, last]) => provided.some(([from, to]) => from <= first && last <= to));
}

function rangesOf(list: string): [first: number, last: number][] | undefined {
  if (list === "") return [];
  const ranges: [number, number][] = [];
  for (const part of list.split(",")) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
    if (match === null) return undefined;
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first) return undefined;
    ranges.push([first, last]);
  }
  return ranges;
}
