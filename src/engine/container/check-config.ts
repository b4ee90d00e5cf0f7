import { quote } from "../../archive/dockerfile.ts";
import type { ContainerConfig, Healthcheck } from "../../image/container-config.ts";
import type { HostConfig } from "./host-config.ts";
import { isContainerMode } from "./network.ts";
import { refused } from "./refusal.ts";

/**
 * What Docker asks of a container's config before it looks at anything else.
 *
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function checkConfig({ workingDir, stopSignal, env, healthcheck }: ContainerConfig): void {
  if (workingDir !== "" && !workingDir.startsWith("/"))
    throw refused(`the working directory '${workingDir}' is invalid, it needs to be an absolute path`);
  if (stopSignal !== "" && !isSignal(stopSignal)) throw refused(`Invalid signal: ${stopSignal}`);
  const nameless = env?.find((variable) => variable === "" || variable.startsWith("="));
  if (nameless !== undefined) throw refused(`invalid environment variable: ${nameless}`);
  if (healthcheck !== null) checkHealth(healthcheck);
}

/**
 * What Docker asks of a body as soon as it has read it: what does not go together, or not on Linux.
 *
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function checkBody(config: ContainerConfig, host: HostConfig, can: { readonly cpuRealtime: boolean }): void {
  checkNetworkMode(config, host);
  if (!["", "default"].includes(host.isolation.toLowerCase()))
    throw refused(`Invalid isolation: ${quote(host.isolation)} - linux only supports 'default'`);
  if (host.ioMaximumBandwidth !== 0)
    throw refused("Invalid QoS settings: linux does not support configuration of maximum bandwidth");
  if (host.ioMaximumIOps !== 0)
    throw refused("Invalid QoS settings: linux does not support configuration of maximum IOPs");
  const { cpuRealtimePeriod: period, cpuRealtimeRuntime: runtime } = host;
  if ((period !== 0 || runtime !== 0) && !can.cpuRealtime)
    throw refused("Your kernel does not support CPU real-time scheduler");
  if (period !== 0 && runtime > period)
    throw refused("cpu real-time runtime cannot be higher than cpu real-time period");
}

function checkNetworkMode(config: ContainerConfig, host: HostConfig): void {
  const { networkMode } = host;
  const shares = isContainerMode(networkMode);
  if (networkMode.split(":")[0] === "container" && (networkMode.split(":")[1] ?? "") === "")
    throw refused("Invalid network mode: invalid container format container:<name|id>");
  const conflict = (isSet: boolean, message: string): void => {
    if (isSet) throw refused(message);
  };
  const isLinked = (host.links?.length ?? 0) > 0;
  conflict(shares && config.hostname !== "", "conflicting options: hostname and the network mode");
  conflict(shares && isLinked, `conflicting options: container type network can't be used with links. ${UNDEFINED}`);
  conflict(shares && (host.dns?.length ?? 0) > 0, "conflicting options: dns and the network mode");
  conflict(
    shares && (host.extraHosts?.length ?? 0) > 0,
    "conflicting options: custom host-to-IP mapping and the network mode",
  );
  conflict(
    (shares || networkMode === "host") && config.macAddress !== "",
    "conflicting options: mac-address and the network mode",
  );
  conflict(
    shares && ((host.portBindings?.size ?? 0) > 0 || host.publishAllPorts),
    "conflicting options: port publishing and the container type network mode",
  );
  conflict(
    shares && (config.exposedPorts?.size ?? 0) > 0,
    "conflicting options: port exposing and the container type network mode",
  );
  conflict(host.utsMode === "host" && config.hostname !== "", "conflicting options: hostname and the UTS mode");
  conflict(networkMode === "host" && isLinked, HOST_AND_LINKS);
}

const UNDEFINED = "This would result in undefined behavior";
export const HOST_AND_LINKS: string = `conflicting options: host type networking can't be used with links. ${UNDEFINED}`;

const LEAST_DURATION = 1_000_000;

function checkHealth({ interval, timeout, retries, startPeriod }: Healthcheck): void {
  const isShort = (duration: number | bigint): boolean => duration !== 0 && duration < LEAST_DURATION;
  if (isShort(interval)) throw refused("Interval in Healthcheck cannot be less than 1ms");
  if (isShort(timeout)) throw refused("Timeout in Healthcheck cannot be less than 1ms");
  if (retries < 0) throw refused("Retries in Healthcheck cannot be negative");
  if (isShort(startPeriod)) throw refused("StartPeriod in Healthcheck cannot be less than 1ms");
}

const SIGNALS =
  "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP " +
  "TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX";

/** A name in any case, with `SIG` or without, or a number that is not 0. */
function isSignal(text: string): boolean {
  if (/^[+-]?\d+$/.test(text)) return Number(text) !== 0 && Number.isSafeInteger(Number(text));
  const name = text.toUpperCase().replace(/^SIG/, "");
  const [, sign, distance] = /^RTM(IN\+|AX-)([1-9]\d?)$/.exec(name) ?? [];
  if (distance !== undefined) return Number(distance) <= (sign === "IN+" ? 15 : 14);
  return SIGNALS.split(" ").includes(name);
}
