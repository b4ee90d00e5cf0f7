import { isIP, isIPv4 } from "node:net";
import {
  field,
  type GoInteger,
  type GoStructType,
  goInteger,
  goList,
  goMap,
  goPointer,
  goString,
  goStruct,
  optional,
} from "../../json/go-type.ts";
import type { GoStruct } from "../../json/go-value.ts";
import { refused } from "./refusal.ts";

/** How a container is attached to one network, Docker's `EndpointSettings`. */
export interface Endpoint {
  readonly ipamConfig: IPAMConfig | null;
  readonly links: readonly string[] | null;
  readonly aliases: readonly string[] | null;
  readonly networkID: string;
  readonly endpointID: string;
  readonly gateway: string;
  readonly ipAddress: string;
  readonly ipPrefixLen: GoInteger;
  readonly ipv6Gateway: string;
  readonly globalIPv6Address: string;
  readonly globalIPv6PrefixLen: GoInteger;
  readonly macAddress: string;
  readonly driverOpts: ReadonlyMap<string, string> | null;
}

/** Addresses that were asked for. */
export interface IPAMConfig {
  readonly ipv4Address: string;
  readonly ipv6Address: string;
  readonly linkLocalIPs: readonly string[] | null;
}

/** By the network's name. */
export interface NetworkingConfig {
  readonly endpoints: ReadonlyMap<string, Endpoint | null> | null;
}

const endpointType: GoStructType<Endpoint> = goStruct<Endpoint>("EndpointSettings", {
  ipamConfig: field(
    "IPAMConfig",
    goPointer(
      goStruct<IPAMConfig>("EndpointIPAMConfig", {
        ipv4Address: optional("IPv4Address", goString),
        ipv6Address: optional("IPv6Address", goString),
        linkLocalIPs: optional("LinkLocalIPs", goList(goString)),
      }),
    ),
  ),
  links: field("Links", goList(goString)),
  aliases: field("Aliases", goList(goString)),
  networkID: field("NetworkID", goString),
  endpointID: field("EndpointID", goString),
  gateway: field("Gateway", goString),
  ipAddress: field("IPAddress", goString),
  ipPrefixLen: field("IPPrefixLen", goInteger),
  ipv6Gateway: field("IPv6Gateway", goString),
  globalIPv6Address: field("GlobalIPv6Address", goString),
  globalIPv6PrefixLen: field("GlobalIPv6PrefixLen", goInteger),
  macAddress: field("MacAddress", goString),
  driverOpts: field("DriverOpts", goMap(goString)),
});

export const networkingConfigType: GoStructType<NetworkingConfig> = goStruct<NetworkingConfig>("NetworkingConfig", {
  endpoints: field("EndpointsConfig", goMap(goPointer(endpointType))),
});

/** @throws VarveError `invalid-argument` with Docker's text */
export function checkNetworking({ endpoints }: NetworkingConfig): void {
  const named = [...(endpoints ?? [])];
  if (named.length > 1)
    throw refused(`Container cannot be connected to network endpoints: ${named.map(([name]) => name).join(", ")}`);
  for (const [name, endpoint] of named) {
    if (endpoint === null) throw refused(`no EndpointSettings for ${name}`);
    const { ipv4Address = "", ipv6Address = "" } = endpoint.ipamConfig ?? {};
    if (ipv4Address !== "" && !isIPv4(ipv4Address)) throw refused(`invalid IPv4 address: ${ipv4Address}`);
    if (ipv6Address !== "" && isIP(ipv6Address) !== 6) throw refused(`invalid IPv6 address: ${ipv6Address}`);
  }
}

/** Whether a network is one that somebody made, and not one of Docker's own. */
export function isUserDefined(networkMode: string): boolean {
  return !["", "default", "bridge", "host", "none"].includes(networkMode) && !isContainerMode(networkMode);
}

/** `container:` and a name, in the modes of the network, of processes and of IPC. */
export function isContainerMode(mode: string): boolean {
  return mode.startsWith("container:");
}

/** `NetworkSettings` of a container that was never connected. */
export function networkSettings(
  mode: string,
  { endpoints }: NetworkingConfig,
  { isDisabled, isAnonymous }: { readonly isDisabled: boolean; readonly isAnonymous: boolean },
): GoStruct {
  return {
    Bridge: "",
    SandboxID: "",
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    Networks: isDisabled || isContainerMode(mode) ? null : networksOf(mode, endpoints ?? new Map()),
    Service: null,
    Ports: null,
    SandboxKey: "",
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    IsAnonymousEndpoint: isAnonymous,
    HasSwarmEndpoint: false,
  };
}

/** A client may call the network that is there by default so; it is recorded by its name. */
function networksOf(mode: string, endpoints: ReadonlyMap<string, Endpoint | null>): ReadonlyMap<string, GoStruct> {
  const own = mode === "default" ? DEFAULT_NETWORK : mode;
  const given = endpoints.size > 0 ? endpoints : new Map([[own, endpointType.zero]]);
  const nameOf = (name: string): string => (mode === "default" && name === "default" ? DEFAULT_NETWORK : name);
  return new Map(
    [...given].map(([name, endpoint]) => [
      nameOf(name),
      { ...endpointType.write(endpoint ?? endpointType.zero), IPAMOperational: false },
    ]),
  );
}

const DEFAULT_NETWORK = "bridge";
