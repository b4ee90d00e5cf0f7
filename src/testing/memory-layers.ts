import { gzipSync } from "node:zlib";
import { type ChainID, extendChain } from "../digest/chain-id.ts";
import { digestOf } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { Layer, LayerInfo, ReleasedLayer } from "../layer/layer.ts";
import { Disassembler } from "../tar/disassemble.ts";
import { tarLength } from "../tar/tar-length.ts";

/**
 * Layers in memory, with the references of a layer store, for tests of what is built on layers. Their payloads lie in
 * the tar-split, so they have no files.
 */
export class MemoryLayers {
  readonly #layers = new Map<ChainID, { readonly info: LayerInfo; tar: Buffer; references: number }>();
  /** How often each layer's tar was read, from its first byte. */
  readonly reads: Map<ChainID, number> = new Map();
  /** How often a tar-split was read. */
  splitReads = 0;

  /** A layer that nobody refers to but its children. */
  add(tar: Uint8Array, parent?: ChainID): ChainID {
    const diffID = digestOf(tar);
    const chainID = extendChain(parent, diffID);
    const below = parent === undefined ? undefined : this.#of(parent);
    if (this.#layers.has(chainID)) return chainID;
    if (below !== undefined) below.references++;
    const info = {
      chainID,
      diffID,
      parent,
      cacheID: `tree-of-${diffID}`,
      size: tar.length,
      depth: 1 + (below?.info.depth ?? 0),
      descriptor: undefined,
    };
    this.#layers.set(chainID, { info, tar: Buffer.from(tar), references: 0 });
    return chainID;
  }

  /** Replaces what a layer gives out. */
  tamper(chain: ChainID, tar: Uint8Array): void {
    this.#of(chain).tar = Buffer.from(tar);
  }

  /** Takes a layer away, whoever holds it. */
  drop(chain: ChainID): void {
    this.#layers.delete(chain);
  }

  has(chain: ChainID): boolean {
    return this.#layers.has(chain);
  }

  /** Children and handles. */
  references(chain: ChainID): number {
    return this.#of(chain).references;
  }

  get(chain: ChainID): Layer {
    const layer = this.#of(chain);
    layer.references++;
    let held = true;
    const letGo = (): void => {
      if (!held) throw new VarveError("invalid-argument", "the layer was given back already");
      held = false;
      layer.references--;
    };
    const release = async (): Promise<ReleasedLayer[]> => {
      letGo();
      return this.#layers.get(chain) === layer ? this.#collect(chain) : [];
    };
    return {
      ...layer.info,
      totalSize: () => this.#totalSize(chain),
      tarStream: () => this.#read(chain),
      tarSize: () => tarLength(this.#split(chain)),
      writeTar: () => Promise.reject(new VarveError("unsupported", "layers in memory are only read")),
      splitStream: () => this.#split(chain),
      content: () => Promise.reject(new VarveError("unsupported", "layers in memory have no files")),
      metadata: async () => ({}),
      release,
      forget: letGo,
      [Symbol.asyncDispose]: async () => void (await release()),
    };
  }

  #of(chain: ChainID): { readonly info: LayerInfo; tar: Buffer; references: number } {
    const layer = this.#layers.get(chain);
    if (layer === undefined) throw new VarveError("not-found", "layer does not exist", { chain });
    return layer;
  }

  #totalSize(chain: ChainID | undefined): number {
    if (chain === undefined) return 0;
    const { size, parent } = this.#of(chain).info;
    return size + this.#totalSize(parent);
  }

  #collect(chain: ChainID): ReleasedLayer[] {
    const { info, references } = this.#of(chain);
    if (references > 0) return [];
    this.#layers.delete(chain);
    const { chainID, diffID, cacheID, size, parent } = info;
    const released = { chainID, diffID, cacheID, size };
    if (parent === undefined) return [released];
    this.#of(parent).references--;
    return [released, ...this.#collect(parent)];
  }

  async *#read(chain: ChainID): ByteSource {
    this.reads.set(chain, (this.reads.get(chain) ?? 0) + 1);
    const { tar } = this.#of(chain);
    for (let at = 0; at < tar.length; at += CHUNK) yield tar.subarray(at, at + CHUNK);
  }

  async *#split(chain: ChainID): ByteSource {
    this.splitReads++;
    const lines: string[] = [];
    const tree = { entry: () => "split" as const, data() {}, hole() {}, entryEnd() {} };
    const disassembler = new Disassembler({ line: (text) => void lines.push(text), tree });
    disassembler.write(this.#of(chain).tar);
    disassembler.end();
    yield gzipSync(lines.join(""));
  }
}

const CHUNK = 700;
