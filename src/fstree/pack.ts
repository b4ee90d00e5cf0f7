import { constants, readSync } from "node:fs";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import { closeFile, leaveNoTrace, openAt, readLinkAt } from "../sys/at.ts";
import { type ByteString, fromBytes, toText } from "../sys/byte-string.ts";
import type { FileKind, Stat } from "../sys/stat.ts";
import type { Time } from "../sys/time.ts";
import { getXattrAt } from "../sys/xattr.ts";
import { type Header, newHeader, TYPE, XATTR_PREFIX } from "../tar/header.ts";
import { END_OF_ARCHIVE, encodeHeader, paddingOf } from "../tar/writer.ts";
import type { Accounts } from "./accounts.ts";
import type { IdMap } from "./id-map.ts";
import type { TreeEntry } from "./tree.ts";
import { isOpaqueDirectory, isWhiteoutDevice, isWhiteoutName, OPAQUE_NAME, whiteoutName } from "./whiteout.ts";

export interface PackOptions {
  readonly idMap?: IdMap | undefined;
  /**
   * Told of an object that cannot be packed, as one whose owner has no place in the id map. It is left out then, as
   * Docker does; without this it is an error.
   */
  readonly onSkip?: ((path: ByteString, reason: VarveError) => void) | undefined;
}

type Bytes = Generator<Uint8Array, void, undefined>;

/**
 * Writes objects of a tree as tar entries, byte for byte as Docker 20.10 (FORMATS 8.6, 8.7). What it yields is one
 * window that is used again and again.
 */
export class TreePacker {
  readonly #accounts: Accounts;
  readonly #options: PackOptions;
  /** Whether marks of the overlay file system become whiteouts. */
  readonly #overlay: boolean;
  /** The first path of every inode that has several. */
  readonly #firstNames = new Map<bigint, ByteString>();
  /** fuse-overlayfs marks an opaque directory in up to three ways; a tar may have the mark once. */
  readonly #opaqueMarks = new Set<ByteString>();
  readonly #window = Buffer.allocUnsafeSlow(WINDOW);
  #filled = 0;

  constructor(accounts: Accounts, overlay: boolean, options: PackOptions) {
    this.#accounts = accounts;
    this.#overlay = overlay;
    this.#options = options;
  }

  /** One object. Sockets have no place in a tar and are passed over. */
  *add(entry: TreeEntry): Bytes {
    const { stat } = entry;
    if (stat.kind === "socket") return;
    let header: Header;
    let content: number | undefined;
    try {
      header = this.#headerOf(entry);
      if (this.#overlay && header.name.endsWith(OPAQUE_NAME) && !this.#isFirstMark(header.name)) return;
      if (header.type === TYPE.file && header.size > 0) content = openContent(entry);
    } catch (error) {
      this.#skip(entry.path, error);
      return;
    }
    if (content === undefined) yield* this.#put(encodeHeader(header));
    else yield* this.#putFile(header, content);
    if (!this.#overlay || stat.kind !== "directory" || !isOpaqueDirectory(entry.dir, entry.base)) return;
    const mark = opaqueMark(header);
    this.#isFirstMark(mark.name);
    yield* this.#put(encodeHeader(mark));
  }

  /** The deletion of a path, at a time. */
  *addDeletion(path: ByteString, mtime: Time): Bytes {
    yield* this.#put(encodeHeader(newHeader({ name: whiteoutPath(path), mtime })));
  }

  *end(): Bytes {
    yield* this.#put(END_OF_ARCHIVE);
    yield* this.#flush();
  }

  #headerOf({ path, dir, base, stat }: TreeEntry): Header {
    const isDevice = stat.kind === "char" || stat.kind === "block";
    const capability = getXattrAt(dir, base, CAPABILITY);
    const header = newHeader({
      name: (stat.kind === "directory" ? `${path}/` : path) as ByteString,
      type: TYPES[stat.kind],
      mode: stat.mode | TYPE_BITS[stat.kind],
      uid: stat.uid,
      gid: stat.gid,
      userName: this.#accounts.userName(stat.uid),
      groupName: this.#accounts.groupName(stat.gid),
      size: stat.kind === "file" ? stat.size : 0,
      mtime: { seconds: stat.mtime.seconds, nanoseconds: 0 },
      linkname: stat.kind === "symlink" ? readLinkAt(dir, base) : NO_NAME,
      deviceMajor: isDevice ? stat.deviceMajor : 0,
      deviceMinor: isDevice ? stat.deviceMinor : 0,
      ...(capability && { records: new Map([[XATTR_PREFIX + CAPABILITY, withoutNamespace(capability)]]) }),
    });
    return this.#toContainer(this.#asWhiteout(this.#asLink(header, path, stat), path, stat), stat);
  }

  #isFirstMark(name: ByteString): boolean {
    const before = this.#opaqueMarks.size;
    return this.#opaqueMarks.add(name).size > before;
  }

