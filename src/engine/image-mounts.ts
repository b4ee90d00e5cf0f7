import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { hexOf } from "../digest/digest.ts";
import type { Driver } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import type { ImageID } from "../image/image.ts";
import { isOverlayMount, mount, mountPointsBelow, unmount } from "../sys/mount.ts";
import { isRoot } from "../sys/rank.ts";

const MS_RDONLY = 1;
const MS_REMOUNT = 32;
const MS_BIND = 4096;

/**
 * Images mounted for looking only, so that nobody can write into a layer. Where the driver stacks layers by a mount, that
 * mount is read-only; where a tree is one directory (a base layer, vfs), it is shown through a read-only bind mount at
 * `<root>/varve/images/<image hex>`. Mounts outlive their process; an image's removal takes its own down.
 */
export class ImageMounts {
  readonly #driver: Driver;
  readonly #directory: string;

  constructor(driver: Driver, directory: string) {
    this.#driver = driver;
    this.#directory = directory;
  }

  /**
   * @param tree the image's top layer in the driver
   * @throws VarveError `permission` without root
   */
  async mount(image: ImageID, tree: string): Promise<string> {
    if (!isRoot()) throw new VarveError("permission", "mounting an image needs root; ls, cat and cp do not");
    const path = await this.#driver.get(tree, { readOnly: true });
    try {
      return isOverlayMount(path) ? path : this.#bind(image, path);
    } catch (error) {
      await this.#driver.put(tree);
      throw error;
    }
  }

  async unmount(image: ImageID, tree: string): Promise<void> {
    this.drop(image);
    await this.#driver.put(tree);
  }

  /** Takes the bind mount of an image down, if it has one. */
  drop(image: ImageID): void {
    const target = this.#path(image);
    if (!existsSync(target)) return;
    if (this.#isBound(target)) unmount(target, { lazy: true });
    rmdirSync(target);
  }

  #bind(image: ImageID, source: string): string {
    const target = this.#path(image);
    mkdirSync(target, { recursive: true, mode: 0o700 });
    if (this.#isBound(target)) return target;
    const request = { source, target, type: "none", data: "" };
    mount({ ...request, flags: MS_BIND });
    try {
      mount({ ...request, flags: MS_BIND | MS_REMOUNT | MS_RDONLY });
    } catch (error) {
      this.drop(image);
      throw error;
    }
    return target;
  }

  #isBound(target: string): boolean {
    return mountPointsBelow(this.#directory).includes(target);
  }

  #path(image: ImageID): string {
    return join(this.#directory, hexOf(image));
  }
}
