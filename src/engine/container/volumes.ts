import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { randomID } from "../../digest/random-id.ts";
import { makeDirectory, makeMissingDirectory, rootIdentity } from "../../driver/home.ts";
import { errnoOf, VarveError } from "../../errors.ts";
import { copyTree } from "../../fstree/copy-tree.ts";
import type { IdMap } from "../../fstree/id-map.ts";
import { isRoot } from "../../sys/rank.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { syncDirectory } from "../../sys/sync.ts";
import { readBucket } from "../bolt.ts";
import { refused } from "./refusal.ts";

/**
 * The volumes of Docker's driver `local`: directories `volumes/<name>/_data` of the data-root. A dockerd takes every
 * directory there for a volume when it starts. Its `metadata.db` has labels and options beside that, which volumes that are
 * made here do not get, and volumes of plugins.
 */
export class LocalVolumes {
  readonly #directory: string;
  readonly #idMap: IdMap | undefined;
  readonly #sync: boolean;

  constructor(directory: string, options: { readonly idMap: IdMap | undefined; readonly sync: boolean }) {
    this.#directory = directory;
    this.#idMap = options.idMap;
    this.#sync = options.sync;
  }

  /** Where a volume's files are. */
  dataOf(name: string): string {
    return join(this.#directory, name, DATA);
  }

  has(name: string): boolean {
    return existsSync(join(this.#directory, name));
  }

  /**
   * @throws VarveError `invalid-argument` with Docker's text for a name that it refuses, `conflict` for one that a
   *   plugin's volume, or a file of dockerd's own, may have
   */
  checkName(name: string): void {
    if (name.length === 1)
      throw refused(`create ${name}: volume name is too short, names should be at least two alphanumeric characters`);
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
      throw refused(
        `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
      );
    if (OWN_FILES.includes(name))
      throw new VarveError("conflict", `create ${name}: docker keeps a file of its own under this name`, { name });
    if (this.has(name)) return;
    const { driver = LOCAL } = this.notes().get(name) ?? {};
    if (driver !== LOCAL)
      throw new VarveError(
        "conflict",
        `create ${name}: driver '${driver}' already has volume '${name}': volume name must be unique`,
        { name, driver },
      );
  }

  /**
   * Makes an anonymous volume.
   *
   * @param content a directory whose files, owner and mode it gets
   * @returns its name
   */
  make(content?: string): string {
    makeMissingDirectory(this.#directory, 0o701, { uid: 0, gid: 0 });
    const name = randomID();
    makeDirectory(join(this.#directory, name), 0o701, { uid: 0, gid: 0 });
    try {
      makeDirectory(this.dataOf(name), 0o755, rootIdentity(this.#idMap));
      if (content !== undefined) copyTree(content, this.dataOf(name), { privileged: isRoot(), allXattrs: true });
      if (this.#sync) for (const path of [this.#directory, dirname(this.#directory)]) syncDirectory(path);
    } catch (error) {
      this.remove(name);
      throw error;
    }
    return name;
  }

  /**
   * Gives an anonymous volume that was just made the name that was asked for, or, where that one has been made meanwhile
   * and is empty, its files. Otherwise it is not wanted any more.
   */
  settle(made: string, name: string): void {
    const target = join(this.#directory, name);
    if (!rename(join(this.#directory, made), target)) {
      rename(this.dataOf(made), this.dataOf(name));
      this.remove(made);
    }
    if (this.#sync) syncDirectory(this.#directory);
  }

  isEmpty(name: string): boolean {
    try {
      return readdirSync(this.dataOf(name)).length === 0;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return true;
      throw error;
    }
  }

  /** Renames a volume so that nobody finds it any more. @returns its new name, as that of an anonymous one */
  setAside(name: string): string {
    const aside = randomID();
    renameSync(join(this.#directory, name), join(this.#directory, aside));
    return aside;
  }

  /** With all that is in it. @throws VarveError `in-use` when something is mounted there */
  remove(name: string): void {
    removeTree(join(this.#directory, name));
  }

  /** All that there are, by name. */
  names(): string[] {
    try {
      const entries = readdirSync(this.#directory, { withFileTypes: true });
      return entries
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .sort();
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }

  /**
   * What a dockerd has noted of its volumes, also of those of plugins, by name. Of one that is gone there may still be a note.
   *
   * @throws VarveError `corrupt`
   */
  notes(): ReadonlyMap<string, VolumeNote> {
    const database = join(this.#directory, "metadata.db");
    if (!existsSync(database)) return new Map();
    return new Map(readBucket(readFileSync(database), "volumes").map(([name, note]) => [name, readNote(note)]));
  }
}

/** A line of `metadata.db`. */
export interface VolumeNote {
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly options: Readonly<Record<string, string>> | null;
}

function readNote(bytes: Buffer): VolumeNote {
  try {
    const { Driver = "", Labels = null, Options = null } = JSON.parse(bytes.toString());
    return { driver: Driver, labels: Labels, options: Options };
  } catch (error) {
    throw new VarveError("corrupt", "metadata.db: a volume's note cannot be read", {}, error);
  }
}

const DATA = "_data";
/** Beside the volumes. A dockerd does not start where the first one is a directory. */
const OWN_FILES: readonly string[] = ["metadata.db", "backingFsBlockDev"];
const LOCAL = "local";

/** @returns false when there is something already */
function rename(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
