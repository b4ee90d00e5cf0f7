import { readdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { groupOnly, makeDirectory, makeMissingDirectory, rootIdentity } from "../driver/home.ts";
import { errnoOf, isVarveError, VarveError } from "../errors.ts";
import type { Identity, IdMap } from "../fstree/id-map.ts";
import { type ContainerConfig, containerConfigType } from "../image/container-config.ts";
import type { ImageID } from "../image/image.ts";
import { replaceFile } from "../io/atomic-file.ts";
import { compareTimes, parseTime } from "../json/go-time.ts";
import { formatGo, type GoStruct } from "../json/go-value.ts";
import { type Json, parseJson } from "../json/json.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { syncDirectory } from "../sys/sync.ts";
import { type HostConfig, hostConfigType } from "./container/host-config.ts";
import { type MountPoint, mountPointType } from "./container/mount-point.ts";
import { NEVER, type NewContainer, newRecord } from "./container/new-record.ts";
import { type RecordedContainer, wrongFieldOf } from "./container/recorded.ts";

/**
 * Containers as Docker records them, in `containers/<id>/config.v2.json` and `hostconfig.json`, so that a dockerd that
 * opens the root later shows and starts those that were made here. A record is kept as it was read, with every key
 * that we do not know.
 */
export interface Container {
  readonly id: string;
  /** Without Docker's leading slash. */
  readonly name: string;
  readonly image: ImageID;
  readonly created: string;
  readonly running: boolean;
  readonly driver: string;
  /** `config.v2.json` as it is. */
  readonly record: Readonly<Record<string, unknown>>;
}

export class ContainerRecords {
  readonly #directory: string;
  readonly #owner: Identity;
  readonly #sync: boolean;

  /** @param options.sync whether a record has reached the disk when it is written */
  constructor(directory: string, options: { readonly idMap: IdMap | undefined; readonly sync: boolean }) {
    this.#directory = directory;
    this.#owner = groupOnly(rootIdentity(options.idMap));
    this.#sync = options.sync;
  }

  /** All that can be read, newest first. */
  list(onWarning: (message: string) => void = () => {}): Container[] {
    const containers: Container[] = [];
    for (const id of this.#ids()) {
      try {
        containers.push(this.read(id));
      } catch (error) {
        if (isVarveError(error)) onWarning(error.message);
        else if (errnoOf(error) !== "ENOENT") onWarning(`container ${id}: ${(error as Error).message}`);
      }
    }
    // As a text, `.9` of a second would come after `.95`.
    const times = new Map(containers.map((container) => [container, parseTime(container.created)]));
    return containers.sort((a, b) => compareTimes(times.get(b)!, times.get(a)!) || (a.id < b.id ? -1 : 1));
  }

  read(id: string): Container {
    const record: unknown = JSON.parse(readFileSync(join(this.#directory, id, "config.v2.json"), "utf8"));
    const wrong = wrongFieldOf(record);
    if (wrong !== undefined) throw broken(id, wrong);
    const { ID, Name, Image, Created, State, Driver } = record as RecordedContainer;
    if (ID && ID !== id) throw broken(id, ".ID");
    const container: Container = {
      id,
      name: Name.replace(/^\//, ""),
      image: Image as ImageID,
      created: Created ?? NEVER,
      running: State?.Running === true,
      driver: Driver ?? "",
      record: record as RecordedContainer,
    };
    // Throws when Docker could not read them.
    mountsOf(container);
    return container;
  }

  /**
   * A container by its full id, its name, or a prefix of its id, in this order, as Docker looks.
   *
   * @throws VarveError `not-found`, `ambiguous`
   */
  find(name: string): Container {
    const containers = this.list();
    const exact =
      containers.find((container) => container.id === name) ??
      containers.find((container) => container.name === name.replace(/^\//, ""));
    if (exact !== undefined) return exact;
    const matches = /^[0-9a-f]+$/.test(name) ? containers.filter((container) => container.id.startsWith(name)) : [];
    if (matches.length > 1)
      throw new VarveError("ambiguous", `Multiple IDs found with provided prefix: ${name}`, { name });
    if (matches[0] === undefined) throw new VarveError("not-found", `No such container: ${name}`, { name });
    return matches[0];
  }

  /** @throws VarveError `conflict` for a name in use, `invalid-argument` for one that Docker refuses */
  checkName(name: string): void {
    const bare = name.replace(/^\//, "");
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(bare))
      throw new VarveError(
        "invalid-argument",
        `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
        { name },
      );
    const user = this.list().find((container) => container.name === bare);
    if (user !== undefined)
      throw new VarveError(
        "conflict",
        `Conflict. The container name "/${bare}" is already in use by container "${user.id}". You have to remove (or rename) that container to be able to reuse that name.`,
        { name, container: user.id },
      );
  }

  /** Whether a container has this name. */
  hasName(name: string): boolean {
    return this.list().some((container) => container.name === name);
  }

  /**
   * Makes the record of a container visible, whole or not at all. To be called inside the root's lock.
   *
   * @param host what `hostconfig.json` is to hold
   */
  write(container: NewContainer, host: HostConfig): void {
    const sync = this.#sync;
    makeMissingDirectory(this.#directory, 0o710, this.#owner);
    this.#sweep();
    const draft = join(this.#directory, `${DRAFT}${container.id}`);
    makeDirectory(draft, 0o710, this.#owner);
    try {
      makeDirectory(join(draft, "checkpoints"), 0o700, { uid: 0, gid: 0 });
      replaceFile(join(draft, "hostconfig.json"), line(hostConfigType.write(host)), { mode: 0o644, sync });
      replaceFile(join(draft, "config.v2.json"), line(newRecord(container)), { mode: 0o600, sync });
      renameSync(draft, join(this.#directory, container.id));
    } catch (error) {
      removeTree(draft);
      throw error;
    }
    if (sync) for (const path of [this.#directory, dirname(this.#directory)]) syncDirectory(path);
  }

  /** Gives a container another name in one step. All else in its record stays, also what we do not know. */
  rename(id: string, name: string): void {
    const path = join(this.#directory, id, "config.v2.json");
    const record = parseJson(readFileSync(path), { first: true });
    const networks = record.member("NetworkSettings");
    const settings = networks?.kind === "object" ? { ...fieldsOf(networks), IsAnonymousEndpoint: false } : networks;
    const renamed = { ...fieldsOf(record), Name: `/${name}`, NetworkSettings: settings };
    replaceFile(path, line(renamed), { mode: 0o600, sync: this.#sync });
  }

  /** What `hostconfig.json` says; where there is none, as with Docker, nothing. @throws VarveError `corrupt` */
  hostConfig(id: string): HostConfig {
    const text = this.#hostConfigText(id);
    try {
      return hostConfigType.parse(text);
    } catch (error) {
      if (!isVarveError(error)) throw error;
      throw new VarveError("corrupt", `container ${id}: its host config cannot be read`, { id }, error);
    }
  }

  /** The same with every key that we do not know. @throws VarveError `corrupt` */
  hostConfigDocument(id: string): unknown {
    this.hostConfig(id);
    return JSON.parse(this.#hostConfigText(id).toString());
  }

  #hostConfigText(id: string): Buffer {
    try {
      return readFileSync(join(this.#directory, id, "hostconfig.json"));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      return line(hostConfigType.write(hostConfigType.zero));
    }
  }

  /** Makes a record disappear, whole or not at all. To be called inside the root's lock. */
  remove(id: string): void {
    const draft = `${DRAFT}${id}`;
    this.#discard(draft);
    try {
      renameSync(join(this.#directory, id), join(this.#directory, draft));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    this.#discard(draft);
  }

  /** What processes that died in the midst of it have left. */
  #sweep(): void {
    for (const name of readdirSync(this.#directory)) if (name.startsWith(DRAFT)) this.#discard(name);
  }

  /** What a dockerd has mounted below a record and never unmounted keeps it there, where nobody looks, for a later sweep. */
  #discard(draft: string): void {
    try {
      removeTree(join(this.#directory, draft));
    } catch (error) {
      if (!isVarveError(error, "in-use")) throw error;
    }
  }

  #ids(): string[] {
    try {
      return readdirSync(this.#directory).filter((name) => !name.startsWith(DRAFT));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }
}

/** A dockerd passes over a directory of this name. */
const DRAFT = ".varve-";

/** How the container is to be run, as far as Docker knows it. */
export function configOf({ id, record }: Container): ContainerConfig {
  try {
    return containerConfigType.read(parseJson(JSON.stringify(record.Config ?? {})), containerConfigType.zero, "Config");
  } catch (error) {
    throw new VarveError("corrupt", `container ${id}: its config cannot be read`, { id }, error);
  }
}

/** What Docker tells about a container in each of its events: its labels, its image and its name. */
export function eventAttributes(container: Container): Record<string, string> {
  const { Labels, Image } = (container.record.Config ?? {}) as {
    Labels?: Record<string, string> | null;
    Image?: string;
  };
  return { ...Labels, ...(Image ? { image: Image } : {}), name: container.name };
}

/** What is mounted in a container, by its record. */
export function mountsOf({ id, record }: Container): MountPoint[] {
  if (Object.keys(record.MountPoints ?? {}).length === 0) return [];
  try {
    const points = parseJson(JSON.stringify(record.MountPoints));
    return [...points.members()].map(([, point]) => mountPointType.read(point, mountPointType.zero, "MountPoints"));
  } catch (error) {
    throw new VarveError("corrupt", `container ${id}: its mount points cannot be read`, { id }, error);
  }
}

/** What Docker would run: the entry point and its arguments, those with a space between quotes. */
export function commandOf(container: Container): string {
  const { Path, Args } = container.record as { Path?: string; Args?: string[] | null };
  return [Path ?? "", ...(Args ?? []).map((word) => (word.includes(" ") ? `'${word}'` : word))].join(" ");
}

/** As dockerd's encoder writes it. */
function line(document: GoStruct): Buffer {
  return Buffer.concat([formatGo(document), Buffer.from("\n")]);
}

function fieldsOf(record: Json): GoStruct {
  return Object.fromEntries(record.members());
}

function broken(id: string, field: string): VarveError {
  const place = field === "" ? "" : `, by its ${field.slice(1)}`;
  return new VarveError("corrupt", `container ${id}: config.v2.json is not a container record${place}`, { id, field });
}
