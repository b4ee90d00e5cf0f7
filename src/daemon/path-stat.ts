import type { ContainerPathStat } from "../engine/container-path.ts";
import { formatTime } from "../json/go-time.ts";
import { formatGo } from "../json/go-value.ts";
import { toText } from "../sys/byte-string.ts";
import type { FileKind } from "../sys/stat.ts";

/** What the header `X-Docker-Container-Path-Stat` has: a document as base64. */
export function pathStatHeader({ name, kind, mode, size, mtime, linkTarget }: ContainerPathStat): string {
  const document = formatGo({
    name: toText(name),
    size,
    mode: goMode(kind, mode),
    mtime: formatTime(mtime),
    linkTarget: toText(linkTarget),
  });
  return document.toString("base64");
}

/** The mode of a file as Go writes it, whose bits above the permissions are not the kernel's. */
function goMode(kind: FileKind, mode: number): number {
  let special = 0;
  if (mode & 0o4000) special += 2 ** 23;
  if (mode & 0o2000) special += 2 ** 22;
  if (mode & 0o1000) special += 2 ** 20;
  return TYPES[kind] + special + (mode & 0o777);
}

const DEVICE = 2 ** 26;
const TYPES: Readonly<Record<FileKind, number>> = {
  file: 0,
  directory: 2 ** 31,
  symlink: 2 ** 27,
  block: DEVICE,
  char: DEVICE + 2 ** 21,
  fifo: 2 ** 25,
  socket: 2 ** 24,
};
