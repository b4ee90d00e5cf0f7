import type { GoInteger } from "../../json/go-type.ts";
import type { Limiters } from "./cgroups.ts";
import type { HostConfig } from "./host-config.ts";

/** What Docker records where a client chose nothing. @param hasHost whether the client gave a host config at all */
export function withDefaults(host: HostConfig, can: Limiters, hasHost: boolean): HostConfig {
  const { memory, memorySwap, shmSize, ipcMode, cgroupnsMode, privileged, oomKillDisable, securityOpt } = host;
  const isUnlabelled = privileged || host.pidMode === "host" || ipcMode === "host";
  const isLabelled = securityOpt?.some((option) => option.split("=")[0] === "label") === true;
  return {
    ...host,
    memorySwap: memory > 0 && memorySwap === 0 ? twice(memory) : memorySwap,
    shmSize: shmSize === 0 ? SHM_BYTES : shmSize,
    ipcMode: ipcMode || "private",
    cgroupnsMode: cgroupnsMode || (can.unified ? "private" : "host"),
    securityOpt: isUnlabelled && !isLabelled ? [...(securityOpt ?? []), "label=disable"] : securityOpt,
    oomKillDisable: oomKillDisable ?? false,
    networkMode: host.networkMode || "default",
    runtime: host.runtime || (hasHost ? "runc" : ""),
    maskedPaths: host.maskedPaths ?? (privileged ? null : MASKED_PATHS),
    readonlyPaths: host.readonlyPaths ?? (privileged ? null : READONLY_PATHS),
  };
}

const SHM_BYTES = 64 * 1024 * 1024;

const MASKED_PATHS = [
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
];

const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

function twice(amount: GoInteger): GoInteger {
  return typeof amount === "bigint" ? BigInt.asIntN(64, amount * 2n) : amount * 2;
}
