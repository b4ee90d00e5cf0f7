import { Option } from "commander";
import type { LayerProgress } from "../../archive/archive.ts";
import type { SaveFormat } from "../../archive/save.ts";
import { bytesCommand, type CliCommand } from "../command.ts";
import { addExamples } from "../options.ts";
import { Progress } from "../ui/progress.ts";

interface Options {
  readonly output?: string;
  readonly format: SaveFormat;
  readonly quiet?: boolean;
}

export const save: CliCommand = bytesCommand<Options>({
  refusal: "save to a terminal",

  declare(command) {
    command
      .usage("[OPTIONS] IMAGE [IMAGE...]")
      .argument("<image...>")
      .option("-o, --output <file>", "Write to a file, which appears whole or not at all (default: standard output)")
      .addOption(
        new Option(
          "--format <format>",
          "docker is what Docker 20.10 writes, docker-25 what 25 writes, oci an OCI layout",
        )
          .choices(["docker", "docker-25", "oci"])
          .default("docker"),
      )
      .option("-q, --quiet", "Do not show the progress (default: show it on a terminal)")
      .addOption(new Option("--json", "With -o, print the file's name and size as JSON (default: print nothing)"));
    addExamples(
      command,
      "varve save -o busybox.tar busybox:1.36",
      "varve save nginx redis | gzip > images.tar.gz",
      "varve save --format oci nginx | skopeo inspect oci-archive:/dev/stdin",
    );
  },

  async write(output, { args, options, session }) {
    const store = await session.store();
    const progress = session.errors.isTerminal && !options.quiet ? new Progress(session.errors) : undefined;
    const onEvent = ({ label, current, total }: LayerProgress): void =>
      progress?.step({ id: label, action: "Saving layer", current, total });
    try {
      return await store.saveTo(output, args, { format: options.format, signal: session.signal, onEvent });
    } finally {
      progress?.finish();
    }
  },
});
