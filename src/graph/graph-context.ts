import type { Driver } from "../driver/driver.ts";
import type { EntryFiles } from "./entry-files.ts";

/** What the parts of one graph share. */
export interface GraphContext {
  readonly files: EntryFiles;
  readonly driver: Driver;
  /** Whether changes outlive a power loss. */
  readonly sync: boolean;
  /** Whether a tree of the driver is also somebody else's. */
  usedElsewhere(tree: string): boolean;
  warn(message: string): void;
}
