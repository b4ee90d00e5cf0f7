import { existsSync } from "node:fs";
import { VarveError } from "../errors.ts";
import { findEntry, listEntry, type TreeEntry } from "../fstree/tree.ts";
import { readLinkAt } from "../sys/at.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { statFile } from "../sys/stat.ts";
import { cleanName, TreeRoot } from "../sys/tree-root.ts";
import type { Container } from "./containers.ts";

/**
 * A container's files as Docker sees them for `docker cp`: its file system, and on top of it the three files about the
 * network that Docker keeps beside the container's record and mounts.
 */
export class ContainerTree implements Disposable {
  readonly root: TreeRoot;
  /** The directory of the container's record, where it has any of those files. */
  readonly #kept: TreeRoot | undefined;

  /**
   * @param path of the container's file system
   * @param directory of the container's record
   */
  constructor(path: string, directory: string, { id, record }: Container) {
    this.root = new TreeRoot(path);
    const isKept = NETWORK_FILES.some(([, field]) => `${record[field]}`.includes(`/${id}/`));
    this.#kept = isKept && existsSync(directory) ? new TreeRoot(directory) : undefined;
  }

  /** What is at a clean path; `undefined` for nothing. */
  entry(path: ByteString): TreeEntry | undefined {
    if (path === "") return { path, dir: this.root.fd, base: "." as ByteString, stat: statFile(this.root.fd) };
    const found = findEntry(this.root, path);
    const name = NETWORK_FILES.find(([place]) => place === path)?.[2];
    if (found === undefined || name === undefined || this.#kept === undefined) return found;
    const kept = findEntry(this.#kept, name as ByteString);
    return kept?.stat.kind === "file" ? { ...kept, path } : found;
  }

  /** The sorted names in a directory. */
  list(path: ByteString): ByteString[] {
    return listEntry(this.root, path);
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
      const entry = name === "" || name === "." || name === ".." ? undefined : findEntry(this.root, next);
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

  [Symbol.dispose](): void {
    this.#kept?.close();
    this.root.close();
  }
}

/** Where the container sees it, which field of its record names it, and its name beside the record. */
const NETWORK_FILES = [
  ["etc/hostname", "HostnamePath", "hostname"],
  ["etc/hosts", "HostsPath", "hosts"],
  ["etc/resolv.conf", "ResolvConfPath", "resolv.conf"],
] as const;

const LINK_LIMIT = 255;
