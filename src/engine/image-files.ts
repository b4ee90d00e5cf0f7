import { closeSync, readSync } from "node:fs";
import type { LayerContent } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import { abortable, type ByteSource } from "../io/byte-source.ts";
import type { Layer } from "../layer/layer.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { cleanName } from "../sys/tree-root.ts";
import { readHeaders } from "../tar/assemble.ts";
import { type FileEntry, type FileView, nameOf } from "./file-view.ts";
import { find, impliedDirectory, LayerTree, mergeTrees, type Node } from "./image-tree.ts";

/**
 * An image's files, put together from the headers in its layers' tar-splits as the overlay file system would show
 * them: higher layers win, whiteouts hide what lies below, opaque directories hide all of it. Only contents come out of
 * the driver's trees, one file at a time, when asked for.
 */
export class ImageFiles implements FileView {
  readonly #root: Node;
  readonly #layers: readonly Layer[];
  readonly #contents = new Map<number, Promise<LayerContent>>();

  /**
   * Reads the headers of all layers, bottom first. The layers stay the caller's.
   *
   * @example
   * await using files = await ImageFiles.open(layers);
   * files.list(fromText("/etc"));
   */
  static async open(layers: readonly Layer[], signal?: AbortSignal): Promise<ImageFiles> {
    let root = impliedDirectory("/", 0);
    for (const [index, layer] of layers.entries()) {
      const tree = new LayerTree(index, root);
      for await (const header of readHeaders(abortable(layer.splitStream(), signal))) tree.add(header);
      root = mergeTrees(root, tree.root);
    }
    return new ImageFiles(root, layers);
  }

  private constructor(root: Node, layers: readonly Layer[]) {
    this.#root = root;
    this.#layers = layers;
  }

  stat(path: ByteString, options: { follow?: boolean } = {}): FileEntry {
    return { ...find(this.#root, path, options.follow === true).entry, name: nameOf(cleanName(path)) };
  }

  list(path: ByteString): FileEntry[] {
    const node = find(this.#root, path, true);
    if (node.children === undefined)
      throw new VarveError("invalid-argument", `${toText(path)}: not a directory`, { path: toText(path) });
    return [...node.children]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, child]) => ({ ...child.entry, name: name as ByteString }));
  }

  async *read(path: ByteString): ByteSource {
    const { entry, layer, source } = find(this.#root, path, true);
    if (entry.kind !== "file")
      throw new VarveError("invalid-argument", `${toText(path)}: not a regular file`, { path: toText(path) });
    if (entry.size === 0) return;
    const fd = (await this.#content(layer)).open(source);
    try {
      const buffer = Buffer.allocUnsafe(Math.min(WINDOW, entry.size));
      let left = entry.size;
      for (let length = 1; length > 0; left -= length) {
        length = readSync(fd, buffer, 0, buffer.length, null);
        if (length > 0) yield buffer.subarray(0, length);
      }
      if (left !== 0)
        throw new VarveError("corrupt", `${toText(path)} has not the ${entry.size} bytes that its layer had`, {
          path: toText(path),
          layer: this.#layers[layer]!.chainID,
        });
    } finally {
      closeSync(fd);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const contents = [...this.#contents.values()];
    this.#contents.clear();
    for (const content of await Promise.allSettled(contents)) if (content.status === "fulfilled") content.value.close();
  }

  #content(layer: number): Promise<LayerContent> {
    const open = this.#contents.get(layer) ?? this.#layers[layer]!.content();
    this.#contents.set(layer, open);
    return open;
  }
}

const WINDOW = 256 * 1024;
