import { matchesEvent } from "../../engine/event-filter.ts";
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
    const filters = parseFilters(options.filter ?? [], ["type", "event", "image", "container", "label"]);
    if (options.format !== undefined) compileFormat(options.format);
    const store = await session.store();
    const range = { ...moment("since", options.since), ...moment("until", options.until) };
    for await (const event of store.events({ ...range, signal: session.signal }))
      if (matchesEvent(event, filters)) yield event;
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
