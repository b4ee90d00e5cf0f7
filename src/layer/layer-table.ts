import { type ChainID, type DiffID, extendChain } from "../digest/chain-id.ts";
import { VarveError } from "../errors.ts";
import { type BrokenLayer, type Descriptor, type LayerInfo, MAX_DEPTH } from "./layer.ts";
import type { LayerMetadata, LayerRecord, MountRecord } from "./metadata.ts";

/**
 * What the records on disk say, in memory (FORMATS 2.5), with the references that keep each layer alive: its children,
 * the writable layers on it, and the handles that are out. An entry is one object for as long as its chain is known,
 * so that handles survive every `refresh`; when its record vanished, it is `gone` for good.
 *
 * Broken records are left out and listed. What Docker does not mind either is only warned of.
 */
export class LayerTable {
  readonly layers: Map<ChainID, LayerEntry> = new Map();
  readonly mounts: Map<string, MountEntry> = new Map();
  readonly #metadata: LayerMetadata;
  readonly #warn: (message: string) => void;
  #broken: readonly BrokenLayer[] = [];

  constructor(metadata: LayerMetadata, warn: (message: string) => void) {
    this.#metadata = metadata;
    this.#warn = warn;
  }

  get broken(): readonly BrokenLayer[] {
    return this.#broken;
  }

  /** Makes memory agree with the disk. Reads only records that are new or other than before. */
  refresh(): void {
    const broken: BrokenLayer[] = [];
    this.#refreshLayers(broken);
    this.#refreshMounts(broken);
    for (const { kind, name, reason } of newAmong(broken, this.#broken)) this.#warn(`${kind} ${name}: ${reason}`);
    this.#broken = broken;
  }

  /** Whether memory still agrees with the disk about one chain. */
  isCurrent(chain: ChainID): boolean {
    return this.layers.get(chain)?.stamp === this.#metadata.layerStamp(chain);
  }

  /** Takes in a record that was just published. */
  add(chain: ChainID, record: LayerRecord): LayerEntry {
    const parent = record.parent === undefined ? undefined : this.layers.get(record.parent);
    const entry = new LayerEntry(chain, record, parent, this.#metadata.layerStamp(chain) ?? "");
    this.layers.set(chain, entry);
    return entry;
  }

  /** Forgets a layer, and the reference that it has to its parent. */
  drop(entry: LayerEntry): void {
    entry.gone = true;
    this.layers.delete(entry.chainID);
    if (entry.parentEntry !== undefined) entry.parentEntry.references--;
  }

  addMount(name: string, record: MountRecord): MountEntry {
    const parent = record.parent === undefined ? undefined : this.layers.get(record.parent);
    const entry = new MountEntry(name, record, parent, this.#metadata.mountStamp(name) ?? "");
    this.mounts.set(name, entry);
    if (parent !== undefined) parent.references++;
    return entry;
  }

  dropMount(entry: MountEntry): void {
    entry.gone = true;
    this.mounts.delete(entry.name);
    if (entry.parent !== undefined) entry.parent.references--;
  }

  /** Driver trees that a known record names. */
  trees(): Set<string> {
    const trees = new Set<string>();
    for (const { cacheID } of this.layers.values()) trees.add(cacheID);
    for (const { record } of this.mounts.values()) {
      trees.add(record.mountID);
      if (record.initID !== undefined) trees.add(record.initID);
    }
    return trees;
  }

  #refreshLayers(broken: BrokenLayer[]): void {
    const chains = this.#metadata.chains();
    const present = new Set(chains);
    for (const entry of [...this.layers.values()]) if (!present.has(entry.chainID)) this.drop(entry);
    const outcome: Outcomes = new Map();
    for (const chain of chains) this.#settle(chain, present, outcome);
    for (const chain of chains) {
      const result = outcome.get(chain);
      if (typeof result === "object" && !(result instanceof LayerEntry)) broken.push(result);
    }
  }

  /** Loads a chain after all that lie below it, without recursion, since a chain on disk may be long or a circle. */
  #settle(chain: ChainID, present: ReadonlySet<ChainID>, outcome: Outcomes): void {
    const stack: Found[] = [];
    for (let next: ChainID | undefined = chain; next !== undefined && !outcome.has(next); ) {
      const found: Found | BrokenLayer = this.#read(next, present);
      if ("cause" in found) {
        this.#loseBroken(next, found, outcome);
        break;
      }
      stack.push(found);
      outcome.set(next, UNDERWAY);
      next = found.record.parent;
      if (next === undefined || outcome.get(next) !== UNDERWAY) continue;
      for (const item of stack)
        this.#loseBroken(item.chain, brokenLayer(item.chain, `the parents of ${next} lead back to it`), outcome);
      return;
    }
    for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
      const taken = this.#take(item, outcome);
      if (taken instanceof LayerEntry) outcome.set(item.chain, taken);
      else this.#loseBroken(item.chain, taken, outcome);
    }
  }

  #read(chain: ChainID, present: ReadonlySet<ChainID>): Found | BrokenLayer {
    const stamp = present.has(chain) ? this.#metadata.layerStamp(chain) : undefined;
    if (stamp === undefined) return brokenLayer(chain, "its record does not exist");
    const known = this.layers.get(chain);
    if (known?.stamp === stamp) return { chain, stamp, record: known.record };
    try {
      return { chain, stamp, record: this.#metadata.readLayer(chain, stamp) };
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      return brokenLayer(chain, error.message, error);
    }
  }

  #take({ chain, stamp, record }: Found, outcome: Outcomes): LayerEntry | BrokenLayer {
    const below = record.parent === undefined ? undefined : (outcome.get(record.parent) as LayerEntry | BrokenLayer);
    if (below !== undefined && !(below instanceof LayerEntry))
      return brokenLayer(chain, `its parent ${record.parent} cannot be used: ${below.reason}`, below.cause);
    const known = this.layers.get(chain);
    if (known?.stamp === stamp && known.parentEntry === below) return known;
    if (extendChain(record.parent, record.diffID) !== chain)
      this.#warn(
        `layer ${chain}: its parent and its diff make another chain, ${extendChain(record.parent, record.diffID)}`,
      );
    const entry = known ?? new LayerEntry(chain, record, below, stamp);
    if (known !== undefined) known.become(record, below, stamp);
    if (entry.depth === MAX_DEPTH + 1)
      this.#warn(`layer ${chain}: it is number ${entry.depth} of its stack, and no more than ${MAX_DEPTH} can be made`);
    this.layers.set(chain, entry);
    return entry;
  }

  #loseBroken(chain: ChainID, reason: BrokenLayer, outcome: Outcomes): void {
    outcome.set(chain, reason);
    const entry = this.layers.get(chain);
    if (entry !== undefined) this.drop(entry);
  }

  #refreshMounts(broken: BrokenLayer[]): void {
    const names = this.#metadata.mounts();
    const present = new Set(names);
    for (const entry of [...this.mounts.values()]) if (!present.has(entry.name)) this.dropMount(entry);
    for (const name of names) {
      const known = this.mounts.get(name);
      if (known !== undefined && known.stamp === this.#metadata.mountStamp(name) && known.parent?.gone !== true)
        continue;
      if (known !== undefined) this.dropMount(known);
      const reason = this.#takeMount(name);
      if (reason !== undefined) broken.push({ kind: "mount", name, reason: reason.message, cause: reason });
    }
  }

  #takeMount(name: string): VarveError | undefined {
    try {
      const record = this.#metadata.readMount(name);
      if (record.parent !== undefined && !this.layers.has(record.parent))
        return new VarveError("corrupt", `its parent ${record.parent} cannot be used`, { name, parent: record.parent });
      this.addMount(name, record);
      return undefined;
    } catch (error) {
      if (error instanceof VarveError) return error;
      throw error;
    }
  }
}

