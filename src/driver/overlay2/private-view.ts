import { closeSync, constants, mkdtempSync, openSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mount, mountIn, unmount } from "../../sys/mount.ts";
import type { View } from "../driver.ts";
import { coded } from "../home.ts";
import type { OverlayMount } from "./mount-options.ts";

/**
 * Mounts a stack read-only for this process alone: the mount is taken out of the name space as soon as a descriptor
 * holds it, so it needs no counting, appears nowhere under the data-root (a dockerd that is living there never sees it)
 * and ends with the process at the latest.
 */
export function privateView(stack: OverlayMount): View {
  return coded(() => mountPrivately(stack));
}

function mountPrivately({ options, from }: OverlayMount): View {
  const target = mkdtempSync(join(tmpdir(), "varve-view-"));
  try {
    const request = { source: "overlay", target, type: "overlay", data: options };
    if (from === undefined) mount(request);
    else mountIn(from, request);
    const fd = openMounted(target);
    // The trailing dot makes it an ordinary directory also for those who refuse to follow links.
    return { path: `/proc/self/fd/${fd}/.`, close: () => closeSync(fd) };
  } finally {
    rmdirSync(target);
  }
}

function openMounted(target: string): number {
  try {
    return openSync(target, constants.O_RDONLY | constants.O_DIRECTORY);
  } finally {
    unmount(target, { lazy: true });
  }
}
