import { VarveError } from "../../errors.ts";
import { type CliCommand, streamCommand, throwAll } from "../command.ts";
import { addDryRun, addExamples, addJson } from "../options.ts";

interface Options {
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly volumes?: boolean;
}

export const rm: CliCommand = streamCommand<Options, { readonly removed: string }>({
  declare(command) {
    command
      .usage("[OPTIONS] CONTAINER [CONTAINER...]")
      .argument("<container...>")
      .option("-f, --force", "Remove it although it is mounted or marked as running (default: refuse)")
      .option("-v, --volumes", "Remove its volumes without a name too (default: keep them)");
    addJson(addDryRun(command), "Print a JSON object for each removed container (default: text)");
    addExamples(command, "varve rm web", "varve rm -v db", "varve rm --dry-run -f web db");
  },

  async *items({ args, options, session }) {
    const store = await session.store();
    const failures: unknown[] = [];
    const planned = new Set<string>();
    for (const name of args) {
      session.signal.throwIfAborted();
      try {
        const { force, volumes, dryRun } = options;
        const id = await store.removeContainer(name, { force, volumes, dryRun });
        // The real run would not find it a second time.
        if (planned.has(id)) throw new VarveError("not-found", `No such container: ${name}`, { name });
        planned.add(id);
        yield { removed: name };
      } catch (error) {
        failures.push(error);
      }
    }
    throwAll(failures);
  },

  line: ({ removed }, { options }) => (options.dryRun ? `Would remove: ${removed}` : removed),
});
