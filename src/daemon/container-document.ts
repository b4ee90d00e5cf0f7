import type { ContainerSummary } from "../engine/container-list.ts";
import { humanDuration } from "../engine/human-duration.ts";
import type { InspectedContainer } from "../engine/inspect.ts";
import type { ContainerUsage } from "../engine/usage.ts";
import { parseTime } from "../json/go-time.ts";

/**
 * A container as Docker lists it.
 *
 * @param usage what `system/df` counts; Docker leaves out sizes of 0
 */
export function containerDocument(
  inspected: InspectedContainer,
  summary: ContainerSummary,
  usage: ContainerUsage,
): object {
  const config = (inspected.Config ?? {}) as { Image?: string; Labels?: object | null };
  const host = (inspected.HostConfig ?? {}) as { NetworkMode?: string };
  const network = (inspected.NetworkSettings ?? {}) as { Networks?: Record<string, object> | null };
  return {
    Id: inspected.Id,
    Names: [inspected.Name],
    Image: config.Image === summary.image ? summary.image : summary.imageID,
    ImageID: summary.imageID,
    Command: summary.command,
    Created: parseTime(summary.created).seconds,
    Ports: [],
    SizeRw: usage.size || undefined,
    SizeRootFs: usage.rootSize || undefined,
    Labels: config.Labels ?? {},
    State: summary.status,
    Status: statusText(inspected.State, Date.now()),
    HostConfig: { NetworkMode: host.NetworkMode },
    NetworkSettings: { Networks: endpointsOf(network.Networks ?? {}) },
    Mounts: inspected.Mounts,
  };
}

/** What a record knows of them beyond Docker's answers stays away. */
function endpointsOf(networks: Readonly<Record<string, object>>): object {
  return Object.fromEntries(
    Object.entries(networks).map(([name, endpoint]) => [name, { ...endpoint, IPAMOperational: undefined }]),
  );
}

/** What `docker ps` has in its column. @param now milliseconds since 1970 */
export function statusText(state: InspectedContainer["State"], now: number): string {
  const since = (moment: unknown): string => humanDuration(now / 1000 - parseTime(String(moment)).seconds);
  switch (state.Status) {
    case "created":
      return "Created";
    case "dead":
      return "Dead";
    case "removing":
      return "Removal In Progress";
    case "exited":
      return `Exited (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
    case "restarting":
      return `Restarting (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
    default:
      return `Up ${since(state.StartedAt)}${state.Status === "paused" ? " (Paused)" : ""}`;
  }
}
