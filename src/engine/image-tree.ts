import { VarveError } from "../errors.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import type { FileKind } from "../sys/stat.ts";
import { cleanName } from "../sys/tree-root.ts";
import { cleanName as lexicalName } from "../tar/clean-name.ts";
import { type Header, TYPE, XATTR_PREFIX } from "../tar/header.ts";
import { type FileEntry, noFile } from "./file-view.ts";

/**
 * A file, a directory or whatever else is in an image. The names of one file lead to one node, which is never changed
 * once another layer lies on it.
 */
export interface Node {
  entry: FileEntry;
  /** The layer that brought it, counted from the bottom. */
  readonly layer: number;
  /** Its first name in that layer's tar. */
  readonly source: ByteString;
  /** Of directories only. */
  readonly children: Map<string, Node> | undefined;
  /** Of a directory in a layer: hides what the layers below have in it. */
  opaque?: boolean;
  /** Hides what the layers below have under this name. */
  readonly whiteout?: true;
}

/**
 * The tree of one layer as overlay2 makes it out of the layer's headers (FORMATS 8.3): missing parents are made, links on
 * the way are followed as far as they are in this layer, deletions become marks.
 */
export class LayerTree {
  readonly root: Node = impliedDirectory("/", 0);
  readonly #layer: number;
  readonly #below: Node;

  /** @param below the layers below, where a hard link's target may be */
  constructor(layer: number, below: Node) {
    this.#layer = layer;
    this.#below = below;
  }

