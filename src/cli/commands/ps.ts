import type { ContainerSummary } from "../../engine/container-list.ts";
import { type CliCommand, documentCommand, usage } from "../command.ts";
import { containerFilters } from "../filters.ts";
import { addExamples, addFormat, addJson, repeatable } from "../options.ts";
import { CONTAINER_COLUMNS, containerFormat, containerRows } from "../ui/container-table.ts";
import { formatRows } from "../ui/rows.ts";

interface Options {
  readonly all?: boolean;
  readonly filter?: readonly string[];
  readonly format?: string;
  readonly last?: string;
  readonly latest?: boolean;
  /** False by `--no-trunc`. */
  readonly trunc: boolean;
  readonly quiet?: boolean;
  readonly size?: boolean;
}

export const ps: CliCommand = documentCommand<Options, readonly ContainerSummary[]>({
  declare(command) {
    command
      .usage("[OPTIONS]")
      .option("-a, --all", "Show all containers (default: all, since none runs here)")
      .addOption(
        repeatable(
          "-f, --filter <name=value>",
          "Only what matches ancestor=, name=, label=, status=, volume=, before=, since= and so on (default: all)",
        ),
      )
      .option("-n, --last <number>", "Show the newest so many (default: all)")
      .option("-l, --latest", "Show the newest one (default: all)")
      .option("--no-trunc", "Print whole ids and commands (default: cut them)")
      .option("-q, --quiet", "Print ids only (default: a table)")
      .option("-s, --size", "Show what each has written (default: do not look)");
    addJson(addFormat(command));
    addExamples(
      command,
      "varve ps",
      "varve ps --filter ancestor=nginx --filter label=stage=prod",
      "varve ps --format 'table {{.Names}}\\t{{.Image}}\\t{{.Status}}'",
      "varve ps -q --filter status=exited",
    );
  },

  async run({ options, session }) {
    const { last, latest, size } = options;
    if (last !== undefined && !/^\d{1,9}$/.test(last)) throw usage(`not a number of containers: ${last}`);
    const filters = containerFilters(options.filter);
    const store = await session.store();
    return await store.containers({ limit: latest ? 1 : Number(last ?? 0), size, filters });
  },

  text(containers, { options }) {
    const rows = containerRows(containers, { truncates: options.trunc, now: Date.now() });
    return formatRows(containerFormat(options), CONTAINER_COLUMNS, rows);
  },
});
