import { VarveError } from "../errors.ts";
import { containerConfigType } from "../image/container-config.ts";
import { foldKey } from "../json/fold.ts";
import type { Json } from "../json/json.ts";
import { plainOf } from "./json-body.ts";

/** What the body of `POST /containers/create` says, in its three parts. */
export interface CreateBody {
  /** `undefined` where nothing is said about the container itself. */
  readonly config: Plain | undefined;
  readonly hostConfig: Plain | undefined;
  readonly networkingConfig: Plain | undefined;
}

type Plain = Readonly<Record<string, unknown>>;

/**
 * Takes a body apart: the config's fields are those of the body, the host config and the networks have a name each. Old
 * clients write some of the host config beside it, which counts where it says nothing itself.
 *
 * @throws VarveError `invalid-argument` for a value that is nested too deep, or should be an object
 */
export function createBody(json: Json | undefined): CreateBody {
  const body = (json === undefined ? {} : (plainOf(json) ?? {})) as Plain;
  const named = (name: string): unknown => fieldOf(body, name);
  const config = Object.entries(body).filter(([key]) => containerConfigType.hasField(key));
  return {
    config: config.length === 0 ? undefined : Object.fromEntries(config),
    hostConfig: withFieldsBeside(objectOf(named("HostConfig"), "HostConfig"), named),
    networkingConfig: objectOf(named("NetworkingConfig"), "NetworkingConfig"),
  };
}

/** The field of a plain object that Go would take for this name. */
export function fieldOf(object: Plain, name: string): unknown {
  return Object.entries(object)
    .filter(([key]) => foldKey(key) === foldKey(name))
    .at(-1)?.[1];
}

function objectOf(value: unknown, name: string): Plain | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === "object" && !Array.isArray(value)) return value as Plain;
  throw new VarveError("invalid-argument", `invalid JSON: ${name} is no object`, { name });
}

function withFieldsBeside(hostConfig: Plain | undefined, named: (name: string) => unknown): Plain | undefined {
  const beside = BESIDE.flatMap(([name, meant]): [string, unknown][] => {
    const value = named(name);
    return value && !(hostConfig && fieldOf(hostConfig, meant)) ? [[meant, value]] : [];
  });
  return beside.length === 0 ? hostConfig : { ...hostConfig, ...Object.fromEntries(beside) };
}

/** What API 1.17 and older have beside the host config, and how its fields are called today. */
const BESIDE = [
  ["Cpuset", "CpusetCpus"],
  ["CpusetCpus", "CpusetCpus"],
  ["CpuShares", "CpuShares"],
  ["Memory", "Memory"],
  ["MemorySwap", "MemorySwap"],
  ["VolumeDriver", "VolumeDriver"],
] as const;
