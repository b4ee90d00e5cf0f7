import { describe, expect, test } from "vitest";
import type { Limiters } from "./cgroups.ts";
import { limitersOf } from "./cgroups.ts";
import { type HostConfig, hostConfigType } from "./host-config.ts";
import { checkLimits } from "./limits.ts";

const ALL: Limiters = {
  ...{ unified: false, memory: true, swap: true, memoryReservation: true, oomKillDisable: true, swappiness: true },
  ...{ kernelMemory: true, cpuShares: true, cpuQuota: true, cpuRealtime: true, cpuset: true, cpus: "0-3,6" },
  ...{ memoryNodes: "0", pids: true, blkioWeight: true, blkioWeightDevice: true, blkioReadBps: true },
  ...{ blkioWriteBps: true, blkioReadIOps: true, blkioWriteIOps: true, cgroupNamespaces: true, forwardsIPv4: true },
  processors: 4,
};
const NONE: Limiters = {
  ...ALL,
  ...Object.fromEntries(Object.keys(ALL).map((key) => [key, false])),
  cpus: "",
  memoryNodes: "",
  processors: 4,
};

function check(asked: Partial<HostConfig>, can: Limiters): { limited: HostConfig; warnings: string[] } {
  const warnings: string[] = [];
  const limited = checkLimits({ ...hostConfigType.zero, ...asked }, can, (message) => warnings.push(message));
  return { limited, warnings };
}

const ASKED: Partial<HostConfig> = {
  ...{ memory: 64 << 20, memoryReservation: 32 << 20, memorySwappiness: 5, kernelMemory: 16 << 20, cpuShares: 5 },
  ...{ oomKillDisable: true, pidsLimit: 5, cpuPeriod: 5000, cpuQuota: 5000, cpusetCpus: "1-2,6", cpusetMems: "0" },
  ...{ blkioWeight: 50, blkioWeightDevice: [{ path: "/x", weight: 5 }], blkioDeviceReadBps: [{ path: "/x", rate: 5 }] },
};

describe("limits of a container", () => {
  test("stay where the machine knows them", () => {
    const { limited, warnings } = check(ASKED, ALL);
    expect(limited).toEqual({ ...hostConfigType.zero, ...ASKED });
    expect(warnings).toEqual([
      "Specifying a kernel memory limit is deprecated and will be removed in a future release.",
    ]);
  });

  test("are dropped with a warning each where it does not", () => {
    const { limited, warnings } = check(ASKED, NONE);
    expect(limited).toEqual({
      ...hostConfigType.zero,
      memorySwap: -1,
      blkioWeightDevice: [],
      blkioDeviceReadBps: [],
    });
    expect(warnings.length).toBe(13);
    for (const warning of warnings.slice(0, 3))
      expect(warning).toMatch(/^Your kernel does not support .* discarded\.$/);
  });

  test.each([
    [{ cpusetCpus: "3-4" }, "Requested CPUs are not available - requested 3-4, available: 0-3,6"],
    [{ cpusetCpus: "2-1" }, "Invalid value 2-1 for cpuset cpus: invalid format: 2-1"],
    [{ blkioWeight: 5 }, "Range of blkio weight is from 10 to 1000"],
    [{ nanoCPUs: 5e9 }, "Range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available"],
    [{ kernelMemory: 5 }, "Minimum kernel memory limit allowed is 6MB"],
  ])("that make no sense are refused: %j", (asked, message) => {
    expect(() => check(asked, ALL)).toThrow(message);
  });

  test("are asked of this machine", () => {
    const machine = limitersOf();
    expect(machine.processors).toBeGreaterThan(0);
    expect(typeof machine.memory).toBe("boolean");
  });
});
