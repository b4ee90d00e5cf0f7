import { closeSync, readSync } from "node:fs";
import type { LayerContent } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import { abortable, type ByteSource } from "../io/byte-source.ts";
import type { Layer } from "../layer/layer.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import type { FileKind } from "../sys/stat.ts";
import { readHeaders } from "../tar/assemble.ts";
import { type Header, TYPE, XATTR_PREFIX } from "../tar/header.ts";
import { type FileEntry, type FileView, noFile } from "./file-view.ts";

/**
 * An image's files, put together from the headers in its layers' tar-splits as the overlay file system would show
 * them: higher layers win, whiteouts hide what lies below, opaque directories hide all of it. Only contents come out of
 * the driver's trees, one file at a time, when asked for.
 */
export class ImageFiles implements FileView {
  readonly #root: Node = directoryNode("/" as ByteString, 0);
  readonly #layers: readonly Layer[];
  readonly #contents = new Map<number, LayerContent>();

  /**
   * Reads the headers of all layers, bottom first. The layers stay the caller's.
   *
   * @example
   * await using files = await ImageFiles.open(layers);
   * files.list(fromText("/etc"));
   */
  static async open(layers: readonly Layer[], signal?: AbortSignal): Promise<ImageFiles> {
    const files = new ImageFiles(layers);
    for (const [index, layer] of layers.entries())
      for await (const header of readHeaders(abortable(layer.splitStream(), signal))) files.#add(header, index);
    return files;
  }

  private constructor(layers: readonly Layer[]) {
    this.#layers = layers;
  }

  stat(path: ByteString, options: { follow?: boolean } = {}): FileEntry {
    return this.#find(path, options.follow === true).entry;
  }

  list(path: ByteString): FileEntry[] {
    const node = this.#find(path, true);
    if (node.children === undefined)
      throw new VarveError("invalid-argument", `${toText(path)}: not a directory`, { path: toText(path) });
    return [...node.children]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, child]) => ({ ...child.entry, name: name as ByteString }));
  }

  async *read(path: ByteString): ByteSource {
    const { entry, layer, source } = this.#find(path, true);
    if (entry.kind !== "file")
      throw new VarveError("invalid-argument", `${toText(path)}: not a regular file`, { path: toText(path) });
    if (entry.size === 0) return;
    const fd = (await this.#content(layer)).open(source);
    try {
      const buffer = Buffer.allocUnsafe(Math.min(WINDOW, entry.size));
      for (;;) {
        const length = readSync(fd, buffer, 0, buffer.length, null);
        if (length === 0) return;
        yield buffer.subarray(0, length);
      }
    } finally {
      closeSync(fd);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const content of this.#contents.values()) content.close();
    this.#contents.clear();
  }

  async #content(layer: number): Promise<LayerContent> {
    const open = this.#contents.get(layer) ?? (await this.#layers[layer]!.content());
    this.#contents.set(layer, open);
    return open;
  }

  #find(path: ByteString, follow: boolean): Node {
    const trail: Node[] = [this.#root];
    const rest = componentsOf(path).reverse();
    for (let links = 0; ; ) {
      const name = rest.pop();
      if (name === undefined) return trail.at(-1)!;
      if (name === "..") {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const node = trail.at(-1)!.children?.get(name);
      if (node === undefined) throw noFile(path);
      const target = node.entry.linkTarget;
      if (target === undefined || node.entry.kind !== "symlink" || (rest.length === 0 && !follow)) {
        trail.push(node);
        continue;
      }
      if (++links > MAX_LINKS)
        throw new VarveError("invalid-argument", `${toText(path)}: too many levels of symbolic links`, {});
      if (target.startsWith("/")) trail.length = 1;
      rest.push(...componentsOf(target).reverse());
    }
  }

  #add(header: Header, layer: number): void {
    if (header.type === TYPE.paxGlobal) return;
    const components = componentsOf(header.name).filter((name) => name !== "..");
    const name = components.pop();
    const parent = this.#enter(components, layer);
    if (name === undefined) {
      if (header.type === TYPE.directory)
        Object.assign(this.#root, { entry: entryOf("/" as ByteString, header, layer) });
      return;
    }
    if (name === OPAQUE) hideLower(parent, layer);
    else if (name.startsWith(WHITEOUT)) {
      const hidden = name.slice(WHITEOUT.length);
      if (parent.children!.get(hidden)?.layer !== layer) parent.children!.delete(hidden);
    } else if (header.type === TYPE.hardLink) {
      const target = this.#linked(header.linkname);
      if (target !== undefined) parent.children!.set(name, target);
    } else this.#put(parent, name, header, layer);
  }

  #put(parent: Node, name: string, header: Header, layer: number): void {
    const entry = entryOf(name as ByteString, header, layer);
    const below = parent.children!.get(name);
    const children = entry.kind === "directory" ? (below?.children ?? new Map<string, Node>()) : undefined;
    parent.children!.set(name, { entry, layer, source: header.name, children });
  }

  /** The directory of these components; what is missing, or is no directory, becomes one, as in the layer's own tree. */
  #enter(components: readonly string[], layer: number): Node {
    const trail: Node[] = [this.#root];
    const rest = [...components].reverse();
    for (let links = 0; ; ) {
      const name = rest.pop();
      const here = trail.at(-1)!;
      if (name === undefined) return here;
      if (name === "..") {
        if (trail.length > 1) trail.pop();
        continue;
      }
      let node = here.children!.get(name);
      if (node?.entry.kind === "symlink" && node.layer === layer && ++links <= MAX_LINKS) {
        const target = node.entry.linkTarget!;
        if (target.startsWith("/")) trail.length = 1;
        rest.push(...componentsOf(target).reverse());
        continue;
      }
      if (node?.children === undefined) {
        node = directoryNode(name as ByteString, layer);
        here.children!.set(name, node);
      }
      trail.push(node);
    }
  }

  #linked(linkname: ByteString): Node | undefined {
    try {
      return this.#find(linkname, false);
    } catch {
      // Docker's drivers differ on links into lower layers; a name that leads nowhere shows no file.
      return undefined;
    }
  }
}

