import { existsSync } from "node:fs";
import { VarveError } from "../../errors.ts";
import { type CliCommand, documentCommand } from "../command.ts";
import { nameInput, statInput } from "../input.ts";
import { addExamples, addJson, repeatable } from "../options.ts";

interface Options {
  readonly change?: readonly string[];
  readonly message?: string;
}

export const importing: CliCommand = documentCommand<Options, { readonly id: string }>({
  declare(command) {
    command
      .usage("[OPTIONS] FILE|- [REPOSITORY[:TAG]]")
      .argument("<file>")
      .argument("[name]")
      .addOption(
        repeatable("-c, --change <instruction>", "Apply a Dockerfile instruction to the image (default: none)"),
      )
      .option("-m, --message <text>", "Comment of the image (default: 'Imported from -')");
    addJson(command, "Print the image's id as JSON (default: as text)");
    addExamples(
      command,
      "tar -C rootfs -c . | varve import - base:1",
      "varve import -c 'CMD [\"/bin/sh\"]' -c 'ENV LANG=C.UTF-8' rootfs.tar.xz base:1",
    );
  },

  async run({ args, options, session }) {
    const [file, reference] = args as [string, string?];
    const source = file === "-" ? session.input("there is no tar on standard input, only a terminal") : existing(file);
    const store = await session.store();
    const { message, change: changes } = options;
    const { signal } = session;
    return {
      id: await nameInput(source, () => store.import(source, { reference, message, changes, signal })),
    };
  },

  text: ({ id }) => `${id}\n`,
});

function existing(file: string): string {
  if (/^https?:\/\//.test(file) && !existsSync(file))
    throw new VarveError("unsupported", `varve fetches nothing: download ${file}, then import the file`, { file });
  if (!statInput(file).isDirectory()) return file;
  const message = `read ${file}: is a directory: use 'tar -C DIRECTORY -c . | varve import -'`;
  throw new VarveError("unsupported", message, { file });
}
