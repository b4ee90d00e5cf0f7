import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Identity } from "../../fstree/id-map.ts";
import { closeFile } from "../../sys/at.ts";
import { type ByteString, fromText } from "../../sys/byte-string.ts";
import { mount, mountPointsBelow, unmount } from "../../sys/mount.ts";
import { cleanName, TreeRoot } from "../../sys/tree-root.ts";
import type { HostMount } from "./host-mounts.ts";
import { refused } from "./refusal.ts";
import { makeWorkingDirectory } from "./working-directory.ts";

const MS_RDONLY = 0x1;
const MS_REMOUNT = 0x20;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_PRIVATE = 0x40000;

/**
 * A container's file system with its volumes and binds in it, for as long as this is not disposed of, at a place of its own:
 * who else looks at the container does not see them.
 */
export class MountedContainer implements Disposable {
  readonly path: string;
  readonly #mounts: readonly HostMount[];
  readonly #isOwnPlace: boolean;

  /**
   * @param container where its file system is mounted
   * @param mounts those that others lie in first
   * @param options.owner root inside; places that are missing become its directories, as with Docker
   * @param options.places the directory for the place, which has the container's `id` in its name for `sweepMounts`
   */
  constructor(
    container: string,
    mounts: readonly HostMount[],
    { owner, id, places }: { readonly owner: Identity; readonly id: string; readonly places: string },
  ) {
    this.#mounts = mounts;
    this.#isOwnPlace = this.#mounts.length > 0;
    if (this.#isOwnPlace) mkdirSync(places, { recursive: true, mode: 0o700 });
    this.path = this.#isOwnPlace ? mkdtempSync(join(places, `${id}-`)) : container;
    if (!this.#isOwnPlace) return;
    try {
      bind(container, this.path);
      makePrivate(this.path);
      for (const point of mounts) this.#add(point, owner);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Docker's check of a place that is to be written to.
   *
   * @throws VarveError `invalid-argument` with Docker's text, `not-found`
   */
  checkWritable(directory: ByteString, hasReadonlyRoot: boolean): void {
    const real = this.#realPath(directory);
    const isIn = ({ destination }: HostMount): boolean => real === destination || real.startsWith(`${destination}/`);
    const found = this.#mounts.find(isIn);
    if (found?.isWritable === false) throw refused("mounted volume is marked read-only");
    if (found === undefined && hasReadonlyRoot) throw refused("container rootfs is marked read-only");
  }

  [Symbol.dispose](): void {
    if (this.#isOwnPlace) clear(this.path);
  }

  #add({ source, destination, isWritable, mustExist }: HostMount, owner: Identity): void {
    if (!mustExist) mkdirSync(source, { recursive: true });
    if (statSync(source).isDirectory()) makeWorkingDirectory(this.path, destination, owner);
    using root = new TreeRoot(this.path);
    const place = root.openPlace(cleanName(fromText(destination)));
    try {
      const target = `/proc/self/fd/${place}`;
      bind(source, target);
    } finally {
      closeFile(place);
    }
    this.#seal(destination, isWritable);
  }

  /** The place is another one since something is mounted there. */
  #seal(destination: string, isWritable: boolean): void {
    using root = new TreeRoot(this.path);
    const place = root.openPlace(cleanName(fromText(destination)));
    try {
      const target = `/proc/self/fd/${place}`;
      makePrivate(target);
      const flags = MS_BIND | MS_REMOUNT | MS_RDONLY;
      if (!isWritable) mount({ source: "", target, type: "", flags, data: "" });
    } finally {
      closeFile(place);
    }
  }

  /** As the container sees it, links followed. */
  #realPath(directory: ByteString): string {
    using root = new TreeRoot(this.path);
    const place = root.openPlace(cleanName(directory));
    try {
      const top = readlinkSync(`/proc/self/fd/${root.fd}`);
      return readlinkSync(`/proc/self/fd/${place}`).slice(top.length) || "/";
    } finally {
      closeFile(place);
    }
  }
}

function bind(source: string, target: string): void {
  mount({ source, target, type: "", flags: MS_BIND | MS_REC, data: "" });
}

/** Otherwise what is unmounted below it would be unmounted where it came from as well, if that is shared. */
function makePrivate(target: string): void {
  mount({ source: "", target, type: "", flags: MS_REC | MS_PRIVATE, data: "" });
}

/**
 * Clears away what processes that died have left. To be called inside the root's lock.
 *
 * @param isHeld whether somebody is at work on a container
 */
export function sweepMounts(places: string, isHeld: (id: string) => boolean): void {
  if (!existsSync(places)) return;
  for (const name of readdirSync(places)) if (!isHeld(name.slice(0, name.indexOf("-")))) clear(join(places, name));
}

/** Whoever has a file open there keeps it, out of the way. */
function clear(place: string): void {
  if (mountPointsBelow(dirname(place)).includes(place)) {
    makePrivate(place);
    unmount(place, { lazy: true });
  }
  rmdirSync(place);
}
