import { fileSystemMagic } from "../sys/mount.ts";
import { nearestExisting } from "./home.ts";

/** What `docker info` calls the file system below a driver's home; the numbers are those of statfs(2). */
export function backingFileSystem(home: string): string {
  return NAMES.get(fileSystemMagic(nearestExisting(home))) ?? "<unknown>";
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [0xef53, "extfs"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlayfs"],
  [0x2fc12fc1, "zfs"],
  [0xf2f52010, "f2fs"],
  [0x61756673, "aufs"],
  [0x73717368, "squashfs"],
  [0x6969, "nfs"],
  [0x517b, "smb"],
  [0x28cd3d45, "cramfs"],
  [0xf15f, "ecryptfs"],
  [0x47504653, "gpfs"],
  [0x72b6, "jffs2"],
  [0x3153464a, "jfs"],
  [0x858458f6, "ramfs"],
  [0x52654973, "reiserfs"],
  [0xa501fcf5, "vxfs"],
]);
