import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, VarveError } from "../../errors.ts";
import { isOverlayMount, mount, unmount } from "../../sys/mount.ts";
import { inUserNamespace, isRoot } from "../../sys/rank.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { nearestExisting } from "../home.ts";

/** What the running kernel makes of overlay mounts. Its module tells by files, once a first mount has brought it in. */
const PARAMETERS = "/sys/module/overlay/parameters";

export type Probe =
  | { readonly kind: "works" }
  | { readonly kind: "fails"; readonly reason: string }
  /** Nothing can be tried here: not root, or nowhere to write. */
  | { readonly kind: "unknown"; readonly reason: string };

/**
 * Mounts a scratch overlay in `directory` (or, where that does not exist yet, in the nearest one above) and deletes a
 * file of its lower tree, which shows that kernel and file system carry both overlays and whiteouts. Leaves nothing.
 */
export function probeOverlay(directory: string): Probe {
  if (!isRoot()) return { kind: "unknown", reason: "mounting needs root" };
  let scratch: string;
  try {
    // Docker's name for the same: everything that reads a data-root knows to look past it.
    scratch = mkdtempSync(join(nearestExisting(directory), "check-overlayfs-support"));
  } catch (error) {
    return { kind: "unknown", reason: (error as Error).message };
  }
  try {
    return tryIn(scratch);
  } finally {
    removeTree(scratch);
  }
}

/** Flags that every mount of this driver gets, in Docker's order. */
export function mountFlags(home: string): string[] {
  const flags = [];
  if (hasParameter("index", home)) flags.push("index=off");
  if (inUserNamespace()) flags.push("userxattr");
  return flags;
}

/** Flags for looking at a stack that others made: a file whose content stayed in a lower tree is shown with it. */
export function viewFlags(home: string): string[] {
  const metacopy = hasParameter("metacopy", home) && !inUserNamespace();
  return [...mountFlags(home), ...(metacopy ? ["metacopy=on"] : [])];
}

/**
 * Whether a tree's own directory tells all that the tree changes (FORMATS 6.6). It does not where the kernel moves
 * directories by redirection, and in user namespaces, where whiteouts cannot be made. (The kernels that copied up the
 * opaque mark are older than any that Node runs on.)
 */
export function nativeDiffWorks(home: string): boolean {
  return !inUserNamespace() && !(hasParameter("redirect_dir", home) && readParameter("redirect_dir") === "Y");
}

function hasParameter(name: string, home: string): boolean {
  if (!existsSync(PARAMETERS)) probeOverlay(home);
  return existsSync(join(PARAMETERS, name));
}

function readParameter(name: string): string {
  return readFileSync(join(PARAMETERS, name), "utf8").trim();
}

/** Where the kernel can (Linux 5.10), an overlay that is not synced when it goes: that would wait for the whole file system. */
function mountVolatile(target: string, options: readonly string[]): void {
  const overlay = { source: "overlay", target, type: "overlay" };
  try {
    mount({ ...overlay, data: [...options, "volatile"].join(",") });
  } catch (error) {
    if (errnoOf(error) !== "EINVAL") throw error;
    mount({ ...overlay, data: options.join(",") });
  }
}

function tryIn(scratch: string): Probe {
  const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map((name) => {
    mkdirSync(join(scratch, name));
    return join(scratch, name);
  }) as [string, string, string, string];
  writeFileSync(join(lower, "file"), "");
  const data = [
    ...(inUserNamespace() ? ["userxattr"] : []),
    `lowerdir=${lower}`,
    `upperdir=${upper}`,
    `workdir=${work}`,
  ];
  try {
    mountVolatile(merged, data);
    unlinkSync(join(merged, "file"));
    if (readdirSync(merged).length > 0)
      return { kind: "fails", reason: "the file system does not tell file types (d_type)" };
    return { kind: "works" };
  } catch (error) {
    if (error instanceof VarveError || "code" in (error as Error))
      return { kind: "fails", reason: (error as Error).message };
    throw error;
  } finally {
    if (isOverlayMount(merged)) unmount(merged, { lazy: true });
  }
}
