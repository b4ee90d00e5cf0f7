import { type CliCommand, documentCommand, usage } from "../command.ts";
import { copyIn, unpackInto } from "../copy/copy-in.ts";
import { copyOut, findSource } from "../copy/copy-out.ts";
import { addExamples, addJson } from "../options.ts";
import { splitCopyArgument } from "../target-path.ts";

interface Options {
  readonly archive?: boolean;
  readonly followLink?: boolean;
}

interface Copied {
  readonly from: string;
  readonly to: string;
}

export const cp: CliCommand = documentCommand<Options, Copied>({
  declare(command) {
    command
      .usage(
        "[OPTIONS] CONTAINER|IMAGE:SRC_PATH DEST_PATH|-\n        varve cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
      )
      .argument("<source>")
      .argument("<destination>")
      .option("-a, --archive", "Keep owners when copying out as root (default: the files become yours)")
      .option("-L, --follow-link", "Copy what SRC_PATH links to (default: the link)");
    addJson(command, "Print what was copied as JSON (default: print nothing)");
    command.addHelpText("after", "\nWith '-' a tar comes from standard input or goes to standard output.");
    addExamples(
      command,
      "varve cp nginx:1.27:/etc/nginx ./nginx-config",
      "varve cp web:/var/log - | tar -t",
      "varve cp ./site/. web:/usr/share/nginx/html",
    );
  },

  async run({ args, options, session }) {
    const [from, to] = args as [string, string];
    const [source, destination] = [splitCopyArgument(from), splitCopyArgument(to)];
    const { signal } = session;
    const followLink = options.followLink === true;
    if (source !== undefined && destination !== undefined)
      throw usage("copying between containers is not supported: copy out, then in");
    if (source === undefined && destination === undefined)
      throw usage(`one of them must be in a container or an image, such as web:${to}`);
    const store = await session.store();
    if (destination !== undefined) {
      if (from === "-")
        await unpackInto(
          store,
          session.input("there is no tar on standard input, only a terminal"),
          destination,
          signal,
        );
      else await copyIn(store, from, destination, { followLink, signal });
    } else if (to === "-") {
      if (options.json) throw usage("with --json the tar needs another place than standard output");
      const { path } = await findSource(store, source!, followLink);
      await session.output.printAll(store.archive(source!.target, path));
    } else {
      await copyOut(store, source!, to, { followLink, keepsOwners: options.archive === true, signal });
    }
    return { from, to };
  },

  text: () => "",
});
