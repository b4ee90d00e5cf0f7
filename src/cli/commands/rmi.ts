import type { RemovedItem } from "../../engine/removal-model.ts";
import { isVarveError, VarveError } from "../../errors.ts";
import { type CliCommand, streamCommand, throwAll } from "../command.ts";
import { addDryRun, addExamples, addJson } from "../options.ts";
import { reportFailure } from "../report.ts";

interface Options {
  readonly force?: boolean;
  /** False by `--no-prune`. */
  readonly prune: boolean;
  readonly dryRun?: boolean;
}

export const rmi: CliCommand = streamCommand<Options, RemovedItem>({
  declare(command) {
    command
      .usage("[OPTIONS] IMAGE [IMAGE...]")
      .argument("<image...>")
      .option("-f, --force", "Remove all tags, and in spite of stopped containers (default: refuse)")
      .option("--no-prune", "Keep untagged parents (default: remove them too)");
    addJson(addDryRun(command), "Print a JSON object for each removed item (default: text)");
    addExamples(command, "varve rmi busybox:1.36", "varve rmi --dry-run $(varve images -q)");
  },

  async *items({ args, options, session }) {
    const store = await session.store();
    const { force, dryRun } = options;
    const { signal } = session;
    const rules = { force, noPrune: !options.prune, signal };
    const plans = dryRun ? await store.previewRemoval(args, rules) : undefined;
    const failures: unknown[] = [];
    for (const [i, name] of args.entries()) {
      signal.throwIfAborted();
      try {
        yield* plans === undefined ? await store.remove(name, rules) : planned(plans[i]!);
      } catch (error) {
        failures.push(error);
      }
    }
    if (options.force && failures.every((error) => isVarveError(error, "not-found")))
      for (const failure of failures)
        for (const line of reportFailure(failure).lines) session.errors.write(`${line}\n`);
    else throwAll(failures);
  },

  line: (item, { options }) => removedLine(item, options.dryRun === true),
});

function planned(plan: readonly RemovedItem[] | VarveError): readonly RemovedItem[] {
  if (plan instanceof VarveError) throw plan;
  return plan;
}

/** Docker's line for what is gone, or one for what would be. */
export function removedLine(item: RemovedItem, dryRun: boolean): string {
  if ("untagged" in item) return `${dryRun ? "Would untag" : "Untagged"}: ${item.untagged}`;
  return `${dryRun ? "Would delete" : "Deleted"}: ${item.deleted}`;
}
