import type { GraphID } from "./descriptor.ts";

/** Who is using which layers: a pull or a build, under a name of its own, keeps them from being deleted. */
export class Holders {
  readonly #byImage = new Map<GraphID, Set<string>>();

  retain(holder: string, ids: Iterable<GraphID>): void {
    for (const id of ids) {
      const holders = this.#byImage.get(id) ?? new Set();
      this.#byImage.set(id, holders.add(holder));
    }
  }

  /** What the holder does not hold is passed over. */
  release(holder: string, ids: Iterable<GraphID>): void {
    for (const id of ids) {
      const holders = this.#byImage.get(id);
      holders?.delete(holder);
      if (holders?.size === 0) this.#byImage.delete(id);
    }
  }

  of(id: GraphID): readonly string[] {
    return [...(this.#byImage.get(id) ?? [])];
  }
}
