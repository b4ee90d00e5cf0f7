import type { ByteString } from "../sys/byte-string.ts";
import type { Stat } from "../sys/stat.ts";
import { getXattrAt, listXattrsAt } from "../sys/xattr.ts";

/**
 * How a deletion is written down. In a tar, and on disk under fuse-overlayfs, it is a file whose name begins with
 * `.wh.` (the AUFS spelling, FORMATS 8.1); under overlay2 a character device 0:0, and for "nothing of the lower layers
 * shows in this directory" an attribute (FORMATS 6.5).
 */
export const WHITEOUT_PREFIX = ".wh.";
/** Names that begin so are notes of AUFS at the top of a layer, not content. */
export const METADATA_PREFIX = ".wh..wh.";
/** In a directory: hides everything of the lower layers there. */
export const OPAQUE_NAME: ByteString = ".wh..wh..opq" as ByteString;
/** At the top of a layer: regular files that hard links of the same layer may point to. */
export const HARD_LINK_STORE = ".wh..wh.plnk";

/** What the kernel reads from an overlay that root mounted. */
export const OPAQUE_XATTR = "trusted.overlay.opaque";
/** The same for a mount with `userxattr`, and for one of fuse-overlayfs without root. */
export const USER_OPAQUE_XATTR = "user.overlay.opaque";
const OPAQUE_XATTRS: ReadonlySet<string> = new Set([OPAQUE_XATTR, USER_OPAQUE_XATTR, "user.fuseoverlayfs.opaque"]);

export function isWhiteoutName(base: string): boolean {
  return base.startsWith(WHITEOUT_PREFIX);
}

/** The AUFS spelling of the deletion of `base`. */
export function whiteoutName(base: ByteString): ByteString {
  return (WHITEOUT_PREFIX + base) as ByteString;
}

/** The overlay file system's deletion. */
export function isWhiteoutDevice(stat: Stat): boolean {
  return stat.kind === "char" && stat.deviceMajor === 0 && stat.deviceMinor === 0;
}

/** Whether a directory hides the lower layers, in any of the spellings of an attribute. */
export function isOpaqueDirectory(dir: number, name: ByteString): boolean {
  return listXattrsAt(dir, name).some(
    (attribute) => OPAQUE_XATTRS.has(attribute) && getXattrAt(dir, name, attribute)?.toString("latin1") === "y",
  );
}
