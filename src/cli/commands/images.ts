import type { ImageSummary } from "../../engine/images.ts";
import type { V1ImageSummary } from "../../engine/v1-images.ts";
import { type CliCommand, documentCommand } from "../command.ts";
import { imageFilters } from "../filters.ts";
import { addExamples, addFormat, addJson, repeatable } from "../options.ts";
import { IMAGE_COLUMNS, imageFormat, imageRows, shownDigests } from "../ui/image-table.ts";
import { formatRows } from "../ui/rows.ts";

interface Options {
  readonly all?: boolean;
  readonly digests?: boolean;
  readonly filter?: readonly string[];
  readonly format?: string;
  /** False by `--no-trunc`. */
  readonly trunc: boolean;
  readonly quiet?: boolean;
}

export const images: CliCommand = documentCommand<Options, readonly ImageSummary[] | readonly V1ImageSummary[]>({
  takesV1: true,

  declare(command) {
    command
      .usage("[OPTIONS] [REPOSITORY[:TAG]]")
      .argument("[image]")
      .option("-a, --all", "Show all images (default: without intermediate images)")
      .option("--digests", "Show digests (default: hide them)")
      .addOption(
        repeatable(
          "-f, --filter <name=value>",
          "Only what matches dangling=, label=, before=, since=, reference= or until= (default: all)",
        ),
      )
      .option("--no-trunc", "Print whole ids (default: twelve characters)")
      .option("-q, --quiet", "Print ids only (default: a table)");
    addJson(addFormat(command));
    addExamples(
      command,
      "varve images",
      "varve images --filter label=stage=prod --filter since=base:1",
      "varve images 'lib*:1.?'",
      "varve images --format 'table {{.Repository}}\\t{{.Size}}'",
      "varve images -q --filter dangling=true",
      "varve --root /mnt/old-disk/docker --v1 images",
    );
  },

  async run({ args: [reference], options, session }) {
    const given = imageFilters(options.filter);
    const filters = reference === undefined ? given : { ...given, reference: [...(given.reference ?? []), reference] };
    const store = session.isV1 ? await session.v1Store() : await session.store();
    return await store.images({ all: options.all, filters });
  },

  text(summaries, { options }) {
    const rows = { truncates: options.trunc, digests: shownDigests(options), now: Date.now() };
    return formatRows(imageFormat(options), IMAGE_COLUMNS, imageRows(summaries, rows));
  },
});
