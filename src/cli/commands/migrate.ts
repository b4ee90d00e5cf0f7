import { Argument, Option } from "commander";
import { VarveError } from "../../errors.ts";
import type { MigrationEvent, MigrationReport } from "../../graph/migration/report.ts";
import { fromCallback } from "../callback-stream.ts";
import { type CliCommand, streamCommand } from "../command.ts";
import { addExamples, addJson } from "../options.ts";
import { oneLine } from "../report.ts";
import type { ProgressStep } from "../ui/progress.ts";

interface Options {
  readonly dryRun?: boolean;
  readonly removeOld?: boolean;
  readonly quiet?: boolean;
}

type Item = MigrationEvent | { readonly kind: "report"; readonly report: MigrationReport };

export const migrate: CliCommand = streamCommand<Options, Item>({
  isLocal: true,

  declare(command) {
    command
      .usage("[OPTIONS] v1")
      .addArgument(new Argument("<generation>", "v1: the image store of Docker 1.9 and before").choices(["v1"]))
      .option("--dry-run", "Say what would come across and what not, and write nothing (default: migrate)")
      .addOption(
        new Option(
          "--remove-old",
          "Remove the old store once all its images and containers are across (default: keep it)",
        ).conflicts("dryRun"),
      )
      .option("-q, --quiet", "Do not show the progress (default: show it)");
    addJson(command, "Print a JSON object for each event, and at last the report (default: text)");
    addExamples(
      command,
      "varve --root /mnt/old-disk/docker migrate v1 --dry-run",
      "varve --root /mnt/old-disk/docker migrate v1",
      "varve --root /mnt/old-disk/docker migrate v1 --remove-old",
    );
  },

  async *items({ options, session }) {
    const { dryRun, removeOld } = options;
    const reports: MigrationReport[] = [];
    yield* fromCallback<Item>(async (onEvent) => {
      reports.push(await session.migrateGraph({ dryRun, removeOld, onEvent }));
    });
    for (const report of reports) {
      yield { kind: "report", report };
      if (report.left.length > 0)
        throw new VarveError("conflict", `${count(report.left.length, "thing")} did not come across`);
    }
  },

  line(item, { options }) {
    if (item.kind === "left") return oneLine(`Left: ${item.what} ${item.name}: ${item.reason}`);
    if (item.kind === "changed") return oneLine(`Changed: image ${item.id}: ${item.reason}`);
    return item.kind === "report" ? summaryOf(item.report, options.dryRun === true) : undefined;
  },

  progress(item, { options }) {
    if (options.quiet) return undefined;
    if (item.kind === "checksum") return stepOf("Layers", "Reading", item);
    return item.kind === "image" ? stepOf("Images", "Bringing across", item) : undefined;
  },
});

function stepOf(id: string, action: string, { done, total }: { done: number; total: number }): ProgressStep {
  return { id, action, current: done, total, unit: "things" };
}

function summaryOf({ images, containers, tags, removed }: MigrationReport, dryRun: boolean): string {
  const lines = [
    countMoved("image", images, dryRun),
    countMoved("container", containers, dryRun),
    countMoved("tag", tags, dryRun),
  ];
  if (removed.length > 0) lines.push(`Removed: ${removed.join(", ")}`);
  return lines.join("\n");
}

function countMoved(what: string, moved: readonly { readonly before: boolean }[], dryRun: boolean): string {
  const before = moved.filter((one) => one.before).length;
  const earlier = before === 0 ? "" : ` (${before} more ${before === 1 ? "was" : "were"} across before)`;
  return `${dryRun ? "Would migrate" : "Migrated"} ${count(moved.length - before, what)}${earlier}`;
}

function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? "" : "s"}`;
}