interface Node {
  readonly entry: FileEntry;
  /** The layer that brought it, counted from the bottom. */
  readonly layer: number;
  /** Its name in that layer's tar. */
  readonly source: ByteString;
  readonly children: Map<string, Node> | undefined;
}

const WINDOW = 256 * 1024;
const MAX_LINKS = 255;
const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

function componentsOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function hideLower(directory: Node, layer: number): void {
  for (const [name, child] of directory.children!) {
    if (child.layer !== layer) directory.children!.delete(name);
    else if (child.children !== undefined) hideLower(child, layer);
  }
}

function directoryNode(name: ByteString, layer: number): Node {
  const entry: FileEntry = {
    name,
    kind: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
    inode: `implied ${layer}`,
  };
  return { entry, layer, source: name, children: new Map() };
}

const KINDS: Readonly<Record<string, FileKind>> = {
  [TYPE.symlink]: "symlink",
  [TYPE.charDevice]: "char",
  [TYPE.blockDevice]: "block",
  [TYPE.directory]: "directory",
  [TYPE.fifo]: "fifo",
};

function entryOf(name: ByteString, header: Header, layer: number): FileEntry {
  const kind = KINDS[header.type] ?? "file";
  return {
    name,
    kind,
    mode: header.mode & 0o7777,
    uid: header.uid,
    gid: header.gid,
    size: kind === "file" ? header.size : 0,
    mtime: header.mtime,
    ...(kind === "symlink" ? { linkTarget: header.linkname } : {}),
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    xattrs: xattrsOf(header),
    inode: `${layer} ${header.name}`,
  };
}

function xattrsOf(header: Header): ReadonlyMap<string, ByteString> {
  if (header.records.size === 0) return NO_XATTRS;
  return new Map(
    [...header.records]
      .filter(([key]) => key.startsWith(XATTR_PREFIX))
      .map(([key, value]) => [key.slice(XATTR_PREFIX.length), value]),
  );
}

const NO_XATTRS: ReadonlyMap<string, ByteString> = new Map();
