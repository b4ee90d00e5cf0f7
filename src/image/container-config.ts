import {
  field,
  type GoInteger,
  type GoStructType,
  goBool,
  goCommand,
  goInteger,
  goList,
  goMap,
  goPointer,
  goSet,
  goString,
  goStruct,
  optional,
} from "../json/go-type.ts";

/**
 * How a container of an image is to be run: `config` and `container_config` of an image, and `Config` of a container
 * (FORMATS 1.6). `null` is a list, map or pointer that is not there, which Docker tells from an empty one.
 */
export interface ContainerConfig {
  readonly hostname: string;
  readonly domainname: string;
  readonly user: string;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  /** Such as `80/tcp`. */
  readonly exposedPorts: ReadonlySet<string> | null;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  /** `NAME=value` each. */
  readonly env: readonly string[] | null;
  readonly cmd: readonly string[] | null;
  readonly healthcheck: Healthcheck | null;
  readonly argsEscaped: boolean;
  readonly image: string;
  readonly volumes: ReadonlySet<string> | null;
  readonly workingDir: string;
  readonly entrypoint: readonly string[] | null;
  readonly networkDisabled: boolean;
  readonly macAddress: string;
  readonly onBuild: readonly string[] | null;
  readonly labels: ReadonlyMap<string, string> | null;
  readonly stopSignal: string;
  /** Seconds. */
  readonly stopTimeout: GoInteger | null;
  readonly shell: readonly string[] | null;
}

/** Durations are nanoseconds. What is 0 or `null` is inherited. */
export interface Healthcheck {
  readonly test: readonly string[] | null;
  readonly interval: GoInteger;
  readonly timeout: GoInteger;
  readonly startPeriod: GoInteger;
  readonly retries: GoInteger;
}

const healthcheckType: GoStructType<Healthcheck> = goStruct<Healthcheck>("HealthConfig", {
  test: optional("Test", goList(goString)),
  interval: optional("Interval", goInteger),
  timeout: optional("Timeout", goInteger),
  startPeriod: optional("StartPeriod", goInteger),
  retries: optional("Retries", goInteger),
});

/**
 * Reads and writes a `ContainerConfig` as Docker 20.10 does.
 *
 * @example formatGo(containerConfigType.write({ ...EMPTY_CONTAINER_CONFIG, cmd: ["/bin/sh"] }))
 */
export const containerConfigType: GoStructType<ContainerConfig> = goStruct<ContainerConfig>("Config", {
  hostname: field("Hostname", goString),
  domainname: field("Domainname", goString),
  user: field("User", goString),
  attachStdin: field("AttachStdin", goBool),
  attachStdout: field("AttachStdout", goBool),
  attachStderr: field("AttachStderr", goBool),
  exposedPorts: optional("ExposedPorts", goSet),
  tty: field("Tty", goBool),
  openStdin: field("OpenStdin", goBool),
  stdinOnce: field("StdinOnce", goBool),
  env: field("Env", goList(goString)),
  cmd: field("Cmd", goCommand),
  healthcheck: optional("Healthcheck", goPointer(healthcheckType)),
  argsEscaped: optional("ArgsEscaped", goBool),
  image: field("Image", goString),
  volumes: field("Volumes", goSet),
  workingDir: field("WorkingDir", goString),
  entrypoint: field("Entrypoint", goCommand),
  networkDisabled: optional("NetworkDisabled", goBool),
  macAddress: optional("MacAddress", goString),
  onBuild: field("OnBuild", goList(goString)),
  labels: field("Labels", goMap(goString)),
  stopSignal: optional("StopSignal", goString),
  stopTimeout: optional("StopTimeout", goPointer(goInteger)),
  shell: optional("Shell", goCommand),
});

/** Nothing set: every list and map `null`. */
export const EMPTY_CONTAINER_CONFIG: ContainerConfig = containerConfigType.zero;
