/** `docker system df`, for what a layer store keeps: images and containers. */

import type { ContainerSummary } from "../../engine/container-list.ts";
import { timeAgo } from "../../engine/human-duration.ts";
import { humanSize } from "../../engine/human-size.ts";
import type { ImageSummary } from "../../engine/images.ts";
import type { DiskUsage } from "../../engine/usage.ts";
import { unixSeconds } from "./clock.ts";
import { IMAGE_COLUMNS, imageRows } from "./image-table.ts";
import { type Columns, formatRows } from "./rows.ts";
import type { Value } from "./template/value.ts";
import { ellipsis, shortId } from "./text.ts";

export const USAGE_FORMAT = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";

export const USAGE_COLUMNS: Columns = {
  name: "disk usage entry",
  headers: { Type: "TYPE", TotalCount: "TOTAL", Active: "ACTIVE", Size: "SIZE", Reclaimable: "RECLAIMABLE" },
};

export function usageRows({ images, containers }: DiskUsage): Record<string, Value>[] {
  return [usageRow("Images", images), usageRow("Containers", containers)];
}

/** `docker system df -v`: what every image and every container takes. */
export function usageDetails(
  usage: DiskUsage,
  images: readonly ImageSummary[],
  containers: readonly ContainerSummary[],
  now: number,
): string {
  const imageTable = formatRows(IMAGE_DETAILS, IMAGE_COLUMNS, imageDetailRows(usage, images, now));
  const containerTable = formatRows(CONTAINER_DETAILS, CONTAINER_COLUMNS, containerRows(usage, containers, now));
  return `Images space usage:\n\n${imageTable}\nContainers space usage:\n\n${containerTable}`;
}

interface Usage {
  readonly total: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
}

function usageRow(type: string, { total, active, size, reclaimable }: Usage): Record<string, Value> {
  const share = size > 0 ? ` (${Math.trunc((reclaimable * 100) / size)}%)` : "";
  return {
    Type: type,
    TotalCount: String(total),
    Active: String(active),
    Size: humanSize(size),
    Reclaimable: `${humanSize(reclaimable)}${share}`,
  };
}

const IMAGE_DETAILS =
  "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.VirtualSize}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";

function imageDetailRows(usage: DiskUsage, images: readonly ImageSummary[], now: number): Record<string, Value>[] {
  const entries = new Map(usage.images.entries.map((entry) => [entry.id, entry]));
  return images.flatMap((image) => {
    const entry = entries.get(image.id);
    if (entry === undefined) return [];
    const sizes = {
      SharedSize: humanSize(entry.sharedSize),
      UniqueSize: humanSize(entry.size - entry.sharedSize),
      Containers: String(entry.containers),
    };
    return imageRows([image], { truncates: true, digests: "none", now }).map((row) => ({ ...row, ...sizes }));
  });
}

const CONTAINER_DETAILS =
  "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";

const CONTAINER_COLUMNS: Columns = {
  name: "container",
  headers: {
    ID: "CONTAINER ID",
    Image: "IMAGE",
    Command: "COMMAND",
    Size: "SIZE",
    RunningFor: "CREATED",
    Status: "STATUS",
    Names: "NAMES",
  },
};

/** Docker's width for a command in a list of containers. */
const COMMAND_COLUMNS = 20;

function containerRows(
  usage: DiskUsage,
  containers: readonly ContainerSummary[],
  now: number,
): Record<string, Value>[] {
  const sizes = new Map(usage.containers.entries.map(({ id, size }) => [id, size]));
  return containers.map(({ id, name, image, command, created, status }) => ({
    ID: shortId(id),
    Image: image,
    Command: JSON.stringify(ellipsis(command, COMMAND_COLUMNS)),
    Size: humanSize(sizes.get(id) ?? 0),
    RunningFor: timeAgo(unixSeconds(created), now),
    Status: status.slice(0, 1).toUpperCase() + status.slice(1),
    Names: name,
  }));
}
