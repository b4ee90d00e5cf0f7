import { realpathSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import { findEntry, joinPath, listEntry, type TreeEntry } from "../fstree/tree.ts";
import { readLinkAt } from "../sys/at.ts";
import { type ByteString, fromText, toText } from "../sys/byte-string.ts";
import { statFile } from "../sys/stat.ts";
import { cleanName, TreeRoot } from "../sys/tree-root.ts";
import type { HostMount } from "./container/host-mounts.ts";

/**
 * A container's files as a process in it would see them: its file system, and on top of it what of the host is mounted
 * there. Nothing is mounted for it: nothing is made where something is to be, nothing is left when this process dies,
 * and a place that is missing in the file system is an empty directory.
 *
 * Paths are clean, and real but for their last component, as `follow` makes them.
 */
export class ContainerTree implements Disposable {
  /** The file system alone. */
  readonly root: TreeRoot;
  readonly #roots: TreeRoot[];
  /** By their real paths in the container; `undefined` for an empty directory. */
  readonly #mounts = new Map<ByteString, Inside | undefined>();

  /**
   * @param path of the container's file system
   * @param mounts those that others lie in first
   * @throws VarveError `not-found` for a source that is missing
   */
  constructor(path: string, mounts: readonly HostMount[]) {
    this.root = new TreeRoot(path);
    this.#roots = [this.root];
    try {
      for (const mount of mounts) this.#add(mount);
    } catch (error) {
      this[Symbol.dispose]();
      throw asVarveError(error);
    }
  }

  /** What is at a path; `undefined` for nothing. */
  entry(path: ByteString): TreeEntry | undefined {
    const inside = this.#insideOf(path);
    const found = inside && findEntry(inside.root, inside.path);
    if (found !== undefined) return { ...found, path };
    if (!this.#mounts.has(path) && this.#below(path).length === 0) return undefined;
    const stat = { ...statFile(this.root.fd), mode: 0o755 };
    return { path, dir: this.root.fd, base: "." as ByteString, stat };
  }

  /** The sorted names in a directory. */
  list(path: ByteString): ByteString[] {
    const inside = this.#insideOf(path);
    const names = inside === undefined ? [] : listEntry(inside.root, inside.path);
    const mounted = this.#below(path);
    if (mounted.length === 0) return names;
    const from = path === "" ? 0 : path.length + 1;
    const onTheWay = mounted.map((below) => below.slice(from).split("/", 1)[0] as ByteString);
    return [...new Set([...names, ...onTheWay])].sort();
  }

  /**
   * The clean path that a path leads to, every link followed. Where the tree ends before the path does, the rest is taken
   * as it is written.
   *
   * @throws VarveError `system` with errno ENOTDIR, or ELOOP after 255 links
   */
  follow(path: ByteString): ByteString {
    const ahead = path.split("/").reverse();
    let at = "" as ByteString;
    for (let links = 0, name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      const next = cleanName(`${at}/${name}` as ByteString);
      const entry = name === "" || name === "." || name === ".." ? undefined : this.entry(next);
      if (entry?.stat.kind !== "symlink") {
        at = next;
        continue;
      }
      if (links++ === LINK_LIMIT)
        throw new VarveError("system", `too many links in ${toText(path)}`, { errno: "ELOOP", path: toText(path) });
      const target = readLinkAt(entry.dir, entry.base);
      if (target.startsWith("/")) at = "" as ByteString;
      ahead.push(...target.split("/").reverse());
    }
    return at;
  }

  /** The real path of the mount that a path is in; of none, the root. */
  mountOf(path: ByteString): ByteString {
    let at = path;
    while (at !== "" && !this.#mounts.has(at)) at = at.slice(0, Math.max(at.lastIndexOf("/"), 0)) as ByteString;
    return at;
  }

  [Symbol.dispose](): void {
    for (const root of this.#roots.splice(0)) root.close();
  }

  #add({ source, destination, mustExist }: HostMount): void {
    const path = this.follow(cleanName(fromText(destination)));
    for (const hidden of this.#below(path)) this.#mounts.delete(hidden);
    const real = realPathOf(source, mustExist);
    if (real === undefined) {
      this.#mounts.set(path, undefined);
      return;
    }
    const isDirectory = statSync(real).isDirectory();
    const root = new TreeRoot(isDirectory ? real : dirname(real));
    this.#roots.push(root);
    this.#mounts.set(path, { root, path: isDirectory ? ("" as ByteString) : fromText(basename(real)) });
  }

  #insideOf(path: ByteString): Inside | undefined {
    const mount = this.mountOf(path);
    if (mount === "") return { root: this.root, path };
    const inside = this.#mounts.get(mount);
    if (inside === undefined || mount === path) return inside;
    return { root: inside.root, path: joinPath(inside.path, path.slice(mount.length + 1) as ByteString) };
  }

  /** The mounts in a directory, at any depth. */
  #below(directory: ByteString): ByteString[] {
    const prefix = directory === "" ? "" : `${directory}/`;
    return [...this.#mounts.keys()].filter((path) => path.startsWith(prefix));
  }
}

/** A place in what is mounted. */
interface Inside {
  readonly root: TreeRoot;
  readonly path: ByteString;
}

const LINK_LIMIT = 255;

/** As with Docker, links of the host are followed. */
function realPathOf(source: string, mustExist: boolean): string | undefined {
  try {
    return realpathSync(source);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    if (!mustExist) return undefined;
    throw new VarveError("not-found", `bind source path does not exist: ${source}`, { source }, error);
  }
}
