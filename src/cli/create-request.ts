import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { publishedPorts } from "../archive/port-spec.ts";
import { parseBinarySize } from "../engine/human-size.ts";
import { usage } from "./command.ts";

/** What the flags of `varve create` say, by their names in what commander parsed. */
export interface CreateFlags {
  readonly name?: string;
  readonly addHost?: readonly string[];
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly cpus?: string;
  readonly dns?: readonly string[];
  readonly entrypoint?: string;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly expose?: readonly string[];
  readonly hostname?: string;
  readonly init?: boolean;
  readonly interactive?: boolean;
  readonly label?: readonly string[];
  readonly memory?: string;
  readonly network?: string;
  readonly privileged?: boolean;
  readonly publish?: readonly string[];
  readonly readOnly?: boolean;
  readonly restart?: string;
  readonly rm?: boolean;
  readonly stopSignal?: string;
  readonly tmpfs?: readonly string[];
  readonly tty?: boolean;
  readonly user?: string;
  readonly volume?: readonly string[];
  readonly volumesFrom?: readonly string[];
  readonly workdir?: string;
}

export interface CreateBodies {
  readonly config: object;
  readonly hostConfig: object;
  readonly networkingConfig: object;
}

/**
 * What the `docker` command sends to create a container, so that both record the same.
 *
 * @param words what is to be run instead of the image's command
 * @throws VarveError `invalid-argument`; a usage error for flags that do not parse
 */
export function createRequest(flags: CreateFlags, words: readonly string[]): CreateBodies {
  const volumes = flags.volume ?? [];
  const ports = (flags.publish ?? []).flatMap(publishedPorts);
  const exposed = (flags.expose ?? []).flatMap((spec) => publishedPorts(spec).map(({ port }) => port));
  const isInteractive = flags.interactive === true;
  const config = {
    ...{ AttachStdin: isInteractive, AttachStdout: true, AttachStderr: true },
    ...{ OpenStdin: isInteractive, StdinOnce: isInteractive, Tty: flags.tty === true },
    Hostname: flags.hostname ?? "",
    User: flags.user ?? "",
    Env: [...(flags.envFile ?? []).flatMap(readVariables), ...(flags.env ?? [])].map(withValue),
    Cmd: words.length === 0 ? null : words,
    Entrypoint: flags.entrypoint === undefined ? null : [flags.entrypoint],
    Labels: Object.fromEntries((flags.label ?? []).map((label) => splitOnce(label, "="))),
    WorkingDir: flags.workdir ?? "",
    StopSignal: flags.stopSignal ?? "",
    Volumes: Object.fromEntries(volumes.filter((volume) => !volume.includes(":")).map((path) => [path, {}])),
    ExposedPorts: Object.fromEntries([...exposed, ...ports.map(({ port }) => port)].map((port) => [port, {}])),
  };
  const hostConfig = {
    ...UNSAID,
    Binds: orNull(volumes.filter((volume) => volume.includes(":")).map(absoluteBind)),
    VolumesFrom: orNull(flags.volumesFrom),
    Tmpfs: Object.fromEntries((flags.tmpfs ?? []).map((mount) => splitOnce(mount, ":"))),
    NetworkMode: flags.network ?? "default",
    PortBindings: bindingsOf(ports),
    RestartPolicy: restartPolicy(flags.restart),
    AutoRemove: flags.rm === true,
    CapAdd: orNull(flags.capAdd),
    CapDrop: orNull(flags.capDrop),
    Dns: flags.dns ?? [],
    ExtraHosts: orNull(flags.addHost),
    Privileged: flags.privileged === true,
    ReadonlyRootfs: flags.readOnly === true,
    Init: flags.init ?? null,
    Memory: flags.memory === undefined ? 0 : memoryOf(flags.memory),
    NanoCpus: flags.cpus === undefined ? 0 : processorsOf(flags.cpus),
  };
  return { config, hostConfig, networkingConfig: { EndpointsConfig: {} } };
}

/** What the `docker` command says where nobody says anything. */
const UNSAID = {
  DnsOptions: [],
  DnsSearch: [],
  MemorySwappiness: -1,
  BlkioWeightDevice: [],
  Devices: [],
};

function orNull<Item>(list: readonly Item[] | undefined): readonly Item[] | null {
  return list === undefined || list.length === 0 ? null : list;
}

/** A variable without a value has the one of this process, if it has one. */
function withValue(variable: string): string {
  if (variable.includes("=")) return variable;
  const value = process.env[variable];
  return value === undefined ? variable : `${variable}=${value}`;
}

/** Lines of `NAME=value`, `NAME` and comments. */
function readVariables(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.trimStart().replace(/\r$/, ""))
    .filter((line) => line !== "" && !line.startsWith("#"))
    .filter((line) => line.includes("=") || process.env[line] !== undefined);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** A relative path is one of this directory, once it says so by a dot. */
function absoluteBind(bind: string): string {
  return bind.startsWith(".") ? bind.replace(/^[^:]*/, (path) => resolve(path)) : bind;
}

function bindingsOf(ports: ReturnType<typeof publishedPorts>): Record<string, object[]> {
  const bindings: Record<string, object[]> = {};
  for (const { port, hostIP, hostPort } of ports) {
    bindings[port] ??= [];
    bindings[port].push({ HostIp: hostIP, HostPort: hostPort });
  }
  return bindings;
}

function restartPolicy(text = "no"): object {
  const [name, count] = splitOnce(text, ":");
  if (count !== "" && !/^\d+$/.test(count)) throw usage("maximum retry count must be an integer");
  return { Name: name, MaximumRetryCount: Number(count) };
}

function memoryOf(text: string): number {
  const bytes = parseBinarySize(text);
  if (bytes === undefined) throw usage(`invalid argument "${text}" for "-m, --memory" flag: invalid size: '${text}'`);
  return bytes;
}

/** In billionths. */
function processorsOf(text: string): number {
  const processors = Number(text);
  if (!/^\d+(\.\d{1,9})?$/.test(text))
    throw usage(`invalid argument "${text}" for "--cpus" flag: not a number of processors`);
  return Math.round(processors * 1e9);
}
