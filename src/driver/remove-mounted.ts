import { setTimeout } from "node:timers/promises";
import { asVarveError, errnoOf } from "../errors.ts";
import { mountPointsBelow, unmount } from "../sys/mount.ts";

const TRIES = 50;
const PAUSE_MS = 100;

/** Unmounts whatever is mounted in a directory and removes it, again and again while others keep it busy (FORMATS 6.3). */
export async function removeMounted(path: string, remove: () => Promise<void> | void): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      for (const mounted of mountPointsBelow(path).reverse()) unmount(mounted, { lazy: true });
      await remove();
      return;
    } catch (error) {
      if (errnoOf(error) !== "EBUSY" || tries === TRIES) throw asVarveError(error);
    }
    await setTimeout(PAUSE_MS);
  }
}
