import { constants, readSync } from "node:fs";
import type { View } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import type { IdMap } from "../fstree/id-map.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { RWLayer } from "../layer/rw-layer.ts";
import { closeFile, openAt, readDirectory, readLinkAt } from "../sys/at.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { type Stat, statAt, statFile } from "../sys/stat.ts";
import { cleanName, TreeRoot } from "../sys/tree-root.ts";
import { getXattrAt } from "../sys/xattr.ts";
import { type FileEntry, type FileView, nameOf, noFile } from "./file-view.ts";

/** A container's file system, looked at through the kernel. Owners are those that the container sees. */
export class MountedFiles implements FileView {
  readonly #view: View;
  readonly #root: TreeRoot;
  readonly #idMap: IdMap | undefined;

  static async open(layer: RWLayer, idMap: IdMap | undefined): Promise<MountedFiles> {
    const view = await layer.view();
    try {
      return new MountedFiles(view, idMap);
    } catch (error) {
      view.close();
      throw error;
    }
  }

  /** @param view belongs to it from now on */
  constructor(view: View, idMap: IdMap | undefined) {
    this.#view = view;
    this.#root = new TreeRoot(view.path);
    this.#idMap = idMap;
  }

  stat(path: ByteString, options: { follow?: boolean } = {}): FileEntry {
    const name = cleanName(path);
    if (name === "") return this.#entry("/" as ByteString, statFile(this.#root.fd), this.#root.fd, "." as ByteString);
    if (options.follow === true) {
      const fd = this.#root.openPlace(name);
      try {
        return this.#entry(nameOf(name), statFile(fd), fd, undefined);
      } finally {
        closeFile(fd);
      }
    }
    const { dir, base } = this.#root.parentOf(name);
    const stat = statAt(dir, base);
    if (stat === undefined) throw noFile(path);
    return this.#entry(base, stat, dir, base);
  }

  list(path: ByteString): FileEntry[] {
    const fd = this.#root.openPlace(cleanName(path));
    try {
      if (statFile(fd).kind !== "directory")
        throw new VarveError("invalid-argument", `${toText(path)}: not a directory`, { path: toText(path) });
      const directory = openAt(fd, "." as ByteString, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        return readDirectory(directory)
          .sort((a, b) => (a < b ? -1 : 1))
          .flatMap((name) => {
            const stat = statAt(directory, name);
            return stat === undefined ? [] : [this.#entry(name, stat, directory, name)];
          });
      } finally {
        closeFile(directory);
      }
    } finally {
      closeFile(fd);
    }
  }

  async *read(path: ByteString): ByteSource {
    const fd = this.#root.openFile(cleanName(path));
    try {
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
    this.#root.close();
    this.#view.close();
  }

  #entry(name: ByteString, stat: Stat, dir: number, base: ByteString | undefined): FileEntry {
    const owner = this.#idMap?.toContainer(stat.uid, stat.gid) ?? { uid: stat.uid, gid: stat.gid };
    const capability = base === undefined ? undefined : getXattrAt(dir, base, "security.capability");
    return {
      name,
      kind: stat.kind,
      mode: stat.mode,
      uid: owner.uid,
      gid: owner.gid,
      size: stat.kind === "file" ? stat.size : 0,
      mtime: stat.mtime,
      ...(stat.kind === "symlink" && base !== undefined ? { linkTarget: readLinkAt(dir, base) } : {}),
      deviceMajor: stat.deviceMajor,
      deviceMinor: stat.deviceMinor,
      xattrs:
        capability === undefined
          ? new Map()
          : new Map([["security.capability", capability.toString("latin1") as ByteString]]),
      inode: `${stat.device} ${stat.inode}`,
    };
  }
}

const WINDOW = 256 * 1024;
