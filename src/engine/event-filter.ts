import type { StoreEvent } from "./events.ts";
import { matchesLabels } from "./filters.ts";

/**
 * The filters of `docker events`, by name: `event`, `type`, `scope`, `image`, `label`, and those that name what an event
 * happened to, of which this store knows `container`. Names that nobody knows are passed over, as Docker does.
 */
export type EventFilters = ReadonlyMap<string, readonly string[]>;

/** Values of one filter are alternatives, labels must all be there, and every filter must agree. */
export function matchesEvent({ type, action, id, attributes }: StoreEvent, filters: EventFilters): boolean {
  const isOneOf = (name: string, ...values: readonly (string | undefined)[]): boolean =>
    filters.get(name)?.some((wanted) => values.includes(wanted)) ?? true;
  const beginsOneOf = (name: string): boolean =>
    filters.get(name)?.some((prefix) => id.startsWith(prefix) || attributes.name?.startsWith(prefix)) ?? true;
  const image = type === "image" ? attributes.name : attributes.image;
  return (
    isOneOf("type", type) &&
    isOneOf("event", action) &&
    isOneOf("scope", "local") &&
    isOneOf("image", id, image, withoutTag(id), withoutTag(image)) &&
    ACTORS.every(beginsOneOf) &&
    matchesLabels(attributes, filters.get("label") ?? [])
  );
}

/** Docker compares each with the id and the name of whatever an event happened to. */
const ACTORS = ["container", "daemon", "plugin", "volume", "network", "node", "service", "secret", "config"];

function withoutTag(name: string | undefined): string | undefined {
  return name?.replace(/:[^:/]*$/, "");
}
