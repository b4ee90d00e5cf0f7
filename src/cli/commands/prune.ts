import { humanSize } from "../../engine/human-size.ts";
import type { RemovedItem } from "../../engine/removal-model.ts";
import { type CliCommand, documentCommand, usage } from "../command.ts";
import { pruneFilters } from "../filters.ts";
import { addDryRun, addExamples, addJson, repeatable } from "../options.ts";
import { confirm } from "../ui/prompt.ts";

interface Options {
  readonly all?: boolean;
  readonly filter?: readonly string[];
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

interface Pruned {
  readonly removed: readonly RemovedItem[];
  /** Bytes. */
  readonly reclaimed: number;
}

export const prune: CliCommand = documentCommand<Options, Pruned>({
  declare(command) {
    command
      .usage("[OPTIONS]")
      .option("-a, --all", "Remove every image that no container uses (default: only those without a tag)")
      .addOption(repeatable("--filter <name=value>", "Only what matches until=, label= or label!= (default: all)"))
      .option("-f, --force", "Do not ask (default: ask)");
    addJson(addDryRun(command));
    addExamples(command, "varve image prune --dry-run -a", "varve image prune -f --filter until=240h");
  },

  async run({ options, session }) {
    const filters = pruneFilters(options.filter);
    if (!options.force && !options.dryRun) {
      if (options.json) throw usage("with --json nobody is asked: add --force, or --dry-run to look only");
      if (!(await confirm(session, options.all ? ALL_WARNING : DANGLING_WARNING))) return { removed: [], reclaimed: 0 };
    }
    const store = await session.store();
    return store.prune({ all: options.all, filters, dryRun: options.dryRun, signal: session.signal });
  },

  text({ removed, reclaimed }, { options }) {
    const title = options.dryRun ? "Would delete images:\n" : "Deleted Images:\n";
    const items = removed.map((item) =>
      "untagged" in item ? `untagged: ${item.untagged}\n` : `deleted: ${item.deleted}\n`,
    );
    const list = items.length === 0 ? "" : `${title}${items.join("")}\n`;
    return `${list}Total ${options.dryRun ? "reclaimable" : "reclaimed"} space: ${humanSize(reclaimed)}\n`;
  },
});

const DANGLING_WARNING = "WARNING! This will remove all dangling images.";
const ALL_WARNING = "WARNING! This will remove all images without at least one container associated to them.";
