import { humanSize } from "../../engine/human-size.ts";
import { type CliCommand, documentCommand, usage } from "../command.ts";
import { pruneFilters } from "../filters.ts";
import { addDryRun, addExamples, addJson, repeatable } from "../options.ts";
import { confirm } from "../ui/prompt.ts";

interface Options {
  readonly filter?: readonly string[];
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

interface Pruned {
  /** Ids. */
  readonly removed: readonly string[];
  /** Bytes. */
  readonly reclaimed: number;
}

export const containerPrune: CliCommand = documentCommand<Options, Pruned>({
  declare(command) {
    command
      .usage("[OPTIONS]")
      .addOption(repeatable("--filter <name=value>", "Only what matches until=, label= or label!= (default: all)"))
      .option("-f, --force", "Do not ask (default: ask)");
    addJson(addDryRun(command));
    addExamples(command, "varve container prune --dry-run", "varve container prune -f --filter until=24h");
  },

  async run({ options, session }) {
    const filters = pruneFilters(options.filter);
    if (!options.force && !options.dryRun) {
      if (options.json) throw usage("with --json nobody is asked: add --force, or --dry-run to look only");
      if (!(await confirm(session, WARNING))) return { removed: [], reclaimed: 0 };
    }
    const store = await session.store();
    return await store.pruneContainers({ filters, dryRun: options.dryRun, signal: session.signal });
  },

  text({ removed, reclaimed }, { options }) {
    const title = options.dryRun ? "Would delete containers:\n" : "Deleted Containers:\n";
    const list = removed.length === 0 ? "" : `${title}${removed.map((id) => `${id}\n`).join("")}\n`;
    return `${list}Total ${options.dryRun ? "reclaimable" : "reclaimed"} space: ${humanSize(reclaimed)}\n`;
  },
});

const WARNING = "WARNING! This will remove all stopped containers.";
