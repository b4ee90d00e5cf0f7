import { matchesEvent } from "../../engine/event-filter.ts";
import type { StoreEvent } from "../../engine/events.ts";
import { VarveError } from "../../errors.ts";
import { type ByteSource, writeAll } from "../../io/byte-source.ts";
import { formatGo } from "../../json/go-value.ts";
import { type Call, given } from "../call.ts";
import { containerDocument } from "../container-document.ts";
import { parseFilters } from "../filters.ts";
import { infoDocument, versionDocument } from "../host.ts";
import type { Route } from "../routes.ts";
import { imageDocument } from "./images.ts";
import { volumeDocument } from "./volumes.ts";

/** The daemon, its machine, and what happens on the root. */
export const SYSTEM_ROUTES: readonly Route[] = [
  { method: "GET", pattern: "/_ping", handle: ({ answer }) => answer.text("OK", NOT_CACHED) },
  { method: "HEAD", pattern: "/_ping", handle: ({ answer }) => answer.text("", NOT_CACHED) },
  { method: "OPTIONS", pattern: "/{path:.*}", handle: ({ answer }) => answer.empty(200) },
  { method: "GET", pattern: "/version", handle: ({ answer }) => answer.json(versionDocument()) },
  {
    method: "GET",
    pattern: "/info",
    handle: async ({ store, answer }) => answer.json(infoDocument(await store.info())),
  },
  { method: "GET", pattern: "/events", handle: events, endless: true },
  { method: "GET", pattern: "/system/df", handle: diskUsage },
];

const NOT_CACHED = { "Cache-Control": "no-cache, no-store, must-revalidate", Pragma: "no-cache" };

/** Past events are told at once; without an end, or with one in the future, those that come follow. */
async function events({ store, query, answer, signal }: Call): Promise<void> {
  const filters = parseFilters(query);
  const [since, until] = [moment(query, "since"), moment(query, "until")];
  if (since !== undefined && until !== undefined && since > until)
    throw new VarveError(
      "invalid-argument",
      `\`since\` time (${query.get("since")}) cannot be after \`until\` time (${query.get("until")})`,
    );
  const range = { since: since ?? (until === undefined ? undefined : 0n), until };
  const lines = async function* (): ByteSource {
    for await (const event of store.events({ ...range, signal })) if (matchesEvent(event, filters)) yield line(event);
  };
  await writeAll(answer.stream("application/json", { atOnce: true }), lines());
  await answer.end();
}

/** Nanoseconds of a time in seconds, with up to nine decimals. @throws VarveError `invalid-argument` */
function moment(query: URLSearchParams, name: string): bigint | undefined {
  const text = given(query, name);
  if (text === undefined) return undefined;
  const [, seconds, fraction = ""] = /^(-?\d{1,12})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (seconds === undefined)
    throw new VarveError("invalid-argument", `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`, {
      [name]: text,
    });
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

function line({ type, action, id, attributes, timeNano }: StoreEvent): Buffer {
  const document = formatGo({
    status: action,
    id: id || undefined,
    from: type === "container" ? attributes.image : undefined,
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: new Map(Object.entries(attributes)) },
    scope: "local",
    time: BigInt(timeNano) / 1_000_000_000n,
    timeNano: BigInt(timeNano),
  });
  return Buffer.concat([document, Buffer.from("\n")]);
}

async function diskUsage({ store, answer }: Call): Promise<void> {
  const { images, containers } = await store.df();
  const imageSummaries = byID(await store.images(), ({ id }) => id);
  const containerSummaries = byID(await store.containers(), ({ id }) => id);
  const inspected = byID(await store.inspectContainers(), ({ Id }) => Id);
  // Without what was removed meanwhile.
  await answer.json({
    LayersSize: images.size,
    Images: images.entries.flatMap((usage) => {
      const summary = imageSummaries.get(usage.id);
      return summary === undefined ? [] : [imageDocument(summary, usage)];
    }),
    Containers: containers.entries.flatMap((usage) => {
      const [known, summary] = [inspected.get(usage.id), containerSummaries.get(usage.id)];
      return known === undefined || summary === undefined ? [] : [containerDocument(known, { ...summary, ...usage })];
    }),
    Volumes: (await store.volumes({ size: true })).map((volume) => volumeDocument(volume, true)),
    BuildCache: null,
    BuilderSize: 0,
  });
}

function byID<Item>(items: readonly Item[], idOf: (item: Item) => string): ReadonlyMap<string, Item> {
  return new Map(items.map((item) => [idOf(item), item]));
}
