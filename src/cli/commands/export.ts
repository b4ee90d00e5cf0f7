import { abortable, writeAll } from "../../io/byte-source.ts";
import { bytesCommand, type CliCommand } from "../command.ts";
import { addExamples } from "../options.ts";

interface Options {
  readonly output?: string;
}

export const exporting: CliCommand = bytesCommand<Options>({
  refusal: "save to a terminal",
  takesV1: true,

  declare(command) {
    command
      .usage("[OPTIONS] CONTAINER")
      .argument("<container>")
      .option("-o, --output <file>", "Write to a file, which appears whole or not at all (default: standard output)")
      .option("--json", "With -o, print the file's name and size as JSON (default: print nothing)");
    addExamples(
      command,
      "varve export -o files.tar web",
      "varve export web | tar -t",
      "varve --root /mnt/old-disk/docker --v1 export -o files.tar web",
    );
  },

  async write(output, { args: [container], session }) {
    const { signal } = session;
    const store = session.isV1 ? await session.v1Store() : await session.store();
    return await writeAll(output, abortable(store.export(container!, { signal }), signal));
  },
});
