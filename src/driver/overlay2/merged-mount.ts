import { chownSync, existsSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../../errors.ts";
import type { Identity } from "../../fstree/id-map.ts";
import { isOverlayMount, mount, mountIn, unmount } from "../../sys/mount.ts";
import { makeMissingDirectory } from "../home.ts";
import type { Mountable } from "./counted-mounts.ts";
import { mountFlags } from "./kernel.ts";
import type { Layout } from "./layout.ts";
import { overlayMount } from "./mount-options.ts";

/** The mount that everybody shares: `<id>/merged` (FORMATS 6.4), which exists only as long as it is mounted. */
export class MergedMount implements Mountable {
  readonly name: string;
  readonly #layout: Layout;
  readonly #owner: Identity;
  readonly #readOnly: boolean;

  /** @param options.readOnly to refuse writing even where nothing stands on the tree */
  constructor(layout: Layout, id: string, options: { readonly owner: Identity; readonly readOnly: boolean }) {
    this.name = id;
    this.#layout = layout;
    this.#owner = options.owner;
    this.#readOnly = options.readOnly;
  }

  get path(): string {
    return this.#layout.path(this.name, "merged");
  }

  isMounted(): boolean {
    return existsSync(this.path) && isOverlayMount(this.path);
  }

  mount(): void {
    const { home } = this.#layout;
    const lower = this.#layout.lower(this.name)!;
    const readOnly = this.#readOnly || this.#layout.isCommitted(this.name);
    const { options, from } = overlayMount({ home, id: this.name, lower, readOnly, flags: mountFlags(home) });
    makeMissingDirectory(this.path, 0o700, this.#owner);
    try {
      const request = { source: "overlay", type: "overlay", data: options };
      if (from === undefined) mount({ ...request, target: this.path });
      else mountIn(from, { ...request, target: join(this.name, "merged") });
    } catch (error) {
      rmdirSync(this.path);
      throw error;
    }
    // The kernel made it, for the user who mounts.
    if (!readOnly) chownSync(this.#layout.path(this.name, "work", "work"), this.#owner.uid, this.#owner.gid);
  }

  /** Lazily: what still has files open keeps them. */
  unmount(): void {
    unmount(this.path, { lazy: true });
    try {
      rmdirSync(this.path);
    } catch (error) {
      // A second mount lies under the first, or it is gone already.
      if (!["EBUSY", "ENOENT"].includes(errnoOf(error) ?? "")) throw error;
    }
  }
}
