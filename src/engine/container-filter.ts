import { quote } from "../archive/dockerfile.ts";
import { VarveError } from "../errors.ts";
import type { ImageID } from "../image/image.ts";
import { refused } from "./container/refusal.ts";
import { type Container, mountsOf } from "./containers.ts";
import { matchesLabels } from "./filters.ts";
import { readExpression } from "./go-expression.ts";
import { statusOf } from "./inspect-container.ts";
import type { Workspace } from "./workspace.ts";

/** The filters of `docker ps`, each with its values, which are alternatives unless said. */
export interface ContainerFilters {
  /** Images: containers made of one of them, or of an image made of it. */
  readonly ancestor?: readonly string[] | undefined;
  /** One container: those made before it. */
  readonly before?: readonly string[] | undefined;
  /** Exit codes. */
  readonly exited?: readonly string[] | undefined;
  /** Such as `80/tcp` or `80-90`: ports of the container that are open. */
  readonly expose?: readonly string[] | undefined;
  /** `starting`, `healthy`, `unhealthy`, `none`. */
  readonly health?: readonly string[] | undefined;
  /** Beginnings of ids. */
  readonly id?: readonly string[] | undefined;
  readonly "is-task"?: readonly string[] | undefined;
  /** Only Windows has several. */
  readonly isolation?: readonly string[] | undefined;
  /** `key` or `key=value`; all must match. */
  readonly label?: readonly string[] | undefined;
  /** Parts of names, or regular expressions on them. */
  readonly name?: readonly string[] | undefined;
  /** Names of networks, or beginnings of their ids. */
  readonly network?: readonly string[] | undefined;
  /** As `expose`: ports of the host. */
  readonly publish?: readonly string[] | undefined;
  /** One container: those made after it. */
  readonly since?: readonly string[] | undefined;
  /** `created`, `running`, `exited` and so on. */
  readonly status?: readonly string[] | undefined;
  /** Names of volumes, paths of the host, or places in the container. */
  readonly volume?: readonly string[] | undefined;
}

export interface ContainerSelection {
  /** Those that do not run too; unless said, or with a status or a limit, they are listed. */
  readonly all?: boolean | undefined;
  /** The newest so many; 0 for all. */
  readonly limit?: number | undefined;
  readonly filters?: ContainerFilters | undefined;
}

/**
 * The containers that a selection is about, in the order in which they are given. To be called inside `read`.
 *
 * @param containers newest first
 * @throws VarveError `invalid-argument` with Docker's text, `not-found` for the containers of `before` and `since`
 */
export function selectContainers(
  workspace: Workspace,
  containers: readonly Container[],
  { all = true, limit = 0, filters = {} }: ContainerSelection,
): Container[] {
  const accepts = acceptorOf(workspace, containers, filters);
  const showsStopped = all || limit > 0 || (filters.status?.length ?? 0) > 0;
  const selected = between(containers, filters).filter(
    (container) => (showsStopped || container.running) && accepts(container),
  );
  return limit > 0 ? selected.slice(0, limit) : selected;
}

/** Their names. */
export const CONTAINER_FILTERS: readonly (keyof ContainerFilters)[] = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "isolation",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
];
const STATES = ["paused", "restarting", "removing", "running", "dead", "created", "exited"];
const HEALTHS = ["starting", "healthy", "unhealthy", "none"];

function acceptorOf(
  workspace: Workspace,
  containers: readonly Container[],
  filters: ContainerFilters,
): (container: Container) => boolean {
  const stranger = Object.keys(filters).find((name) => !CONTAINER_FILTERS.includes(name as keyof ContainerFilters));
  if (stranger !== undefined) throw refused(`Invalid filter '${stranger}'`);
  const exitCodes = filters.exited?.map(exitCode) ?? [];
  for (const status of filters.status ?? [])
    if (!STATES.includes(status)) throw refused(`Invalid filter 'status=${status}'`);
  const isTask = taskFilter(filters["is-task"]);
  for (const health of filters.health ?? [])
    if (!HEALTHS.includes(health)) throw refused(`Unrecognised filter value for health: ${health}`);
  const isCalledSo = nameFilter(filters.name);
  const ancestors = filters.ancestor && descendants(workspace, filters.ancestor);
  const published = new Set((filters.publish ?? []).flatMap((value) => portsOf("publish", value)));
  const exposed = new Set((filters.expose ?? []).flatMap((value) => portsOf("expose", value)));
  const ids = filters.id?.filter((id) => containers.filter((container) => container.id.startsWith(id)).length === 1);
  return (container) => {
    const state = (container.record.State ?? {}) as { ExitCode?: number; Health?: { Status?: string } | null };
    const status = statusOf(container);
    const { Labels } = (container.record.Config ?? {}) as { Labels?: Record<string, string> | null };
    return (
      (ids === undefined || ids.length === 0 ? !filters.id?.length : ids.some((id) => container.id.startsWith(id))) &&
      isCalledSo(container.name) &&
      (isTask === undefined || isTask === (container.record.Managed === true)) &&
      (!filters.label?.length || matchesLabels(Labels ?? undefined, filters.label)) &&
      (exitCodes.length === 0 || (isOver(container, status) && exitCodes.includes(state.ExitCode ?? 0))) &&
      isOneOf(filters.status, status) &&
      isOneOf(filters.health, state.Health ? state.Health.Status || "unhealthy" : "none") &&
      (filters.volume === undefined || hasVolume(container, filters.volume)) &&
      (ancestors === undefined || ancestors.has(container.image)) &&
      (filters.network === undefined || isInNetwork(container, filters.network)) &&
      (published.size + exposed.size === 0 || hasPort(container, published, exposed))
    );
  };
}

