import { constants, readSync } from "node:fs";
import type { View } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import type { IdMap } from "../fstree/id-map.ts";
import { joinPath, type TreeEntry } from "../fstree/tree.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { RWLayer } from "../layer/rw-layer.ts";
import { closeFile, leaveNoTrace, openAt, readLinkAt } from "../sys/at.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { errnoError } from "../sys/libc.ts";
import { cleanName } from "../sys/tree-root.ts";
import { getXattrAt } from "../sys/xattr.ts";
import type { HostMount } from "./container/host-mounts.ts";
import { ContainerTree } from "./container-tree.ts";
import { type FileEntry, type FileView, nameOf, noFile } from "./file-view.ts";

/** A container's file system with its volumes and binds, looked at through the kernel. Owners are those that the container sees. */
export class MountedFiles implements FileView {
  readonly #view: View;
  readonly #tree: ContainerTree;
  readonly #idMap: IdMap | undefined;
  /** A tree is read directory by directory. */
  #lastDirectory: { readonly asked: ByteString; readonly real: ByteString } | undefined;

  static async open(
    layer: RWLayer,
    idMap: IdMap | undefined,
    mounts: readonly HostMount[] = [],
  ): Promise<MountedFiles> {
    const view = await layer.view();
    try {
      return new MountedFiles(view, idMap, mounts);
    } catch (error) {
      view.close();
      throw error;
    }
  }

  /** @param view belongs to it from now on */
  constructor(view: View, idMap: IdMap | undefined, mounts: readonly HostMount[] = []) {
    this.#view = view;
    this.#tree = new ContainerTree(view.path, mounts);
    this.#idMap = idMap;
  }

  stat(path: ByteString, options: { follow?: boolean } = {}): FileEntry {
    return this.#entry(nameOf(cleanName(path)), this.#find(path, options.follow === true));
  }

  list(path: ByteString): FileEntry[] {
    const { path: directory, stat } = this.#find(path, true);
    if (stat.kind !== "directory")
      throw new VarveError("invalid-argument", `${toText(path)}: not a directory`, { path: toText(path) });
    return this.#tree.list(directory).flatMap((name) => {
      const entry = this.#tree.entry(joinPath(directory, name));
      return entry === undefined ? [] : [this.#entry(name, entry)];
    });
  }

  async *read(path: ByteString): ByteSource {
    const { dir, base, stat } = this.#find(path, true);
    // A pipe would make us wait, and a device notice.
    if (stat.kind !== "file") throw errnoError(stat.kind === "directory" ? "EISDIR" : "EINVAL", "open", path);
    const fd = openAt(dir, base, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      leaveNoTrace(fd);
      const buffer = Buffer.allocUnsafe(WINDOW);
      for (;;) {
        const length = readSync(fd, buffer, 0, buffer.length, null);
        if (length === 0) return;
        yield buffer.subarray(0, length);
      }
    } finally {
      closeFile(fd);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tree[Symbol.dispose]();
    this.#view.close();
  }

  /** @throws VarveError `not-found` */
  #find(path: ByteString, follow: boolean): TreeEntry {
    const clean = cleanName(path);
    const slash = Math.max(clean.lastIndexOf("/"), 0);
    const directory = clean.slice(0, slash) as ByteString;
    if (this.#lastDirectory?.asked !== directory)
      this.#lastDirectory = { asked: directory, real: this.#tree.follow(directory) };
    const name = clean.slice(slash).replace("/", "") as ByteString;
    const found = this.#tree.entry(name === "" ? name : joinPath(this.#lastDirectory.real, name));
    const entry = follow && found?.stat.kind === "symlink" ? this.#tree.entry(this.#tree.follow(clean)) : found;
    if (entry === undefined) throw noFile(path);
    return entry;
  }

  #entry(name: ByteString, { path, dir, base, stat }: TreeEntry): FileEntry {
    const owner = this.#idMap?.toContainer(stat.uid, stat.gid) ?? { uid: stat.uid, gid: stat.gid };
    const capability = getXattrAt(dir, base, "security.capability");
    return {
      name,
      kind: stat.kind,
      mode: stat.mode,
      uid: owner.uid,
      gid: owner.gid,
      size: stat.kind === "file" ? stat.size : 0,
      mtime: stat.mtime,
      ...(stat.kind === "symlink" ? { linkTarget: readLinkAt(dir, base) } : {}),
      deviceMajor: stat.deviceMajor,
      deviceMinor: stat.deviceMinor,
      xattrs:
        capability === undefined
          ? new Map()
          : new Map([["security.capability", capability.toString("latin1") as ByteString]]),
      // Names of a file in two mounts are not packed as links.
      inode: `${this.#tree.mountOf(path)} ${stat.device} ${stat.inode}`,
    };
  }
}

const WINDOW = 256 * 1024;
