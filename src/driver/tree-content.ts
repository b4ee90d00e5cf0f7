import { isVarveError } from "../errors.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { TreeRoot } from "../sys/tree-root.ts";
import type { LayerContent, View } from "./driver.ts";

/**
 * A layer's files in its own tree. A layer that was applied to a mounted stack may have written through links of the
 * layers below (FORMATS 8.11); a name that its own tree does not lead to is then looked up in the whole stack.
 */
export class TreeContent implements LayerContent {
  readonly #own: TreeRoot;
  readonly #openStack: (() => View) | undefined;
  #stack: { readonly view: View; readonly root: TreeRoot } | undefined;

  constructor(root: string, openStack?: () => View) {
    this.#own = new TreeRoot(root);
    this.#openStack = openStack;
  }

  open(name: ByteString): number {
    try {
      return this.#own.openFile(name);
    } catch (error) {
      if (this.#openStack === undefined || !isVarveError(error)) throw error;
      return this.#stackRoot(this.#openStack).openFile(name);
    }
  }

  close(): void {
    this.#own.close();
    this.#stack?.root.close();
    this.#stack?.view.close();
  }

  #stackRoot(open: () => View): TreeRoot {
    if (this.#stack === undefined) {
      const view = open();
      try {
        this.#stack = { view, root: new TreeRoot(view.path) };
      } catch (error) {
        view.close();
        throw error;
      }
    }
    return this.#stack.root;
  }
}