export class LayerEntry implements LayerInfo {
  readonly chainID: ChainID;
  /** Children, writable layers and handles. */
  references = 0;
  gone = false;
  #record: LayerRecord;
  #parent: LayerEntry | undefined;
  #stamp: string;
  #depth: number;

  /** Takes a reference to the parent. */
  constructor(chainID: ChainID, record: LayerRecord, parent: LayerEntry | undefined, stamp: string) {
    this.chainID = chainID;
    this.#record = record;
    this.#parent = parent;
    this.#stamp = stamp;
    this.#depth = depthOn(parent);
    if (parent !== undefined) parent.references++;
  }

  /** Follows a record that took the place of the former one. Moves the reference to the parent. */
  become(record: LayerRecord, parent: LayerEntry | undefined, stamp: string): void {
    if (this.#parent !== undefined) this.#parent.references--;
    if (parent !== undefined) parent.references++;
    this.#record = record;
    this.#parent = parent;
    this.#stamp = stamp;
    this.#depth = depthOn(parent);
  }

  get record(): LayerRecord {
    return this.#record;
  }
  get stamp(): string {
    return this.#stamp;
  }
  get parentEntry(): LayerEntry | undefined {
    return this.#parent;
  }
  get diffID(): DiffID {
    return this.#record.diffID;
  }
  get parent(): ChainID | undefined {
    return this.#record.parent;
  }
  get cacheID(): string {
    return this.#record.cacheID;
  }
  get size(): number {
    return this.#record.size;
  }
  get descriptor(): Descriptor | undefined {
    return this.#record.descriptor;
  }
  get depth(): number {
    return this.#depth;
  }
  totalSize(): number {
    let total = 0;
    for (let entry: LayerEntry | undefined = this; entry !== undefined; entry = entry.#parent) total += entry.size;
    return total;
  }
}

function depthOn(parent: LayerEntry | undefined): number {
  return parent === undefined ? 1 : parent.depth + 1;
}

export class MountEntry {
  readonly name: string;
  readonly record: MountRecord;
  readonly parent: LayerEntry | undefined;
  readonly stamp: string;
  /** Mounts that this process made and has not undone. */
  mountCount = 0;
  gone = false;

  constructor(name: string, record: MountRecord, parent: LayerEntry | undefined, stamp: string) {
    this.name = name;
    this.record = record;
    this.parent = parent;
    this.stamp = stamp;
  }
}

interface Found {
  readonly chain: ChainID;
  readonly stamp: string;
  readonly record: LayerRecord;
}

/** Of a chain whose parents are still being looked at. */
const UNDERWAY = "underway";
type Outcomes = Map<ChainID, LayerEntry | BrokenLayer | typeof UNDERWAY>;

function brokenLayer(chain: ChainID, reason: string, cause?: VarveError): BrokenLayer {
  return { kind: "layer", name: chain, reason, cause: cause ?? new VarveError("corrupt", reason, { chainID: chain }) };
}

function newAmong(now: readonly BrokenLayer[], before: readonly BrokenLayer[]): BrokenLayer[] {
  const seen = new Set(before.map(({ kind, name, reason }) => `${kind} ${name} ${reason}`));
  return now.filter(({ kind, name, reason }) => !seen.has(`${kind} ${name} ${reason}`));
}
