import { Option } from "commander";
import type { HistoryEntry } from "../../engine/images.ts";
import { type CliCommand, documentCommand } from "../command.ts";
import { addExamples, addFormat, addJson } from "../options.ts";
import { historyColumns, historyFormat, historyRows } from "../ui/history-table.ts";
import { formatRows } from "../ui/rows.ts";

interface Options {
  readonly format?: string;
  readonly human: boolean;
  readonly trunc: boolean;
  readonly quiet?: boolean;
}

export const history: CliCommand = documentCommand<Options, HistoryEntry[]>({
  declare(command) {
    command
      .usage("[OPTIONS] IMAGE")
      .argument("<image>")
      .option("-H, --human", "Print sizes and dates in words; =false prints numbers (default: true)", true)
      .addOption(new Option("--no-human").hideHelp())
      .option("--no-trunc", "Print whole ids and commands (default: cut them)")
      .option("-q, --quiet", "Print ids only (default: a table)");
    addJson(addFormat(command));
    addExamples(command, "varve history nginx", "varve history --no-trunc --format '{{.CreatedBy}}' nginx");
  },

  async run({ args: [image], session }) {
    return (await session.store()).history(image!);
  },

  text(entries, { options }) {
    const rows = { truncates: options.trunc, human: options.human, now: Date.now() };
    return formatRows(historyFormat(options), historyColumns(options.human), historyRows(entries, rows));
  },
});
