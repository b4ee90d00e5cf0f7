import { isVarveError, VarveError } from "../../errors.ts";
import type { Container, ContainerRecords } from "../containers.ts";
import { HOST_AND_LINKS } from "./check-config.ts";
import type { HostConfig } from "./host-config.ts";
import { isContainerMode, isUserDefined } from "./network.ts";
import { refused } from "./refusal.ts";

/**
 * Looks for the containers whose namespaces a new one shares, which are recorded by their ids, so that they may be
 * renamed, and for those that it is linked to.
 *
 * @throws VarveError `invalid-argument` with Docker's text when one is not there
 */
export function withOthers(containers: ContainerRecords, host: HostConfig): HostConfig {
  if (!isUserDefined(host.networkMode)) for (const link of host.links ?? []) checkLink(containers, link);
  const withID = (mode: string, isRequired: boolean): string => {
    if (!isContainerMode(mode)) return mode;
    const name = nameIn(mode);
    const other = isRequired ? required(containers, name) : found(containers, name);
    return `container:${other?.id ?? name}`;
  };
  return {
    ...host,
    pidMode: withID(host.pidMode, true),
    ipcMode: withID(host.ipcMode, true),
    // Docker sees only when it starts it that there is none.
    networkMode: withID(host.networkMode, false),
  };
}

/** The container of this name. @throws VarveError `invalid-argument` with Docker's text when there is none */
export function required(containers: ContainerRecords, name: string, prefix = ""): Container {
  try {
    return containers.find(name);
  } catch (error) {
    if (!isVarveError(error)) throw error;
    throw new VarveError("invalid-argument", prefix + error.message, error.details, error);
  }
}

function found(containers: ContainerRecords, name: string): Container | undefined {
  try {
    return containers.find(name);
  } catch (error) {
    if (isVarveError(error)) return undefined;
    throw error;
  }
}

function nameIn(mode: string): string {
  return mode.slice("container:".length);
}

function checkLink(containers: ContainerRecords, link: string): void {
  const parts = link.split(":");
  if (link === "") throw refused("empty string specified for links");
  if (parts.length > 2) throw refused(`bad format for links: ${link}`);
  let name = parts[0]!.replace(/^\//, "");
  for (let prefix = `could not get container for ${name}: `; ; prefix = `Could not get container for ${name}: `) {
    const { networkMode } = containers.hostConfig(required(containers, name, prefix).id);
    if (networkMode === "host") throw refused(HOST_AND_LINKS);
    if (!isContainerMode(networkMode)) return;
    name = nameIn(networkMode);
  }
}
