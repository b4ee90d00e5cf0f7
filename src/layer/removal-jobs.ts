import { removeTree } from "../sys/remove-tree.ts";

/** What workers do for the end of a layer. */
export const removalJobs = {
  async removeTree(path: string): Promise<void> {
    removeTree(path);
  },
};