function isOneOf(wanted: readonly string[] | undefined, value: string): boolean {
  return wanted === undefined || wanted.length === 0 || wanted.includes(value);
}

/** Those from behind `before` up to `since`. */
function between(containers: readonly Container[], { before, since }: ContainerFilters): readonly Container[] {
  const indexOf = (name: string): number => {
    const bare = name.replace(/^\//, "");
    const index = containers.findIndex((container) => container.id === name || container.name === bare);
    if (index < 0) throw new VarveError("not-found", `no such container ${name}`, { name });
    return index;
  };
  const first = before?.map(indexOf).at(-1);
  const last = since?.map(indexOf).at(-1);
  return containers.filter((_, at) => (first === undefined || at > first) && (last === undefined || at < last));
}

function exitCode(text: string): number {
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
  throw refused(`strconv.Atoi: parsing ${quote(text)}: invalid syntax`);
}

function isOver({ running }: Container, status: string): boolean {
  return !running && status !== "created";
}

function taskFilter(values: readonly string[] | undefined): boolean | undefined {
  if (values === undefined) return undefined;
  if (values.length === 0 || values.includes("true")) return true;
  if (values.includes("false")) return false;
  throw refused(`Invalid filter 'is-task=[${values.join(" ")}]'`);
}

/** Images and all that are made of them. One that is not there has none. */
function descendants(workspace: Workspace, names: readonly string[]): ReadonlySet<string> {
  const found = new Set<ImageID>();
  const add = (id: ImageID): void => {
    if (found.has(id)) return;
    found.add(id);
    for (const child of workspace.images.children(id)) add(child);
  };
  for (const name of names) {
    try {
      add(workspace.find(name).image.id);
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
    }
  }
  return found;
}

/** With the protocol and without a range. */
function portsOf(filter: string, text: string): string[] {
  if (text.includes(":")) throw refused(`filter for '${filter}' should not contain ':': ${text}`);
  const [range = "", protocol = ""] = text.split("/");
  const fail = (why: string): never => {
    throw refused(`error while looking up for ${filter} ${text}: ${why}`);
  };
  if (range === "") fail("Empty string specified for ports.");
  const [first, last] = range.split("-", 2).map((port): number => {
    if (!/^\d+$/.test(port)) return fail(`strconv.ParseUint: parsing ${quote(port)}: invalid syntax`);
    return Number(port) > 65_535 ? fail(`strconv.ParseUint: parsing ${quote(port)}: value out of range`) : Number(port);
  }) as [number, number?];
  const length = (last ?? first) - first + 1;
  if (length < 1) fail(`Invalid range specified for the Port: ${range}`);
  return Array.from({ length }, (_, at) => `${first + at}/${protocol || "tcp"}`);
}

/** As Docker compares: equal to one of the values, or matched by it as by a regular expression, with the slash or without. */
function nameFilter(wanted: readonly string[] | undefined): (name: string) => boolean {
  if (wanted === undefined || wanted.length === 0) return () => true;
  const expressions = wanted.map(readExpression);
  return (name) =>
    [`/${name}`, name].some((full) => wanted.includes(full) || expressions.some((matches) => matches(full)));
}

function hasVolume(container: Container, wanted: readonly string[]): boolean {
  return mountsOf(container).some(({ name, source, destination }) =>
    wanted.some((value) => value === destination || value === (name || source)),
  );
}

function isInNetwork({ record }: Container, wanted: readonly string[]): boolean {
  const { Networks } = (record.NetworkSettings ?? {}) as { Networks?: Record<string, { NetworkID?: string } | null> };
  return Object.entries(Networks ?? {}).some(([name, network]) =>
    wanted.some((value) => name === value || network?.NetworkID?.startsWith(value) === true),
  );
}

function hasPort({ record }: Container, published: ReadonlySet<string>, exposed: ReadonlySet<string>): boolean {
  const { Ports } = (record.NetworkSettings ?? {}) as { Ports?: Record<string, { HostPort?: string }[] | null> | null };
  return Object.entries(Ports ?? {}).some(([port, bindings]) => {
    const [, protocol = "tcp"] = port.split("/");
    return exposed.has(port) || bindings?.some(({ HostPort }) => published.has(`${HostPort}/${protocol}`)) === true;
  });
}
