import type { ContainerSummary } from "../../engine/container-list.ts";
import type { ImageSummary } from "../../engine/images.ts";
import type { DiskUsage } from "../../engine/usage.ts";
import { type CliCommand, documentCommand, usage as misuse } from "../command.ts";
import { addExamples, addFormat, addJson } from "../options.ts";
import { USAGE_COLUMNS, USAGE_FORMAT, usageDetails, usageRows } from "../ui/disk-usage-table.ts";
import { formatRows } from "../ui/rows.ts";

interface Options {
  readonly format?: string;
  readonly verbose?: boolean;
}

interface Usage {
  readonly usage: DiskUsage;
  /** What there is to say of each image and container, for `--verbose`. */
  readonly images: readonly ImageSummary[];
  readonly containers: readonly ContainerSummary[];
}

export const df: CliCommand = documentCommand<Options, Usage>({
  declare(command) {
    command.usage("[OPTIONS]").option("-v, --verbose", "Show every image and container (default: sums)");
    addJson(addFormat(command));
    addExamples(command, "varve df", "varve df -v", "varve df --format '{{.Type}} {{.Reclaimable}}'");
  },

  async run({ options, session }) {
    if (options.verbose && options.format !== undefined)
      throw misuse("the verbose and the format options conflict: use one");
    const store = await session.store();
    const usage = await store.df();
    if (!options.verbose) return { usage, images: [], containers: [] };
    return { usage, images: await store.images({ all: true }), containers: await store.containers() };
  },

  text({ usage, images, containers }, { options }) {
    if (options.verbose) return usageDetails(usage, images, containers, Date.now());
    const format = options.format === undefined || options.format === "table" ? USAGE_FORMAT : options.format;
    return formatRows(format, USAGE_COLUMNS, usageRows(usage));
  },

  json: ({ usage }) => usage,
});
