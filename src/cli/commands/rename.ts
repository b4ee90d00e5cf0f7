import { type CliCommand, documentCommand } from "../command.ts";
import { addExamples, addJson } from "../options.ts";

export const rename: CliCommand = documentCommand<object, { readonly from: string; readonly to: string }>({
  declare(command) {
    command.usage("CONTAINER NEW_NAME").argument("<container>").argument("<new-name>");
    addJson(command, "Print both names as JSON (default: print nothing)");
    addExamples(command, "varve rename web old-web");
  },

  async run({ args, session }) {
    const [from, to] = args as [string, string];
    const store = await session.store();
    await store.rename(from, to);
    return { from, to };
  },

  text: () => "",
});
