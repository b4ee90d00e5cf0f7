import { isVarveError, VarveError } from "../../errors.ts";
import { type ContainerConfig, containerConfigType } from "../../image/container-config.ts";
import type { GoStructType } from "../../json/go-type.ts";
import { parseJson } from "../../json/json.ts";
import { type HostConfig, hostConfigType } from "./host-config.ts";
import { type NetworkingConfig, networkingConfigType } from "./network.ts";

/** Docker's body of `POST /containers/create`, as `JSON.parse` gives it. */
export interface CreateRequest {
  /** Docker's `Config`: the body's own fields. */
  readonly config?: object | undefined;
  readonly hostConfig?: object | undefined;
  readonly networkingConfig?: object | undefined;
}

/** What was read of it. */
export interface ReadRequest {
  readonly config: ContainerConfig;
  readonly host: HostConfig;
  /** Without a host config Docker checks and chooses less. */
  readonly hasHost: boolean;
  readonly networking: NetworkingConfig;
}

/**
 * Reads what a client sent as Docker does: keys in any case, unknown ones passed over.
 *
 * @throws VarveError `invalid-argument` for values of other types
 */
export function readRequest({ config, hostConfig, networkingConfig }: CreateRequest): ReadRequest {
  const read = readConfig(config) ?? containerConfigType.zero;
  const host = readDocument(hostConfigType, hostConfig);
  const hasHost = hostConfig !== undefined;
  // Docker tells volumes that are not there from none, once there is a host config.
  const volumes = hasHost ? (read.volumes ?? new Set<string>()) : read.volumes;
  return {
    config: { ...read, volumes },
    // Nothing and everything below it is any number of processes.
    host: { ...host, pidsLimit: host.pidsLimit === null || host.pidsLimit <= 0 ? null : host.pidsLimit },
    hasHost,
    networking: readDocument(networkingConfigType, networkingConfig),
  };
}

/**
 * Docker's `Config` alone.
 *
 * @returns `undefined` for an object without any field of it, which Docker takes for none
 * @throws VarveError `invalid-argument`
 */
export function readConfig(config: object | undefined): ContainerConfig | undefined {
  if (!Object.keys(config ?? {}).some((key) => containerConfigType.hasField(key))) return undefined;
  return readDocument(containerConfigType, config);
}

function readDocument<T>(type: GoStructType<T>, document: object | undefined): T {
  try {
    return type.read(parseJson(JSON.stringify(document ?? null)), type.zero, "");
  } catch (error) {
    if (!isVarveError(error, "invalid-archive")) throw error;
    throw new VarveError("invalid-argument", error.message, error.details, error);
  }
}
