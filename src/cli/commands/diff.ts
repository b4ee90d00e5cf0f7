import { type CliCommand, documentCommand } from "../command.ts";
import { addExamples, addJson } from "../options.ts";

interface Change {
  readonly kind: "C" | "A" | "D";
  readonly path: string;
}

export const diff: CliCommand = documentCommand<object, Change[]>({
  declare(command) {
    command.usage("CONTAINER").argument("<container>");
    addJson(command);
    addExamples(command, "varve diff web", "varve diff web | grep '^D'");
  },

  async run({ args: [container], session }) {
    return (await session.store()).diff(container!);
  },

  text: (changes) => changes.map(({ kind, path }) => `${kind} ${path}\n`).join(""),
});
