import { isVarveError } from "../../errors.ts";
import type { StrayTree, TreeIdentity } from "../../layer/identity-jobs.ts";
import type { GraphID, GraphImage } from "../descriptor.ts";
import type { MigrationContext } from "./migration.ts";
import { isAcross } from "./plan.ts";

interface GraphTree extends StrayTree {
  readonly cacheID: GraphID;
}

/**
 * Reads the layers of all images and notes which ones they are. It is the long part of a migration, and goes on while the
 * images whose layers were read are published.
 */
export class LayerReading {
  /** All of it. What is wrong with a single layer is in the report. */
  readonly done: Promise<void>;
  readonly #context: MigrationContext;
  readonly #unread: Set<GraphID>;
  #wake = (): void => {};

  /** @param images in the order in which they will be wanted */
  constructor(context: MigrationContext, images: readonly GraphImage[], signal: AbortSignal) {
    const { state } = context;
    this.#context = context;
    const unread = images.filter(({ id }) => !isAcross(context, id) && state.layer(id) === undefined);
    this.#unread = new Set(unread.map(({ id }) => id));
    this.done = this.#read(unread, signal).finally(() => {
      this.#unread.clear();
      this.#wake();
    });
  }

  /** Waits for the layer of an image, for one who asks for one after the other. It may turn out to be unreadable. */
  async until(id: GraphID): Promise<void> {
    while (this.#unread.has(id))
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  async #read(images: readonly GraphImage[], signal: AbortSignal): Promise<void> {
    const { files, state, layers, report } = this.#context;
    const trees = images.map(({ id, parent }): GraphTree => {
      return { cacheID: id, parent, split: files.tarData(id), newSplit: state.newSplit(id) };
    });
    const bytes = images.reduce((sum, { id }) => sum + this.#sizeOf(id), 0);
    let done = 0;
    await layers.identifyTrees(trees, {
      bytes,
      signal,
      onTree: ({ cacheID: id }, identity) => {
        done++;
        if (isVarveError(identity)) report.leaveOver("image", id, identity);
        else this.#note(id, identity);
        report.tell({ kind: "checksum", id, done, total: trees.length });
        this.#unread.delete(id);
        this.#wake();
      },
    });
  }

  #note(id: GraphID, identity: TreeIdentity): void {
    const { files, state, report, warn } = this.#context;
    try {
      state.noteLayer(id, identity);
    } catch (error) {
      report.leaveOver("image", id, error);
    }
    if (identity.reason !== undefined)
      warn(`image ${id}: ${files.tarData(id)} does not fit its files: ${identity.reason}`);
  }

  /** As far as somebody has counted it, and can be believed. */
  #sizeOf(id: GraphID): number {
    try {
      return this.#context.files.size(id) ?? 0;
    } catch (error) {
      if (isVarveError(error, "corrupt")) return 0;
      throw error;
    }
  }
}
