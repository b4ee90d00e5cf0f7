import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ChainID } from "../digest/chain-id.ts";
import { hexOf } from "../digest/digest.ts";
import { randomID } from "../digest/random-id.ts";
import { errnoOf } from "../errors.ts";

/**
 * Layers of which it is not sure that anything needs them: made for an image that is not there yet, or freed by the
 * deletion of one that was. Whoever raises a doubt settles it when he is done; the doubts of a process that died are for
 * the next writer, who deletes the layer if nothing refers to it. Layers that nothing refers to and nobody doubts are
 * left alone: BuildKit may know them.
 *
 * A doubt is an empty file, `<root>/varve/doubts/<chain hex>.<64 hex>`.
 */
export class Doubts {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** To be called inside the root lock. What is returned settles this doubt and no other one. */
  raise(chain: ChainID): Disposable {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = join(this.#directory, `${hexOf(chain)}.${randomID()}`);
    closeSync(openSync(path, "wx", 0o600));
    return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
  }

  /** Every doubt, by layer. */
  all(): Map<ChainID, Disposable> {
    const doubts = new Map<ChainID, Disposable>();
    for (const name of this.#names()) {
      const chain: ChainID = `sha256:${name.split(".", 1)[0]}`;
      const earlier = doubts.get(chain);
      doubts.set(chain, {
        [Symbol.dispose]: () => {
          rmSync(join(this.#directory, name), { force: true });
          earlier?.[Symbol.dispose]();
        },
      });
    }
    return doubts;
  }

  #names(): string[] {
    try {
      return readdirSync(this.#directory).filter((name) => /^[0-9a-f]{64}\.[0-9a-f]{64}$/.test(name));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }
}
