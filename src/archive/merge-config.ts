import type { ContainerConfig, Healthcheck } from "../image/container-config.ts";

/**
 * What a committed image's config takes over from the container where it says nothing itself (FORMATS 12.2).
 *
 * @param own the config that was asked for, changes applied
 */
export function mergeConfig(own: ContainerConfig, container: ContainerConfig): ContainerConfig {
  const hasEntrypoint = isSet(own.entrypoint);
  const hasCommand = hasEntrypoint || isSet(own.cmd);
  return {
    ...own,
    user: own.user || container.user,
    workingDir: own.workingDir || container.workingDir,
    stopSignal: own.stopSignal || container.stopSignal,
    exposedPorts: mergeSets(own.exposedPorts, container.exposedPorts),
    volumes: mergeSets(own.volumes, container.volumes),
    env: mergeEnvironments(own.env, container.env),
    labels: new Map([...(container.labels ?? []), ...(own.labels ?? [])]),
    cmd: hasCommand ? own.cmd : container.cmd,
    entrypoint: own.entrypoint ?? container.entrypoint,
    healthcheck: mergeHealthchecks(own.healthcheck, container.healthcheck),
  };
}

function isSet(command: readonly string[] | null): boolean {
  return command !== null && command.length > 0;
}

function mergeSets(own: ReadonlySet<string> | null, other: ReadonlySet<string> | null): ReadonlySet<string> | null {
  if (own === null || own.size === 0) return other;
  return new Set([...own, ...(other ?? [])]);
}

/** Variables of the container come behind those that are set already. */
function mergeEnvironments(own: readonly string[] | null, other: readonly string[] | null): readonly string[] | null {
  if (own === null || own.length === 0) return other;
  const names = new Set(own.map(nameOf));
  const merged = [...own];
  for (const variable of other ?? []) {
    if (names.has(nameOf(variable))) continue;
    names.add(nameOf(variable));
    merged.push(variable);
  }
  return merged;
}

function nameOf(variable: string): string {
  return variable.split("=", 1)[0]!;
}

function mergeHealthchecks(own: Healthcheck | null, other: Healthcheck | null): Healthcheck | null {
  if (own === null || other === null) return own ?? other;
  return {
    test: own.test !== null && own.test.length > 0 ? own.test : other.test,
    interval: own.interval || other.interval,
    timeout: own.timeout || other.timeout,
    startPeriod: own.startPeriod || other.startPeriod,
    retries: own.retries || other.retries,
  };
}
