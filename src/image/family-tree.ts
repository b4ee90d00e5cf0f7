import type { ImageID } from "./image.ts";

/**
 * Which image was made from which. A recorded parent need not exist (any more); it then has no parent itself. There are
 * no circles, whatever was recorded on disk.
 */
export class FamilyTree {
  readonly #parents = new Map<ImageID, ImageID>();
  readonly #children = new Map<ImageID, Set<ImageID>>();

  /** Sets the parent of an image. @returns false, with nothing changed, when the image is the parent or above it */
  link(id: ImageID, parent: ImageID): boolean {
    if (id === parent || this.#isAbove(id, parent)) return false;
    this.unlink(id);
    this.#parents.set(id, parent);
    const siblings = this.#children.get(parent) ?? new Set();
    this.#children.set(parent, siblings.add(id));
    return true;
  }

  /** Forgets the parent of an image. */
  unlink(id: ImageID): void {
    const parent = this.#parents.get(id);
    if (parent === undefined) return;
    this.#parents.delete(id);
    const siblings = this.#children.get(parent)!;
    siblings.delete(id);
    if (siblings.size === 0) this.#children.delete(parent);
  }

  parent(id: ImageID): ImageID | undefined {
    return this.#parents.get(id);
  }

  /** Sorted. */
  children(id: ImageID): ImageID[] {
    return [...(this.#children.get(id) ?? [])].sort();
  }

  hasChildren(id: ImageID): boolean {
    return this.#children.has(id);
  }

  #isAbove(id: ImageID, other: ImageID): boolean {
    for (let above = this.#parents.get(other); above !== undefined; above = this.#parents.get(above))
      if (above === id) return true;
    return false;
  }
}
