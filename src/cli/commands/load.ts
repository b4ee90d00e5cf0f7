import type { LoadEvent } from "../../archive/load.ts";
import type { ImageID } from "../../image/image.ts";
import { fromCallback } from "../callback-stream.ts";
import { type CliCommand, streamCommand } from "../command.ts";
import { nameInput, statInput } from "../input.ts";
import { addExamples, addJson } from "../options.ts";

interface Options {
  readonly input?: string;
  readonly quiet?: boolean;
}

/** `ids` names all images, for an archive whose last one came without a tag. */
type Event = LoadEvent | { readonly kind: "ids"; readonly ids: readonly ImageID[] };

export const load: CliCommand = streamCommand<Options, Event>({
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
    if (typeof source === "string") statInput(source);
    const store = await session.store();
    const ids: ImageID[] = [];
    let untagged = false;
    const run = async (onEvent: (event: LoadEvent) => void): Promise<void> => {
      await nameInput(source, () => store.load(source, { onEvent, signal: session.signal }));
    };
    for await (const event of fromCallback(run)) {
      yield event;
      if (event.kind !== "image") continue;
      ids.push(event.id);
      untagged = event.references.length === 0;
    }
    if (untagged && !options.json) yield { kind: "ids", ids };
  },

  line(event) {
    if (event.kind === "renamed")
      return `The image ${event.reference} already exists, renaming the old one with ID ${event.previous} to empty string`;
    if (event.kind === "ids") return event.ids.map((id) => `Loaded image ID: ${id}`).join("\n");
    if (event.kind !== "image" || event.references.length === 0) return undefined;
    return event.references.map((reference) => `Loaded image: ${reference}`).join("\n");
  },

  progress(event, { options }) {
    if (event.kind !== "layer" || options.quiet) return undefined;
    return { id: event.label, action: "Loading layer", current: event.current, total: event.total };
  },
});
