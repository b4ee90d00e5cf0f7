import { isIP } from "node:net";
import { quote } from "../../archive/dockerfile.ts";
import { parseBinarySize } from "../human-size.ts";
import type { HostConfig } from "./host-config.ts";
import { checkMountSpec, checkTarget } from "./mount-point.ts";
import { refused } from "./refusal.ts";

/**
 * What Docker asks of a host config, whatever the machine.
 *
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function checkHostConfig(host: HostConfig): void {
  const { restartPolicy } = host;
  if (host.autoRemove && !["no", ""].includes(restartPolicy.name))
    throw refused("can't create 'AutoRemove' container with restart policy");
  for (const spec of host.mounts ?? []) checkMountSpec(spec, { sourceMustExist: true });
  for (const extraHost of host.extraHosts ?? []) checkExtraHost(extraHost);
  checkPorts(host);
  checkRestartPolicy(restartPolicy);
  checkCapabilities(host.capAdd, "CapAdd");
  checkCapabilities(host.capDrop, "CapDrop");
}

/**
 * What Docker asks of it on Linux, limits apart.
 *
 * @param warn told in Docker's words of what will not be as asked for
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function checkForLinux(
  host: HostConfig,
  machine: { readonly forwardsIPv4: boolean; readonly cgroupNamespaces: boolean; readonly isRemapped: boolean },
  warn: (message: string) => void,
): void {
  const { networkMode, oomScoreAdj, shmSize, runtime, tmpfs, cgroupnsMode } = host;
  if (shmSize < 0) throw refused("SHM size can not be less than 0");
  if (oomScoreAdj < -1000 || oomScoreAdj > 1000)
    throw refused(`Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  if (!machine.forwardsIPv4 && networkMode !== "host" && networkMode !== "none")
    warn("IPv4 forwarding is disabled. Networking will not work.");
  if (networkMode === "host" && (host.portBindings?.size ?? 0) > 0)
    warn("Published ports are discarded when using host network mode");
  if (machine.isRemapped && host.usernsMode !== "host") checkRemapped(host);
  if (!RUNTIMES.includes(runtime)) throw refused(`Unknown runtime specified ${runtime}`);
  for (const target of tmpfs?.keys() ?? []) checkTarget(target);
  if (!["", "private", "host"].includes(cgroupnsMode)) throw refused(`invalid cgroup namespace mode: ${cgroupnsMode}`);
  if (cgroupnsMode === "private" && !machine.cgroupNamespaces)
    warn("Your kernel does not support cgroup namespaces.  Cgroup namespace setting discarded.");
  if (runtime === OLD_RUNTIME)
    warn(`Configured runtime "${OLD_RUNTIME}" is deprecated and will be removed in the next release.`);
}

const OLD_RUNTIME = "io.containerd.runtime.v1.linux";
/** Those that every dockerd 20.10 knows. */
const RUNTIMES = ["", "runc", "io.containerd.runc.v2", OLD_RUNTIME];

function checkRemapped({ privileged, networkMode, pidMode }: HostConfig): void {
  if (privileged)
    throw refused(
      "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode",
    );
  if (networkMode === "host")
    throw refused("cannot share the host's network namespace when user namespaces are enabled");
  if (pidMode === "host") throw refused("cannot share the host PID namespace when user namespaces are enabled");
}

function checkExtraHost(text: string): void {
  const at = text.indexOf(":");
  if (at <= 0) throw refused(`bad format for add-host: ${quote(text)}`);
  const address = text.slice(at + 1);
  if (address !== "host-gateway" && isIP(address.trim()) === 0)
    throw refused(`invalid IP address in add-host: ${quote(address)}`);
}

function checkPorts({ portBindings }: HostConfig): void {
  for (const [port, bindings] of portBindings ?? []) {
    const number = portOf(port);
    if (!isPort(number)) throw refused(`invalid port specification: ${quote(number)}`);
    for (const { hostPort } of bindings ?? [])
      if (!isPortRange(portOf(hostPort))) throw refused(`invalid port specification: ${quote(hostPort)}`);
  }
}

/** What stands before the protocol. */
function portOf(text: string): string {
  return text.split("/")[0]!;
}

function isPort(text: string): boolean {
  return text === "" || (/^\d+$/.test(text) && Number(text) <= 65_535);
}

function isPortRange(text: string): boolean {
  const [first = "", last, ...more] = text.split("-");
  if (last === undefined) return isPort(first);
  return (
    more.length === 0 && first !== "" && last !== "" && isPort(first) && isPort(last) && Number(first) <= Number(last)
  );
}

function checkRestartPolicy({ name, maximumRetryCount }: HostConfig["restartPolicy"]): void {
  switch (name) {
    case "":
      return;
    case "always":
    case "unless-stopped":
    case "no":
      if (maximumRetryCount === 0) return;
      throw refused(`maximum retry count cannot be used with restart policy '${name}'`);
    case "on-failure":
      if (maximumRetryCount >= 0) return;
      throw refused("maximum retry count cannot be negative");
    default:
      throw refused(`invalid restart policy '${name}'`);
  }
}

const CAPABILITIES =
  "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER " +
  "FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE " +
  "NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE " +
  "SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM ALL";

function checkCapabilities(given: readonly string[] | null, field: string): void {
  const known = CAPABILITIES.split(" ");
  for (const text of given ?? []) {
    const name = text.toUpperCase();
    if (name !== "CAP_ALL" && known.includes(name.replace(/^CAP_/, ""))) continue;
    const shown = name.startsWith("CAP_") ? name : `CAP_${name}`;
    throw refused(`invalid ${field}: unknown capability: ${quote(shown)}`);
  }
}

/**
 * How a container's output would be logged, with Docker's defaults.
 *
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function checkLogging({ type: given, config }: HostConfig["logConfig"]): HostConfig["logConfig"] {
  const type = given || "json-file";
  const options = config ?? new Map<string, string>();
  if (type !== "none") checkLogOptions(type, options);
  return { type, config: options };
}

function checkLogOptions(type: string, options: ReadonlyMap<string, string>): void {
  const mode = options.get("mode") ?? "";
  if (!["", "blocking", "non-blocking"].includes(mode)) throw refused(`logger: logging mode not supported: ${mode}`);
  const buffer = options.get("max-buffer-size");
  if (buffer !== undefined && mode !== "non-blocking")
    throw refused("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  if (buffer !== undefined && parseBinarySize(buffer) === undefined)
    throw refused(`error parsing option max-buffer-size: invalid size: '${buffer}'`);
  const known = LOG_DRIVERS[type];
  if (known === undefined) throw refused(`error looking up logging plugin ${type}: plugin "${type}" not found`);
  if (known === "any") return;
  const stranger = [...options.keys()].find((name) => !known.includes(name) && !BUILT_IN_OPTIONS.includes(name));
  if (stranger !== undefined) throw refused(`unknown log opt '${stranger}' for ${type} log driver`);
}

const BUILT_IN_OPTIONS = ["mode", "max-buffer-size"];
/** With the options that they know; `any` where a daemon looks closer when it starts the container. */
const LOG_DRIVERS: Readonly<Record<string, readonly string[] | "any">> = {
  "json-file": ["max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag"],
  local: "any",
  syslog: "any",
  journald: "any",
  gelf: "any",
  fluentd: "any",
  awslogs: "any",
  splunk: "any",
  gcplogs: "any",
  logentries: "any",
};