  add(header: Header): void {
    if (header.type === TYPE.paxGlobal) return;
    const components = componentsOf(cleanName(header.name));
    const name = components.pop();
    if (name === OPAQUE && this.#isOccupied(components)) return;
    if (name !== undefined) this.#put(this.#enter(components), name, header);
    // What is called `.` leaves the root as every root is, but its time says more than that of its making.
    else if (lexicalName(header.name) === ".") this.root.entry = { ...this.root.entry, mtime: header.mtime };
    else if (header.type === TYPE.directory) this.root.entry = entryOf("/", header, this.#layer);
  }

  #put(parent: Node, name: string, header: Header): void {
    const children = parent.children!;
    const before = children.get(name);
    // The kernel takes no notice of it in a layer's root.
    if (name === OPAQUE) parent.opaque = parent !== this.root;
    else if (name.startsWith(WHITEOUT)) this.#hide(parent, name.slice(WHITEOUT.length));
    else if (header.type === TYPE.charDevice && header.deviceMajor === 0 && header.deviceMinor === 0)
      children.set(name, this.#whiteout());
    else if (header.type === TYPE.hardLink) this.#link(children, name, header);
    else if (header.type === TYPE.directory && before?.children !== undefined)
      children.set(name, { ...before, entry: entryOf(name, header, this.#layer) });
    else {
      const inside = header.type === TYPE.directory ? new Map<string, Node>() : undefined;
      const entry = entryOf(name, header, this.#layer);
      children.set(name, { entry, layer: this.#layer, source: header.name, children: inside });
    }
  }

  /** What this layer itself has under the name stays. */
  #hide(parent: Node, name: string): void {
    const own = parent.children!.get(name);
    if (own === undefined) parent.children!.set(name, this.#whiteout());
    else if (own.children !== undefined) own.opaque = true;
  }

  /** A link's header speaks for the file, too; to change the owner takes a file's capabilities away. */
  #link(children: Map<string, Node>, name: string, header: Header): void {
    const { linkname, mode, uid, gid, mtime } = header;
    const target = lookUp(this.root, linkname, false) ?? lookUp(this.#below, linkname, false);
    if (target === undefined || target.children !== undefined || target.whiteout) return;
    children.set(name, target);
    if (target.layer !== this.#layer) return;
    const { entry } = target;
    const kept = [...entry.xattrs].filter(([key]) => key !== "security.capability");
    const xattrs = new Map([...kept, ...xattrsOf(header)]);
    const changed = { ...entry, uid, gid, xattrs };
    target.entry = entry.kind === "symlink" ? changed : { ...changed, mode: mode & 0o7777, mtime };
  }

  /** By something else than a directory, on which the mark of an opaque one has no meaning. */
  #isOccupied(components: readonly string[]): boolean {
    const node = lookUp(this.root, components.join("/") as ByteString, true);
    return node !== undefined && node.children === undefined;
  }

  #enter(components: readonly string[]): Node {
    const walk = new Walk(this.root, components);
    for (let name = walk.next(); name !== undefined; name = walk.next()) {
      const { children } = walk.here;
      let node = children!.get(name);
      if (node?.entry.kind === "symlink" && walk.follow(node.entry.linkTarget!)) continue;
      if (node?.children === undefined) {
        node = impliedDirectory(name, this.#layer);
        children!.set(name, node);
      }
      walk.enter(node);
    }
    return walk.here;
  }

  #whiteout(): Node {
    return { ...impliedDirectory("", this.#layer), children: undefined, whiteout: true };
  }
}

/** Lays a layer on those below, as the overlay file system shows them. Both are used up. */
export function mergeTrees(below: Node, layer: Node): Node {
  const root = onTopOf(below, layer);
  const todo: [lower: Map<string, Node>, upper: Map<string, Node>][] = [[root.children!, layer.children!]];
  for (let pair = todo.pop(); pair !== undefined; pair = todo.pop()) {
    const [lower, upper] = pair;
    for (const [name, node] of upper) {
      if (node.whiteout) {
        lower.delete(name);
        continue;
      }
      if (node.children === undefined) {
        lower.set(name, node);
        continue;
      }
      const merged = onTopOf(lower.get(name), node);
      lower.set(name, merged);
      todo.push([merged.children!, node.children]);
    }
  }
  return root;
}

/** A directory as its layer has it, with what shows through from below. */
function onTopOf(below: Node | undefined, directory: Node): Node {
  const children = (directory.opaque ? undefined : below?.children) ?? new Map<string, Node>();
  return { ...directory, children, opaque: false };
}

/**
 * What a path leads to, resolved inside the tree; `undefined` when it leads nowhere.
 *
 * @param follow whether a link at the end is followed, as those on the way are
 * @throws VarveError `invalid-argument` for links that lead in a circle
 */
export function lookUp(root: Node, path: ByteString, follow: boolean): Node | undefined {
  const walk = new Walk(root, componentsOf(cleanName(path)));
  for (let name = walk.next(); name !== undefined; name = walk.next()) {
    const node = walk.here.children?.get(name);
    if (node === undefined) return undefined;
    const isLink = node.entry.kind === "symlink" && !node.whiteout && (follow || !walk.atEnd);
    if (!isLink) walk.enter(node);
    else if (!walk.follow(node.entry.linkTarget!))
      throw new VarveError("invalid-argument", `${toText(path)}: too many levels of symbolic links`, {});
  }
  return walk.here;
}

/** @throws VarveError `not-found`, and as `lookUp` */
export function find(root: Node, path: ByteString, follow: boolean): Node {
  const node = lookUp(root, path, follow);
  if (node === undefined) throw noFile(path);
  return node;
}

/** A way through a tree, component by component; it never leaves the root. */
class Walk {
  readonly #trail: Node[];
  readonly #rest: string[];
  #links = 0;

  constructor(root: Node, components: readonly string[]) {
    this.#trail = [root];
    this.#rest = [...components].reverse();
  }

  get here(): Node {
    return this.#trail.at(-1)!;
  }

  get atEnd(): boolean {
    return this.#rest.length === 0;
  }

  /** The next name to look for in `here`. */
  next(): string | undefined {
    for (;;) {
      const name = this.#rest.pop();
      if (name !== "..") return name;
      if (this.#trail.length > 1) this.#trail.pop();
    }
  }

  enter(node: Node): void {
    this.#trail.push(node);
  }

  /** @returns false after too many links */
  follow(target: string): boolean {
    if (++this.#links > MAX_LINKS) return false;
    if (target.startsWith("/")) this.#trail.length = 1;
    this.#rest.push(...componentsOf(target).reverse());
    return true;
  }
}

const MAX_LINKS = 255;
const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

function componentsOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** As overlay2 makes the root and directories that no header describes; nobody knows their time. */
export function impliedDirectory(name: string, layer: number): Node {
  const entry: FileEntry = {
    name: name as ByteString,
    kind: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: NO_XATTRS,
    inode: `implied ${layer}`,
  };
  return { entry, layer, source: entry.name, children: new Map() };
}

const KINDS: Readonly<Record<string, FileKind>> = {
  [TYPE.symlink]: "symlink",
  [TYPE.charDevice]: "char",
  [TYPE.blockDevice]: "block",
  [TYPE.directory]: "directory",
  [TYPE.fifo]: "fifo",
};

function entryOf(name: string, header: Header, layer: number): FileEntry {
  const kind = KINDS[header.type] ?? "file";
  const isDevice = kind === "char" || kind === "block";
  return {
    name: name as ByteString,
    kind,
    mode: kind === "symlink" ? 0o777 : header.mode & 0o7777,
    uid: header.uid,
    gid: header.gid,
    size: kind === "file" ? header.size : 0,
    mtime: header.mtime,
    ...(kind === "symlink" ? { linkTarget: header.linkname } : {}),
    deviceMajor: isDevice ? header.deviceMajor : 0,
    deviceMinor: isDevice ? header.deviceMinor : 0,
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
