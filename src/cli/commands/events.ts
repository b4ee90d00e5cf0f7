import type { StoreEvent } from "../../engine/events.ts";
import { parseTimeFilter } from "../../engine/filters.ts";
import { type CliCommand, streamCommand } from "../command.ts";
import { parseFilters } from "../filters.ts";
import { addExamples, addFormat, addJson, repeatable } from "../options.ts";
import { rfc3339Nano } from "../ui/clock.ts";
import { compileFormat } from "../ui/rows.ts";
import { Row, Struct } from "../ui/template/value.ts";

interface Options {
  readonly filter?: readonly string[];
  readonly format?: string;
  readonly since?: string;
  readonly until?: string;
}

export const events: CliCommand = streamCommand<Options, StoreEvent>({
  declare(command) {
    command
      .usage("[OPTIONS]")
      .addOption(
        repeatable(
          "-f, --filter <name=value>",
          "Only what matches type=, event=, image=, container= or label= (default: all)",
        ),
      )
      .option("--since <time>", "From this time on, or this long ago, such as 10m (default: from now on)")
      .option("--until <time>", "Up to this time (default: until it is interrupted)");
    addJson(
      addFormat(command, "Print each event with a Go template (default: a line)"),
      "Print a JSON object for each event (default: a line)",
    );
    addExamples(
      command,
      "varve events",
      "varve events --since 24h --until 0s --filter event=load",
      "varve events --format '{{.Action}} {{.Actor.ID}}'",
    );
  },

  async *items({ options, session }) {
    const accepts = eventFilter(options.filter);
    if (options.format !== undefined) compileFormat(options.format);
    const store = await session.store();
    const range = { ...moment("since", options.since), ...moment("until", options.until) };
    for await (const event of store.events({ ...range, signal: session.signal })) if (accepts(event)) yield event;
    if (session.signal.aborted) throw session.signal.reason;
  },

  line(event, { options }) {
    if (options.format !== undefined) return compileFormat(options.format).execute(eventRow(event));
    const attributes = Object.entries(event.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
    const list = attributes.map(([key, value]) => `${key}=${value}`).join(", ");
    return `${rfc3339Nano(BigInt(event.timeNano))} ${event.type} ${event.action} ${event.id} (${list})`;
  },
});

function moment<Name extends string>(name: Name, text: string | undefined): { readonly [name in Name]?: bigint } {
  if (text === undefined) return {};
  return { [name]: BigInt(Math.round(parseTimeFilter(text))) * 1_000_000n } as { [name in Name]: bigint };
}

/** Values of one filter are alternatives, labels must all be there, and every filter must agree. */
function eventFilter(given: readonly string[] | undefined): (event: StoreEvent) => boolean {
  const filters = parseFilters(given ?? [], ["type", "event", "image", "container", "label"]);
  const isOneOf = (name: string, ...values: (string | undefined)[]): boolean =>
    filters.get(name)?.some((wanted) => values.includes(wanted)) ?? true;
  return ({ type, action, id, attributes }) =>
    isOneOf("type", type) &&
    isOneOf("event", action) &&
    isOneOf("image", ...(type === "image" ? [id, attributes.name] : [attributes.image])) &&
    isOneOf("container", ...(type === "container" ? [id, id.slice(0, 12), attributes.name] : [])) &&
    (filters.get("label") ?? []).every((label) => hasLabel(attributes, label));
}

function hasLabel(attributes: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = "", ...value] = wanted.split("=");
  return Object.hasOwn(attributes, key) && (value.length === 0 || attributes[key] === value.join("="));
}

/** With the names and the document of Docker's events. */
function eventRow({ type, action, id, attributes, timeNano }: StoreEvent): Row {
  const actor = { ID: id, Attributes: attributes };
  const from = type === "container" ? attributes.image : undefined;
  const seconds = Number(BigInt(timeNano) / 1_000_000_000n);
  const document = {
    status: action,
    id,
    ...(from === undefined ? {} : { from }),
    Type: type,
    Action: action,
    Actor: actor,
    scope: "local",
    time: seconds,
    timeNano: BigInt(timeNano),
  };
  return new Row(
    "event",
    [
      ["Status", action],
      ["ID", id],
      ["From", from ?? ""],
      ["Type", type],
      ["Action", action],
      ["Actor", new Struct("events.Actor", Object.entries(actor), actor)],
      ["Scope", "local"],
      ["Time", seconds],
      ["TimeNano", timeNano],
    ],
    document,
  );
}
