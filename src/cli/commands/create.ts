import { type CliCommand, documentCommand } from "../command.ts";
import { type CreateFlags, createRequest } from "../create-request.ts";
import { addExamples, addJson, repeatable } from "../options.ts";

export const create: CliCommand = documentCommand<CreateFlags, { readonly id: string }>({
  declare(command) {
    command
      .usage("[OPTIONS] IMAGE [COMMAND] [ARG...]")
      .argument("<image>")
      .argument("[command...]")
      .passThroughOptions()
      .addOption(repeatable("--add-host <name:address>", "Add a line to /etc/hosts (default: none)"))
      .addOption(repeatable("--cap-add <capability>", "Add a capability (default: docker's)"))
      .addOption(repeatable("--cap-drop <capability>", "Take a capability away (default: none)"))
      .option("--cpus <number>", "Number of processors (default: all)")
      .addOption(repeatable("--dns <address>", "Ask this name server (default: the host's)"))
      .option("--entrypoint <program>", "Entry point, or nothing for none (default: the image's)")
      .addOption(
        repeatable(
          "-e, --env <name=value>",
          "Set a variable; without a value, to this process' (default: the image's)",
        ),
      )
      .addOption(repeatable("--env-file <file>", "Read variables from a file (default: none)"))
      .addOption(repeatable("--expose <port>", "Expose a port or a range (default: the image's)"))
      .option("--hostname <name>", "Host name (default: the id)")
      .option("--init", "Run an init inside that reaps processes (default: none)")
      .option("-i, --interactive", "Keep standard input open (default: closed)")
      .addOption(repeatable("-l, --label <name=value>", "Set a label (default: the image's)"))
      .option("-m, --memory <size>", "Memory, such as 64m (default: any amount)")
      .option("--name <name>", "Name of the container (default: one that is made up)")
      .option("--network <name>", "Network: bridge, host, none, container:NAME or one of yours (default: bridge)")
      .option("--privileged", "Give it all rights on the host (default: few)")
      .addOption(repeatable("-p, --publish <ports>", "Publish a port, such as 127.0.0.1:8080:80 (default: none)"))
      .option("--read-only", "Mount its file system read-only (default: writable)")
      .option("--restart <policy>", "When it is restarted: always, unless-stopped, on-failure[:N] (default: no)")
      .option("--rm", "Let docker remove it when it ends (default: keep it)")
      .option("--stop-signal <signal>", "What stops it (default: the image's, else SIGTERM)")
      .addOption(repeatable("--tmpfs <path[:options]>", "Mount a file system in memory (default: none)"))
      .option("-t, --tty", "Give it a terminal (default: none)")
      .option("-u, --user <user[:group]>", "Run as this user (default: the image's)")
      .addOption(
        repeatable("-v, --volume <[source:]path[:mode]>", "Mount a directory of the host or a volume (default: none)"),
      )
      .addOption(repeatable("--volumes-from <container>", "Mount what another container has mounted (default: none)"))
      .option("-w, --workdir <dir>", "Working directory (default: the image's)");
    addJson(command, "Print the container's id as JSON (default: as text)");
    addExamples(
      command,
      "varve create --name web nginx",
      "varve create --name db -e POSTGRES_PASSWORD=x -v data:/var/lib/postgresql/data postgres:16",
      "varve create -w /src -v $PWD:/src:ro -u 1000 alpine ls -l",
      "varve mount $(varve create nginx)",
    );
  },

  async run({ args: [image, ...words], options, session }) {
    const store = await session.store();
    const onWarning = (message: string): void => session.warn(message);
    const { signal } = session;
    return {
      id: await store.create(image!, { name: options.name, ...createRequest(options, words), onWarning, signal }),
    };
  },

  text: ({ id }) => `${id}\n`,
});
