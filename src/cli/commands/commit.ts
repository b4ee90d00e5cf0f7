import { type CliCommand, documentCommand } from "../command.ts";
import { addExamples, addJson, repeatable } from "../options.ts";

interface Options {
  readonly author?: string;
  readonly change?: readonly string[];
  readonly message?: string;
}

export const commit: CliCommand = documentCommand<Options, { readonly id: string }>({
  declare(command) {
    command
      .usage("[OPTIONS] CONTAINER [REPOSITORY[:TAG]]")
      .argument("<container>")
      .argument("[name]")
      .option("-a, --author <author>", "Author, such as 'Ada Lovelace <ada@example.org>' (default: none)")
      .addOption(
        repeatable("-c, --change <instruction>", "Apply a Dockerfile instruction to the image (default: none)"),
      )
      .option("-m, --message <text>", "Comment of the new step in the history (default: none)");
    addJson(command, "Print the image's id as JSON (default: as text)");
    addExamples(command, "varve commit web web:patched", "varve commit -m 'add certificates' -c 'USER app' web web:2");
  },

  async run({ args, options, session }) {
    const [container, reference] = args as [string, string?];
    const store = await session.store();
    return {
      id: await store.commit(container, {
        reference,
        author: options.author,
        message: options.message,
        changes: options.change,
        signal: session.signal,
      }),
    };
  },

  text: ({ id }) => `${id}\n`,
});
