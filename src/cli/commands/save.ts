import { Option } from "commander";
import type { LayerProgress } from "../../archive/archive.ts";
import type { V1SaveEvent } from "../../engine/v1-layers.ts";
import type { V1SaveFormat } from "../../engine/v1-source.ts";
import { bytesCommand, type CliCommand, usage } from "../command.ts";
import { addExamples } from "../options.ts";
import { Progress } from "../ui/progress.ts";
import { shortId } from "../ui/text.ts";

interface Options {
  readonly output?: string;
  readonly format: V1SaveFormat;
  readonly quiet?: boolean;
}

export const save: CliCommand = bytesCommand<Options>({
  refusal: "save to a terminal",
  takesV1: true,

  declare(command) {
    command
      .usage("[OPTIONS] IMAGE [IMAGE...]")
      .argument("<image...>")
      .option("-o, --output <file>", "Write to a file, which appears whole or not at all (default: standard output)")
      .addOption(
        new Option(
          "--format <format>",
          "docker is what Docker 20.10 writes, docker-25 what 25 writes, oci an OCI layout; with --v1 also docker-1.9",
        )
          .choices(["docker", "docker-25", "oci", "docker-1.9"])
          .default("docker"),
      )
      .option("-q, --quiet", "Do not show the progress (default: show it on a terminal)")
      .addOption(new Option("--json", "With -o, print the file's name and size as JSON (default: print nothing)"));
    addExamples(
      command,
      "varve save -o busybox.tar busybox:1.36",
      "varve save nginx redis | gzip > images.tar.gz",
      "varve save --format oci nginx | skopeo inspect oci-archive:/dev/stdin",
      "varve --root /mnt/old-disk/docker --v1 save -o busybox.tar busybox",
    );
  },

  async write(output, { args, options, session }) {
    const { format } = options;
    const { signal } = session;
    const progress = session.errors.isTerminal && !options.quiet ? new Progress(session.errors) : undefined;
    const draw = (id: string, action: string, { current, total }: { current: number; total: number }): void =>
      progress?.step({ id, action, current, total });
    try {
      if (session.isV1) {
        const onEvent = (event: V1SaveEvent): void => draw(shortId(event.id), ACTIONS[event.kind], event);
        return await (await session.v1Store()).saveTo(output, args, { format, signal, onEvent });
      }
      if (format === "docker-1.9")
        throw usage("the format docker-1.9 is for --v1: images of today have no ids for it, choose docker");
      const onEvent = (event: LayerProgress): void => draw(event.label, ACTIONS.saving, event);
      return await (await session.store()).saveTo(output, args, { format, signal, onEvent });
    } finally {
      progress?.finish();
    }
  },
});

const ACTIONS = { reading: "Reading layer", saving: "Saving layer" } as const;
