import { Option } from "commander";
import { bytesCommand, type CliCommand } from "../command.ts";
import { lazySource } from "../lazy-source.ts";
import { addExamples } from "../options.ts";

interface Options {
  readonly output?: string;
  readonly format: "docker" | "docker-25" | "oci";
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
      .addOption(new Option("--json", "With -o, print the file's name and size as JSON (default: print nothing)"));
    addExamples(
      command,
      "varve save -o busybox.tar busybox:1.36",
      "varve save nginx redis | gzip > images.tar.gz",
      "varve save --format oci nginx | skopeo inspect oci-archive:/dev/stdin",
    );
  },

  bytes({ args, options, session }) {
    return lazySource(async () =>
      (await session.store()).save([...args], { format: options.format, signal: session.signal }),
    );
  },
});
