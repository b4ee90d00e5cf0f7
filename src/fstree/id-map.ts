import { readFileSync } from "node:fs";
import { asVarveError, VarveError } from "../errors.ts";

/** `size` ids from `container` on inside are those from `host` on outside. */
export interface IdRange {
  readonly container: number;
  readonly host: number;
  readonly size: number;
}

/** All that a map knows, as plain data. */
export interface IdRanges {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Which host id stands for which container id under userns-remap (FORMATS 6.9, 8.9). Trees hold host ids, tars and
 * tar-splits container ids.
 *
 * @example
 * const map = new IdMap([{ container: 0, host: 200000, size: 65536 }], [{ container: 0, host: 300000, size: 65536 }]);
 * map.toHost(1000, 1000); // { uid: 201000, gid: 301000 }
 */
export class IdMap {
  /** The container's root as the host sees it. */
  readonly root: Identity;
  readonly #uids: readonly IdRange[];
  readonly #gids: readonly IdRange[];

  /** @throws VarveError `invalid-argument` when root itself has no place in the ranges */
  constructor(uids: readonly IdRange[], gids: readonly IdRange[]) {
    this.#uids = uids;
    this.#gids = gids;
    this.root = { uid: hostID(0, uids), gid: hostID(0, gids) };
  }

  /**
   * The map that `/etc/subuid` and `/etc/subgid` grant to a user: his ranges one behind the other, in the order of the
   * file. Both files are searched for the user's name, as Docker 20.10 does.
   */
  static ofUser(user: string, subuid = "/etc/subuid", subgid = "/etc/subgid"): IdMap {
    return new IdMap(subordinateIDs(user, subuid, "subuid"), subordinateIDs(user, subgid, "subgid"));
  }

  get ranges(): IdRanges {
    return { uids: this.#uids, gids: this.#gids };
  }

  /**
   * For an entry that is unpacked. An id that already is the one of the mapped root stays, as Docker has it.
   *
   * @throws VarveError `unsupported` for an id outside the ranges
   */
  toHost(uid: number, gid: number): Identity {
    return {
      uid: uid === this.root.uid ? uid : hostID(uid, this.#uids),
      gid: gid === this.root.gid ? gid : hostID(gid, this.#gids),
    };
  }

  /**
   * For a file that is packed.
   *
   * @throws VarveError `unsupported` for an id that no container id stands for
   */
  toContainer(uid: number, gid: number): Identity {
    return { uid: containerID(uid, this.#uids), gid: containerID(gid, this.#gids) };
  }
}

function hostID(id: number, ranges: readonly IdRange[]): number {
  const range = ranges.find(({ container, size }) => id >= container && id < container + size);
  if (range === undefined)
    throw new VarveError("unsupported", `Container ID ${id} cannot be mapped to a host ID`, { id });
  return range.host + (id - range.container);
}

function containerID(id: number, ranges: readonly IdRange[]): number {
  const range = ranges.find(({ host, size }) => id >= host && id < host + size);
  if (range === undefined)
    throw new VarveError("unsupported", `Host ID ${id} cannot be mapped to a container ID`, { id });
  return range.container + (id - range.host);
}

function subordinateIDs(user: string, path: string, kind: string): IdRange[] {
  const ranges: IdRange[] = [];
  let next = 0;
  for (const line of readText(path).split("\n")) {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) continue;
    const [name, start, count, ...rest] = text.split(":");
    if (count === undefined || rest.length > 0) throw unreadable(path, text);
    if (name !== user) continue;
    const range = { container: next, host: parseNumber(start!, path, text), size: parseNumber(count, path, text) };
    ranges.push(range);
    next += range.size;
  }
  if (ranges.length === 0)
    throw new VarveError("invalid-argument", `no ${kind} ranges found for user "${user}"`, { user, path });
  return ranges;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    throw asVarveError(error);
  }
}

function parseNumber(text: string, path: string, line: string): number {
  if (!/^\d{1,10}$/.test(text)) throw unreadable(path, line);
  return Number(text);
}

function unreadable(path: string, line: string): VarveError {
  return new VarveError("invalid-argument", `not a range of subordinate ids in ${path}: ${line}`, { path, line });
}
