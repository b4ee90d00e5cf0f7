/** `docker ps`: what its columns show of a container. */
import { statusText } from "../../daemon/container-document.ts";
import type { ContainerSummary } from "../../engine/container-list.ts";
import { timeAgo } from "../../engine/human-duration.ts";
import { humanSize } from "../../engine/human-size.ts";
import { goTime, unixSeconds } from "./clock.ts";
import type { Columns } from "./rows.ts";
import type { Value } from "./template/value.ts";
import { ellipsis, shortId } from "./text.ts";

export const CONTAINER_COLUMNS: Columns = {
  name: "container",
  headers: {
    ID: "CONTAINER ID",
    Names: "NAMES",
    Image: "IMAGE",
    Command: "COMMAND",
    CreatedAt: "CREATED AT",
    RunningFor: "CREATED",
    Ports: "PORTS",
    State: "STATE",
    Status: "STATUS",
    Size: "SIZE",
    Labels: "LABELS",
    Mounts: "MOUNTS",
    LocalVolumes: "LOCAL VOLUMES",
    Networks: "NETWORKS",
  },
};

/** The format that the flags ask for. */
export function containerFormat({
  format = "table",
  quiet,
  size,
}: {
  readonly format?: string | undefined;
  readonly quiet?: boolean | undefined;
  readonly size?: boolean | undefined;
}): string {
  if (format !== "table") return format;
  if (quiet) return "{{.ID}}";
  const sizes = size ? "\t{{.Size}}" : "";
  return `table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}${sizes}`;
}

const COMMAND_COLUMNS = 20;
const MOUNT_COLUMNS = 15;

/** @param options.now milliseconds since 1970 */
export function containerRows(
  containers: readonly ContainerSummary[],
  { truncates, now }: { readonly truncates: boolean; readonly now: number },
): Record<string, Value>[] {
  const short = (text: string, columns: number): string => (truncates ? ellipsis(text, columns) : text);
  return containers.map((container) => ({
    ID: truncates ? shortId(container.id) : container.id,
    Names: container.name,
    Image: container.image,
    Command: JSON.stringify(short(container.command, COMMAND_COLUMNS)),
    CreatedAt: goTime(unixSeconds(container.created)),
    RunningFor: timeAgo(unixSeconds(container.created), now),
    Ports: "", // they are open while it runs
    State: container.status,
    Status: statusText(stateOf(container), now),
    Size: humanSize(container.size ?? 0),
    Labels: Object.entries(container.labels)
      .map(([name, value]) => `${name}=${value}`)
      .sort()
      .join(","),
    Mounts: container.mounts.map((mount) => short(mount, MOUNT_COLUMNS)).join(","),
    LocalVolumes: String(container.localVolumes),
    Networks: container.networks.join(","),
  }));
}

function stateOf({ status, exitCode, startedAt, finishedAt }: ContainerSummary): Parameters<typeof statusText>[0] {
  return { Status: status, ExitCode: exitCode, StartedAt: startedAt, FinishedAt: finishedAt };
}
