import { type Command, Option } from "commander";
import type { AnyStore } from "../../engine/any-store.ts";
import { isVarveError, VarveError } from "../../errors.ts";
import { type CliCommand, documentCommand } from "../command.ts";
import { addExamples, addJson } from "../options.ts";
import { containerValue, imageValue } from "../ui/inspect-value.ts";
import { prettyJson } from "../ui/template/json.ts";
import { parseTemplate, type Template } from "../ui/template/template.ts";

interface Options {
  readonly format?: string;
  readonly type?: Kind;
}
type Kind = "image" | "container";

interface Inspected {
  readonly kind: Kind;
  readonly document: object;
}

interface Inspection {
  readonly found: readonly Inspected[];
  readonly failures: readonly unknown[];
}

export const inspect: CliCommand = inspectCommand(undefined, (command) => {
  command
    .usage("[OPTIONS] NAME|ID [NAME|ID...]")
    .argument("<object...>")
    .addOption(new Option("--type <type>", "Only objects of this type (default: any)").choices(["image", "container"]));
});

export const imageInspect: CliCommand = inspectCommand("image", (command) => {
  command.usage("[OPTIONS] IMAGE [IMAGE...]").argument("<image...>");
});

export const containerInspect: CliCommand = inspectCommand("container", (command) => {
  command.usage("[OPTIONS] CONTAINER [CONTAINER...]").argument("<container...>");
});

function inspectCommand(only: Kind | undefined, declare: (command: Command) => void): CliCommand {
  return documentCommand<Options, Inspection>({
    declare(command) {
      declare(command);
      command.option("-f, --format <template>", "Print with a Go template (default: a JSON array)");
      addJson(command, "Print one JSON array, which is also what is printed without it");
      addExamples(
        command,
        "varve inspect nginx",
        "varve inspect -f '{{.Config.Env}}' nginx",
        "varve inspect -f '{{index .Config.Labels \"version\"}} {{json .RootFS.Layers}}' nginx",
      );
    },

    async run({ args, options, session }) {
      templateOf(options); // a bad template is told before anything is opened
      const store = await session.store();
      const found: Inspected[] = [];
      const failures: unknown[] = [];
      for (const name of args)
        try {
          found.push(await find(store, name, only ?? options.type));
        } catch (error) {
          failures.push(error);
        }
      return { found, failures };
    },

    text({ found }, { options }) {
      const template = templateOf(options);
      if (template === undefined) return `${prettyJson(found.map(({ document }) => document))}\n`;
      const render = ({ kind, document }: Inspected): string =>
        template.execute(kind === "image" ? imageValue(document) : containerValue(document));
      return found.map((inspected) => `${render(inspected)}\n`).join("");
    },

    json: ({ found }) => found.map(({ document }) => document),
    failures: ({ failures }) => failures,
  });
}

function templateOf({ format }: Options): Template | undefined {
  if (format === undefined) return undefined;
  return parseTemplate(format === "json" ? "{{json .}}" : format);
}

/** A container before an image of the same name, as Docker looks. */
async function find(store: AnyStore, name: string, only: Kind | undefined): Promise<Inspected> {
  if (only !== "image")
    try {
      return { kind: "container", document: await store.inspectContainer(name) };
    } catch (error) {
      if (only === "container" || !isVarveError(error, "not-found")) throw error;
    }
  try {
    return { kind: "image", document: await store.inspect(name) };
  } catch (error) {
    if (only === "image" || !isVarveError(error, "not-found")) throw error;
    throw new VarveError("not-found", `No such object: ${name}`, { name }, error);
  }
}
