import { join } from "node:path";
import { VarveError } from "../../errors.ts";

/** One overlay mount as mount(2) wants it (FORMATS 6.4). */
export interface OverlayMount {
  readonly options: string;
  /** The directory that relative paths in `options` and the target start from; `undefined` when all are absolute. */
  readonly from: string | undefined;
}

export interface OverlayTree {
  readonly home: string;
  readonly id: string;
  /** What the tree's `lower` file says: `l/<link>` entries, nearest first. */
  readonly lower: string;
  readonly readOnly: boolean;
  /** `index=off` and the like, before everything else. */
  readonly flags: readonly string[];
}

/** mount(2) copies one page of options; 4096 is the smallest page there is. */
const OPTIONS_LIMIT = 4096 - 1;
const SEPARATOR = /[,:\\]/;

/**
 * The options that stack a tree on its lowers. Paths become relative to the home when the absolute ones are too many for
 * one page, or when the home's own path would fall apart at a `:` or `,`.
 *
 * @throws VarveError `unsupported` when the relative ones do not fit either
 */
export function overlayMount({ home, id, lower, readOnly, flags }: OverlayTree): OverlayMount {
  const absolute = [...flags, ...stack(home, id, absoluteLowers(home, lower), readOnly)].join(",");
  if (fits(absolute) && !SEPARATOR.test(home)) return { options: absolute, from: undefined };
  const relative = [...flags, ...stack("", id, lower, readOnly)].join(",");
  if (fits(relative)) return { options: relative, from: home };
  throw new VarveError("unsupported", `cannot mount layer, mount label too large ${relative.length}`, { id });
}

export function absoluteLowers(home: string, lower: string): string {
  return lower
    .split(":")
    .map((link) => join(home, link))
    .join(":");
}

function fits(options: string): boolean {
  return Buffer.byteLength(options) <= OPTIONS_LIMIT;
}

function stack(home: string, id: string, lowers: string, readOnly: boolean): string[] {
  const diff = join(home, id, "diff");
  if (readOnly) return [`lowerdir=${diff}:${lowers}`];
  return [`lowerdir=${lowers}`, `upperdir=${diff}`, `workdir=${join(home, id, "work")}`];
}
