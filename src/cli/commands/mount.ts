import { type CliCommand, documentCommand, streamCommand, throwAll } from "../command.ts";
import { addExamples, addJson } from "../options.ts";

export const mount: CliCommand = documentCommand<object, { readonly path: string }>({
  declare(command) {
    command.usage("CONTAINER|IMAGE").argument("<target>");
    addJson(command, "Print the directory as JSON (default: as text)");
    addExamples(command, 'cd "$(varve mount web)"', "varve mount nginx && varve umount nginx");
  },

  async run({ args: [target], session }) {
    return { path: await (await session.store()).mount(target!) };
  },

  text: ({ path }) => `${path}\n`,
});

export const umount: CliCommand = streamCommand<object, { readonly unmounted: string }>({
  declare(command) {
    command.usage("CONTAINER|IMAGE [CONTAINER|IMAGE...]").argument("<target...>");
    addJson(command, "Print a JSON object for each unmounted one (default: its name)");
    addExamples(command, "varve umount web");
  },

  async *items({ args, session }) {
    const store = await session.store();
    const failures: unknown[] = [];
    for (const unmounted of args)
      try {
        await store.unmount(unmounted);
        yield { unmounted };
      } catch (error) {
        failures.push(error);
      }
    throwAll(failures);
  },

  line: ({ unmounted }) => unmounted,
});
