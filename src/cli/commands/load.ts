import { existsSync } from "node:fs";
import { VarveError } from "../../errors.ts";
import { fromCallback } from "../callback-stream.ts";
import { type CliCommand, streamCommand } from "../command.ts";
import { addExamples, addJson } from "../options.ts";
import type { LoadEvent } from "../store-contract.ts";

interface Options {
  readonly input?: string;
  readonly quiet?: boolean;
}

export const load: CliCommand = streamCommand<Options, LoadEvent>({
  declare(command) {
    command
      .usage("[OPTIONS]")
      .option("-i, --input <file>", "Read an archive or the directory of an OCI layout (default: standard input)")
      .option("-q, --quiet", "Do not show the progress (default: show it)");
    addJson(command, "Print a JSON object for each event (default: text)");
    addExamples(
      command,
      "varve load -i busybox.tar",
      "varve load < images.tar.zst",
      "skopeo copy docker://busybox oci:layout && varve load -i layout",
    );
  },

  async *items({ options, session }) {
    const source =
      options.input ?? session.input("requested load from stdin, but stdin is a terminal: use -i FILE or a pipe");
    if (typeof source === "string" && !existsSync(source))
      throw new VarveError("not-found", `open ${source}: no such file or directory`, { path: source });
    const store = await session.store();
    yield* fromCallback<LoadEvent>(async (onEvent) => {
      await store.load(source, { onEvent, signal: session.signal });
    });
  },

  line(event) {
    if (event.kind === "renamed")
      return `The image ${event.reference} already exists, renaming the old one with ID ${event.previous} to empty string`;
    if (event.kind !== "image") return undefined;
    if (event.references.length === 0) return `Loaded image ID: ${event.id}`;
    return event.references.map((reference) => `Loaded image: ${reference}`).join("\n");
  },

  progress(event, { options }) {
    if (event.kind !== "layer" || options.quiet) return undefined;
    return { id: event.diffID, action: "Loading layer", current: event.current, total: event.total };
  },
});
