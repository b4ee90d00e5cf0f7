import { mkdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VarveError } from "../../errors.ts";
import { FileLock } from "../../sys/lock.ts";
import { removeFile } from "../../sys/remove-file.ts";
import { coded } from "../home.ts";

/** Something that is mounted when its first user comes and unmounted when its last one goes. */
export interface Mountable {
  /** Unique below the lease directory. */
  readonly name: string;
  isMounted(): boolean;
  mount(): void;
  unmount(): void;
}

/**
 * Counts the users of mounts, in this process and among all that share a data-root.
 *
 * A process holds one shared lock (flock) on a mount's lease file as long as its own count is above zero; the kernel
 * ends it with the process. Whoever gives up its lock last unmounts. A mount that exists while nobody has a lease was
 * left behind, by a process that ended without giving back or by a dockerd: it counts as one reference (FORMATS 6.4),
 * which the lease file remembers by a byte of content, and which a release by a process without a count of its own gives
 * back. All changes happen in one exclusive section, the lock on `section`, which lasts for a mount(2) and no longer.
 */
export class CountedMounts {
  readonly #directory: string;
  readonly #own = new Map<string, { count: number; readonly lease: FileLock }>();

  /** @param directory the lease files' own, made when first needed */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Adds a user, mounting for the first one. */
  async hold(target: Mountable): Promise<void> {
    if (this.#joinOwn(target.name)) return;
    await this.#section(() => {
      if (this.#joinOwn(target.name)) return;
      const path = this.#leasePath(target.name);
      if (!this.#isHeld(path)) {
        if (target.isMounted()) writeFileSync(path, LEFT_BEHIND);
        else removeFile(path);
      }
      const lease = FileLock.tryAcquire(path, "shared");
      if (lease === undefined) throw lockedOutside(path);
      try {
        if (!target.isMounted()) target.mount();
      } catch (error) {
        lease.release();
        if (!this.#isHeld(path)) removeFile(path);
        throw error;
      }
      this.#own.set(target.name, { count: 1, lease });
    });
  }

  /** Takes a user away, unmounting after the last one. Without any there is nothing to do. */
  async release(target: Mountable): Promise<void> {
    if (this.#leaveOwn(target.name)) return;
    await this.#section(() => {
      if (this.#leaveOwn(target.name)) return;
      const path = this.#leasePath(target.name);
      const own = this.#own.get(target.name);
      own?.lease.release();
      this.#own.delete(target.name);
      const held = this.#isHeld(path);
      if (own === undefined && held) truncateSync(path);
      if (held || (own !== undefined && wasLeftBehind(path))) return;
      if (target.isMounted()) target.unmount();
      removeFile(path);
    });
  }

  /**
   * Unmounts whatever was left behind.
   *
   * @throws VarveError `in-use` when this process or another one holds the mount
   */
  async clear(target: Mountable): Promise<void> {
    await this.#section(() => {
      const path = this.#leasePath(target.name);
      if (this.#own.has(target.name) || this.#isHeld(path))
        throw new VarveError("in-use", `layer is mounted: ${target.name}`, { id: target.name });
      if (target.isMounted()) target.unmount();
      removeFile(path);
    });
  }

  /** Gives back everything that this process holds, and unmounts each target that no other one does. */
  async clearAll(targets: readonly Mountable[]): Promise<void> {
    await this.#section(() => {
      for (const { lease } of this.#own.values()) lease.release();
      this.#own.clear();
      for (const target of targets) {
        const path = this.#leasePath(target.name);
        if (this.#isHeld(path)) continue;
        if (target.isMounted()) target.unmount();
        removeFile(path);
      }
    });
  }

  #joinOwn(name: string): boolean {
    const own = this.#own.get(name);
    if (own === undefined) return false;
    own.count++;
    return true;
  }

  #leaveOwn(name: string): boolean {
    const own = this.#own.get(name);
    if (own === undefined || own.count === 1) return false;
    own.count--;
    return true;
  }

  async #section(work: () => void): Promise<void> {
    coded(() => mkdirSync(this.#directory, { recursive: true, mode: 0o700 }));
    using _section = await FileLock.acquire(join(this.#directory, "section"), "exclusive");
    coded(work);
  }

  #leasePath(name: string): string {
    return join(this.#directory, `${name}.lease`);
  }

  /** Asked only inside the section, where nobody else locks exclusively. */
  #isHeld(path: string): boolean {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return false;
    using alone = FileLock.tryAcquire(path, "exclusive");
    return alone === undefined;
  }
}

const LEFT_BEHIND = "1";

function wasLeftBehind(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function lockedOutside(path: string): VarveError {
  return new VarveError("locked", `something else has locked ${path}`, { path });
}
