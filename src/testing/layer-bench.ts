import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Driver } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import { type ByteSource, collect } from "../io/byte-source.ts";
import { FileMetadata } from "../layer/file-metadata.ts";
import type { Layer } from "../layer/layer.ts";
import type { LayerMetadata } from "../layer/metadata.ts";
import { LayerStore, type LayerStoreOptions } from "../layer/store.ts";
import type { DriverUnderTest } from "./driver-suite.ts";
import { listTree } from "./tree-listing.ts";

/** A temporary data-root, and as many layer stores on it as a test wants, which keep out of each other's way. */
export class LayerBench {
  readonly root: string;
  readonly layerdb: string;
  readonly warnings: string[] = [];
  readonly #subject: DriverUnderTest;
  readonly #drivers: Driver[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(subject: DriverUnderTest) {
    this.#subject = subject;
    this.root = mkdtempSync(join(tmpdir(), "layer-bench-"));
    this.layerdb = join(this.root, "image", subject.name, "layerdb");
  }

  get home(): string {
    return join(this.root, this.#subject.name);
  }

  async driver(): Promise<Driver> {
    const driver = await this.#subject.open({ home: this.home, durability: "none" });
    this.#drivers.push(driver);
    return driver;
  }

  metadata(): LayerMetadata {
    return new FileMetadata(this.layerdb, { sync: false });
  }

  /** A store as another process would open it. */
  async store(options: Partial<LayerStoreOptions> = {}): Promise<LayerStore> {
    return LayerStore.open({
      driver: options.driver ?? (await this.driver()),
      metadata: options.metadata ?? this.metadata(),
      commit: (work) => this.#inTurn(work),
      onWarning: (message) => this.warnings.push(message),
      ...options,
    });
  }

  /**
   * Records and trees, but for times, and for the mark that overlay2 sets on a parent for good once it has had a child.
   * What lies in `varve/` is the drivers' own.
   */
  snapshot(): unknown[] {
    return listTree(this.root)
      .filter(({ path }) => !path.endsWith("/committed") && !/^varve(\/|$)/.test(path))
      .map(({ mtime, ...record }) => record);
  }

  async dispose(): Promise<void> {
    for (const driver of this.#drivers) await driver.cleanup();
    rmSync(this.root, { recursive: true, force: true });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

/** The bytes in pieces of one size, each in the same memory, as a source may give them. */
export async function* inChunks(bytes: Uint8Array, size: number = 1 << 16): ByteSource {
  const window = Buffer.alloc(Math.min(size, bytes.length));
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.subarray(at, at + size);
    window.set(chunk);
    yield window.subarray(0, chunk.length);
  }
}

/** A layer's tar as it comes out of the store. */
export function tarOut(layer: Layer, signal?: AbortSignal): Promise<Buffer> {
  return collect(layer.tarStream({ signal }), 1 << 30);
}

/**
 * Makes the nth call of a driver, a metadata store, or of what those give out, fail, to see that each failure is
 * survived. Those that end something fail after they have done it. Spared are calls that only look, and `abort` and
 * `abandon`, which promise not to fail.
 */
export class Faults {
  #left = Number.POSITIVE_INFINITY;
  /** What failed. */
  struck: string | undefined;

  failAt(call: number): void {
    this.#left = call;
    this.struck = undefined;
  }

  stop(): void {
    this.#left = Number.POSITIVE_INFINITY;
  }

  wrap<T extends object>(target: T, name: string): T {
    return new Proxy(target, {
      get: (_, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof key === "symbol" || SPARED.has(key)) return typeof value === "function" ? value.bind(target) : value;
        if (NESTED.has(key)) return this.wrap(value as object, `${name}.${key}`);
        return typeof value === "function" ? this.#wrapCall(target, value as Call, `${name}.${key}`, key) : value;
      },
    });
  }

  #wrapCall(target: object, call: Call, name: string, key: string): Call {
    return (...args) => {
      const strikes = --this.#left === 0;
      if (strikes) this.struck = name;
      if (strikes && !ENDING.has(key)) throw failure(name);
      const result = call.apply(target, args);
      if (strikes) return Promise.resolve(result).then(() => Promise.reject(failure(name)));
      if (!(result instanceof Promise)) return result;
      return result.then((value: unknown) => (GIVES_OUT.has(key) ? this.wrap(value as object, key) : value));
    };
  }
}

type Call = (...args: unknown[]) => unknown;

const SPARED = new Set([
  ...["abort", "abandon", "name", "home", "full"],
  ...["exists", "ids", "status", "chains", "mounts", "layerStamp", "mountStamp"],
]);
const NESTED = new Set(["sink", "split"]);
const ENDING = new Set(["finish", "put", "cancel"]);
const GIVES_OUT = new Set(["applier", "beginLayer", "beginMount", "setLayerAside", "setMountAside"]);

function failure(name: string): VarveError {
  return new VarveError("no-space", `${name} failed on purpose`);
}
