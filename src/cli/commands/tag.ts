import { type CliCommand, documentCommand } from "../command.ts";
import { addExamples, addJson } from "../options.ts";

interface Tagging {
  readonly source: string;
  readonly target: string;
}

export const tag: CliCommand = documentCommand<object, Tagging>({
  declare(command) {
    command.usage("SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]").argument("<image>").argument("<target>");
    addJson(command, "Print what was tagged as JSON (default: print nothing)");
    addExamples(command, "varve tag 4f5a0b busybox:1.36", "varve tag busybox localhost:5000/busybox:latest");
  },

  async run({ args, session }) {
    const [source, target] = args as [string, string];
    await (await session.store()).tag(source, target);
    return { source, target };
  },

  text: () => "",
});
