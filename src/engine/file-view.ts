import { VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { type ByteString, fromText, toText } from "../sys/byte-string.ts";
import type { FileKind } from "../sys/stat.ts";
import type { Time } from "../sys/time.ts";
import { newHeader, TYPE, XATTR_PREFIX } from "../tar/header.ts";
import { END_OF_ARCHIVE, encodeHeader, paddingOf } from "../tar/writer.ts";

/**
 * The files of an image or a container as one tree, whatever they are kept in: `image-files.ts` puts it together from
 * the layers' own headers, needs neither root nor a mount and shows owners, modes and devices as they were packed;
 * `mounted-files.ts` reads a container's file system.
 *
 * Paths are resolved inside the tree; links on the way are followed, the last component only where it says so.
 */
export interface FileView extends AsyncDisposable {
  /** @throws VarveError `not-found` */
  stat(path: ByteString, options?: { follow?: boolean }): FileEntry;
  /** What a directory holds, sorted by name. @throws VarveError `not-found`, `invalid-argument` for no directory */
  list(path: ByteString): FileEntry[];
  /** The content of a regular file. */
  read(path: ByteString): ByteSource;
}

/** A file, a directory or whatever else has a name in an image or a container. */
export interface FileEntry {
  /** The last component of the path that was asked for, its bytes as they are (`toText` makes it readable); `/` for the root. */
  readonly name: ByteString;
  readonly kind: FileKind;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file; 0 of everything else. */
  readonly size: number;
  readonly mtime: Time;
  /** Of a symbolic link only. */
  readonly linkTarget?: ByteString;
  /** Of a device; else 0. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes by their full names, such as `security.capability`. */
  readonly xattrs: ReadonlyMap<string, ByteString>;
  /** Equal for the names of one file. */
  readonly inode: string;
}

/**
 * A tar of what `path` names, under its last component, as `docker cp` gets it; the root is `./`. A link at the end is
 * packed as a link.
 */
export async function* archiveOf(view: FileView, path: ByteString): ByteSource {
  const seen = new Map<string, ByteString>();
  const top = view.stat(path);
  const name = top.name === "/" ? (fromText("./") as ByteString) : top.name;
  yield* pack(view, path, name, top, seen);
  yield END_OF_ARCHIVE;
}

async function* pack(
  view: FileView,
  path: ByteString,
  name: ByteString,
  entry: FileEntry,
  seen: Map<string, ByteString>,
): AsyncGenerator<Uint8Array> {
  if (entry.kind === "socket") return;
  const first = entry.kind === "directory" ? undefined : seen.get(entry.inode);
  if (first === undefined && entry.kind !== "directory") seen.set(entry.inode, name);
  const type = first === undefined ? TYPE_OF[entry.kind] : TYPE.hardLink;
  const size = type === TYPE.file ? entry.size : 0;
  const records = new Map([...entry.xattrs].map(([key, value]) => [`${XATTR_PREFIX}${key}`, value]));
  const isDirectory = entry.kind === "directory";
  yield encodeHeader(
    newHeader({
      name: (isDirectory && !name.endsWith("/") ? `${name}/` : name) as ByteString,
      linkname: first ?? entry.linkTarget ?? ("" as ByteString),
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      size,
      mtime: { seconds: entry.mtime.seconds, nanoseconds: 0 },
      type,
      deviceMajor: entry.deviceMajor,
      deviceMinor: entry.deviceMinor,
      records,
    }),
  );
  if (type === TYPE.file) {
    let length = 0;
    for await (const chunk of view.read(path)) {
      length += chunk.length;
      yield chunk;
    }
    if (length !== size) throw new VarveError("conflict", `${toText(path)} changed while it was read`, { path });
    yield paddingOf(size);
  }
  if (!isDirectory) return;
  const prefix = (name.endsWith("/") ? name : `${name}/`) as string;
  for (const child of view.list(path))
    yield* pack(
      view,
      joinPath(path, child.name),
      `${prefix === "./" ? "" : prefix}${child.name}` as ByteString,
      child,
      seen,
    );
}

/** `directory/name`, with one slash between. */
export function joinPath(directory: ByteString, name: ByteString): ByteString {
  return (directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`) as ByteString;
}

/** The last component of a clean path; `/` for the root. */
export function nameOf(clean: ByteString): ByteString {
  return (clean === "" ? "/" : clean.slice(clean.lastIndexOf("/") + 1)) as ByteString;
}

export function noFile(path: ByteString): VarveError {
  return new VarveError("not-found", `${toText(path)}: no such file or directory`, { path: toText(path) });
}

const TYPE_OF: Readonly<Record<Exclude<FileKind, "socket">, string>> = {
  file: TYPE.file,
  directory: TYPE.directory,
  symlink: TYPE.symlink,
  char: TYPE.charDevice,
  block: TYPE.blockDevice,
  fifo: TYPE.fifo,
};
