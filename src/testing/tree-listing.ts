import { createHash } from "node:crypto";
import { closeSync, constants, readSync } from "node:fs";
import { closeFile, openAt, openDirectory, readDirectory, readLinkAt } from "../sys/at.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { type FileKind, type Stat, statAt } from "../sys/stat.ts";
import { getXattrAt, listXattrsAt } from "../sys/xattr.ts";

/** All that can be told apart of one object in a tree, as plain data, for a test to compare. */
export interface TreeRecord {
  /** Relative to the tree, one character a byte; `.` is the root. */
  readonly path: string;
  readonly kind: FileKind;
  readonly mode: string;
  readonly owner: string;
  /** Seconds and nine digits: `1600000000.123456789`. */
  readonly mtime: string;
  /** Of everything but directories, whose size and links belong to the file system. */
  readonly size?: number;
  readonly links?: number;
  /** The first path in the tree that is the same object, for hard links. */
  readonly sameAs?: string;
  /** SHA-1 of a file's bytes. */
  readonly content?: string;
  readonly target?: string;
  readonly device?: string;
  /** Name to value in hex, without what the overlay file system notes for itself. */
  readonly xattrs: Readonly<Record<string, string>>;
}

/**
 * Everything below `root` and the root itself, in bytewise order of the paths of each directory.
 *
 * @example
 * expect(compareTrees(listTree(theirs), listTree(ours))).toEqual([]);
 */
export function listTree(root: string): TreeRecord[] {
  const records: TreeRecord[] = [];
  const firstNames = new Map<string, string>();

  const visit = (dir: number, name: ByteString, path: string): void => {
    const stat = statAt(dir, name);
    if (stat === undefined) throw new Error(`${root}/${path} vanished`);
    records.push(describe(dir, name, path, stat, firstNames));
    if (stat.kind !== "directory") return;
    const fd = openAt(dir, name, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      for (const child of readDirectory(fd).sort()) visit(fd, child, path === "." ? child : `${path}/${child}`);
    } finally {
      closeFile(fd);
    }
  };

  const fd = openDirectory(root);
  try {
    visit(fd, "." as ByteString, ".");
  } finally {
    closeFile(fd);
  }
  return records;
}

/**
 * What differs, one line a difference; nothing when the trees are equal.
 *
 * @param ignore Fields that do not count: a name for the whole tree, `path:field` for one object (`.:mtime`).
 */
export function compareTrees(
  expected: readonly TreeRecord[],
  actual: readonly TreeRecord[],
  ignore: readonly string[] = [],
): string[] {
  const rest = new Map(actual.map((record) => [record.path, record]));
  const differences: string[] = [];
  for (const record of expected) {
    const other = rest.get(record.path);
    rest.delete(record.path);
    if (other === undefined) {
      differences.push(`${record.path}: missing`);
      continue;
    }
    for (const field of FIELDS) {
      const [wanted, got] = [JSON.stringify(record[field]), JSON.stringify(other[field])];
      const ignored = ignore.includes(field) || ignore.includes(`${record.path}:${field}`);
      if (wanted !== got && !ignored) differences.push(`${record.path}: ${field} ${got}, expected ${wanted}`);
    }
  }
  for (const path of rest.keys()) differences.push(`${path}: unexpected`);
  return differences;
}

const FIELDS = [
  ...(["kind", "mode", "owner", "mtime", "size", "links", "sameAs", "content", "target", "device"] as const),
  "xattrs",
] as const satisfies (keyof TreeRecord)[];

/** Notes of the kernel in an upper directory; they say nothing about the content. */
const OVERLAY_NOTES = /^trusted\.overlay\.(origin|impure|nlink|uuid|upper)$/;

function describe(
  dir: number,
  name: ByteString,
  path: string,
  stat: Stat,
  firstNames: Map<string, string>,
): TreeRecord {
  const xattrs = listXattrsAt(dir, name).filter((attribute) => !OVERLAY_NOTES.test(attribute));
  const record: TreeRecord = {
    path,
    kind: stat.kind,
    mode: stat.mode.toString(8).padStart(4, "0"),
    owner: `${stat.uid}:${stat.gid}`,
    mtime: `${stat.mtime.seconds}.${String(stat.mtime.nanoseconds).padStart(9, "0")}`,
    xattrs: Object.fromEntries(
      xattrs.map((attribute) => [attribute, getXattrAt(dir, name, attribute)!.toString("hex")]),
    ),
  };
  if (stat.kind === "directory") return record;

  const inode = `${stat.device}/${stat.inode}`;
  const first = firstNames.get(inode);
  if (stat.links > 1 && first === undefined) firstNames.set(inode, path);
  return {
    ...record,
    size: stat.size,
    links: stat.links,
    ...(first === undefined ? {} : { sameAs: first }),
    ...(stat.kind === "file" ? { content: contentOf(dir, name) } : {}),
    ...(stat.kind === "symlink" ? { target: readLinkAt(dir, name) } : {}),
    ...(stat.kind === "char" || stat.kind === "block" ? { device: `${stat.deviceMajor}:${stat.deviceMinor}` } : {}),
  };
}

function contentOf(dir: number, name: ByteString): string {
  const fd = openAt(dir, name, constants.O_RDONLY);
  try {
    const hash = createHash("sha1");
    const window = Buffer.allocUnsafe(1 << 20);
    for (let length = 1; length > 0; ) {
      length = readSync(fd, window, 0, window.length, null);
      hash.update(window.subarray(0, length));
    }
    return hash.digest("hex");
  } finally {
    closeSync(fd);
  }
}
