import { type CliCommand, documentCommand } from "../command.ts";
import { createRequest } from "../create-request.ts";
import { addExamples, addJson } from "../options.ts";

interface Options {
  readonly name?: string;
}

export const create: CliCommand = documentCommand<Options, { readonly id: string }>({
  declare(command) {
    command
      .usage("[OPTIONS] IMAGE")
      .argument("<image>")
      .option("--name <name>", "Name of the container (default: one that is made up)");
    addJson(command, "Print the container's id as JSON (default: as text)");
    addExamples(command, "varve create --name web nginx", "varve mount $(varve create nginx)");
  },

  async run({ args: [image], options, session }) {
    const store = await session.store();
    return { id: await store.create(image!, { name: options.name, ...createRequest() }) };
  },

  text: ({ id }) => `${id}\n`,
});