  /** The second name of an object points to the first. */
  #asLink(header: Header, path: ByteString, { kind, links, inode }: Stat): Header {
    if (kind === "directory" || links < 2) return header;
    const first = this.#firstNames.get(inode);
    if (first !== undefined) return { ...header, type: TYPE.hardLink, linkname: first, size: 0 };
    this.#firstNames.set(inode, path);
    return header;
  }

  /** The kernel makes all its whiteouts links of one; Docker leaves the link's target in the header. */
  #asWhiteout(header: Header, path: ByteString, stat: Stat): Header {
    if (!this.#overlay || !isWhiteoutDevice(stat)) return header;
    return { ...header, name: whiteoutPath(path), type: TYPE.file, mode: 0o600, size: 0 };
  }

  #toContainer(header: Header, stat: Stat): Header {
    const { idMap } = this.#options;
    const base = header.name.slice(header.name.lastIndexOf("/", header.name.length - 2) + 1);
    if (idMap === undefined || isWhiteoutDevice(stat) || isWhiteoutName(base)) return header;
    return { ...header, ...idMap.toContainer(header.uid, header.gid) };
  }

  #skip(path: ByteString, error: unknown): void {
    // Whatever it was, a running container has taken it away.
    if (errnoOf(error) === "ENOENT") return;
    const reason = asVarveError(error);
    if (this.#options.onSkip === undefined || !(reason instanceof VarveError)) throw reason;
    this.#options.onSkip(path, reason);
  }

  *#putFile(header: Header, fd: number): Bytes {
    const { name, size } = header;
    try {
      yield* this.#put(encodeHeader(header));
      for (let left = size; left > 0; ) {
        if (this.#filled === WINDOW) yield* this.#flush();
        const length = readSync(fd, this.#window, this.#filled, Math.min(left, WINDOW - this.#filled), null);
        if (length === 0)
          throw new VarveError("conflict", `${toText(name)} got shorter while it was read`, { name: toText(name) });
        this.#filled += length;
        left -= length;
      }
      yield* this.#put(paddingOf(size));
    } catch (error) {
      throw asVarveError(error);
    } finally {
      closeFile(fd);
    }
  }

  *#put(bytes: Uint8Array): Bytes {
    for (let done = 0; done < bytes.length; ) {
      if (this.#filled === WINDOW) yield* this.#flush();
      const part = bytes.subarray(done, done + WINDOW - this.#filled);
      this.#window.set(part, this.#filled);
      this.#filled += part.length;
      done += part.length;
    }
  }

  *#flush(): Bytes {
    if (this.#filled > 0) yield this.#window.subarray(0, this.#filled);
    this.#filled = 0;
  }
}

const WINDOW = 256 * 1024;
const NO_NAME = "" as ByteString;

const TYPES: Readonly<Record<FileKind, string>> = {
  file: TYPE.file,
  directory: TYPE.directory,
  symlink: TYPE.symlink,
  char: TYPE.charDevice,
  block: TYPE.blockDevice,
  fifo: TYPE.fifo,
  socket: TYPE.file,
};

/** Docker up to 23 writes the type into the mode as well. */
const TYPE_BITS: Readonly<Record<FileKind, number>> = {
  file: 0o100000,
  directory: 0o40000,
  symlink: 0o120000,
  char: 0o20000,
  block: 0o60000,
  fifo: 0o10000,
  socket: 0o140000,
};

function openContent({ dir, base }: TreeEntry): number {
  const fd = openAt(dir, base, constants.O_RDONLY | constants.O_NONBLOCK);
  leaveNoTrace(fd);
  return fd;
}

/** What follows the header of an opaque directory. */
function opaqueMark({ name, mode, uid, gid, userName, groupName }: Header): Header {
  return newHeader({ name: (name + OPAQUE_NAME) as ByteString, mode: mode & 0o777, uid, gid, userName, groupName });
}

function whiteoutPath(path: ByteString): ByteString {
  const slash = path.lastIndexOf("/");
  return (path.slice(0, slash + 1) + whiteoutName(path.slice(slash + 1) as ByteString)) as ByteString;
}

const CAPABILITY = "security.capability";
const REVISION_BYTE = 3;
const REVISION_2 = 2;
const REVISION_3 = 3;
const REVISION_2_SIZE = 20;

/** A capability that holds in one user namespace only (revision 3) becomes one without (revision 2). */
function withoutNamespace(capability: Buffer): ByteString {
  if (capability[REVISION_BYTE] !== REVISION_3) return fromBytes(capability);
  const plain = Buffer.from(capability.subarray(0, REVISION_2_SIZE));
  plain[REVISION_BYTE] = REVISION_2;
  return fromBytes(plain);
}
