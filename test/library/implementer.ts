/** What somebody writes who brings a driver and an image backend of his own, with what the package exports; it only compiles. */
import { type ByteSource, type ImageID, VarveError } from "varve";
import type {
  ApplyPlan,
  Change,
  DiffApplier,
  Driver,
  DriverOptions,
  GetOptions,
  IdMap,
  LayerContent,
  ParallelApply,
} from "varve/driver";
import type { EntrySink, Header, PayloadHome } from "varve/tar";
import {
  compareTrees,
  type DriverUnderTest,
  driverSuite,
  type ImageBackend,
  imageBackendSuite,
  layerStoreSuite,
  listTree,
} from "varve/testing";

class MyDriver implements Driver, ParallelApply {
  readonly name = "mine";
  readonly appliesInParallel = true;
  readonly home: string;
  readonly idMap: IdMap | undefined;

  constructor(options: DriverOptions) {
    this.home = options.home;
    this.idMap = options.idMap;
  }

  async create(id: string, parent?: string): Promise<void> {
    throw new VarveError("unsupported", `${id} on ${parent}`, { id });
  }

  async createReadWrite(id: string): Promise<void> {
    await this.create(id);
  }

  applyPlan(id: string): ApplyPlan {
    return { directory: `${this.home}/${id}`, semantics: "overlay" };
  }

  async syncTrees(): Promise<void> {}

  async restack(id: string, parent: string): Promise<void> {
    await this.create(id, parent);
  }

  async remove(): Promise<void> {}

  exists(): boolean {
    return false;
  }

  ids(): string[] {
    return [];
  }

  async get(id: string, options?: GetOptions): Promise<string> {
    return `${this.home}/${id}${options?.readOnly === true ? "" : "-rw"}`;
  }

  async put(): Promise<void> {}

  async view(id: string): Promise<{ readonly path: string; close(): void }> {
    return { path: `${this.home}/${id}`, close() {} };
  }

  async applier(): Promise<DiffApplier> {
    return { sink: new MySink(), finish: async () => 0, abort: async () => {} };
  }

  async diff(): Promise<ByteSource> {
    return (async function* () {})();
  }

  async changes(): Promise<Change[]> {
    return [];
  }

  async diffSize(): Promise<number> {
    return 0;
  }

  async content(): Promise<LayerContent> {
    return { open: () => 0, close() {} };
  }

  async metadata(): Promise<Record<string, string>> {
    return {};
  }

  status(): [string, string][] {
    return [["Kind", "mine"]];
  }

  async cleanup(): Promise<void> {}
}

class MySink implements EntrySink {
  entry(header: Header): PayloadHome {
    return header.size > 0 ? "tree" : "split";
  }

  data(): void {}
  hole(): void {}
  entryEnd(): void {}
}

class MyBackend implements ImageBackend {
  readonly #images = new Map<ImageID, Buffer>();

  ids(): ImageID[] {
    return [...this.#images.keys()];
  }

  get(id: ImageID): Buffer {
    const raw = this.#images.get(id);
    if (raw === undefined) throw new VarveError("not-found", id);
    return raw;
  }

  set(raw: Uint8Array): ImageID {
    const id: ImageID = `sha256:${Buffer.from(raw).toString("hex")}`;
    this.#images.set(id, Buffer.from(raw));
    return id;
  }

  delete(id: ImageID): void {
    this.#images.delete(id);
  }

  metadata(): Buffer | undefined {
    return undefined;
  }

  setMetadata(): void {}
  deleteMetadata(): void {}
}

const mine: DriverUnderTest = { name: "mine", stacks: false, open: (options) => new MyDriver(options) };
driverSuite(mine);
layerStoreSuite(mine);
imageBackendSuite("mine", () => ({ backend: new MyBackend(), close() {} }));
console.log(compareTrees(listTree("/a"), listTree("/b"), [".:mtime"]).length);
