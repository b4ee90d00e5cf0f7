import { closeSync } from "node:fs";
import { errnoOf, VarveError } from "../errors.ts";
import { setTimesAt } from "../sys/at.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { type Stat, statAt } from "../sys/stat.ts";
import type { Time } from "../sys/time.ts";
import { cleanName, type Place } from "../sys/tree-root.ts";
import { cleanName as cleanLexically } from "../tar/clean-name.ts";
import type { EntrySink, PayloadHome } from "../tar/disassemble.ts";
import { type Header, TYPE } from "../tar/header.ts";
import { archiveFault } from "./archive-fault.ts";
import { FingerprintSet, fingerprintOf } from "./fingerprints.ts";
import { HardLinkStore } from "./hard-link-store.ts";
import type { Identity, IdMap } from "./id-map.ts";
import { changeObject, directoryTimes, finishFile, finishObject, type Metadata, makeObject } from "./object.ts";
import { PayloadFile } from "./payload-file.ts";
import { PayloadGuard } from "./payload-guard.ts";
import { joinPath } from "./tree.ts";
import { HARD_LINK_STORE, isWhiteoutName, METADATA_PREFIX, OPAQUE_NAME } from "./whiteout.ts";
import { applyDeletion, markDeletion } from "./whiteout-effects.ts";
import { type Spot, WritableTree } from "./writable-tree.ts";

/**
 * What a tar means to a tree:
 *
 * - `overlay`: one layer in a directory of its own, whiteouts as the overlay file system has them (FORMATS 8.3);
 * - `layer`: one layer on top of the full tree of its parent, where a whiteout deletes (FORMATS 8.4);
 * - `keep-whiteouts`: as `overlay`, but whiteouts stay the files that they are in the tar (fuse-overlayfs, rootless);
 * - `plain`: just files, as for `docker cp`. Entries may replace each other.
 */
export type Semantics = "overlay" | "layer" | "keep-whiteouts" | "plain";

export interface ApplyOptions {
  readonly semantics: Semantics;
  readonly idMap?: IdMap | undefined;
  /**
   * For a process that is not root: owners, devices and attributes that only root may set are left out, setuid bits too,
   * and the owner keeps the right to read, and to change directories, so that the tree stays readable and removable.
   */
  readonly unprivileged?: boolean | undefined;
  /** Refuse to put a file where a directory is, or the other way round, instead of replacing it. */
  readonly noOverwriteDirNonDir?: boolean | undefined;
  readonly limits?: ApplyLimits | undefined;
  /** Told of an attribute that the file system would not take; Docker goes on then, and so do we. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** What is more is `too-large`. */
export interface ApplyLimits {
  /** Content of all files together, where it goes does not matter; holes are free. */
  readonly bytes?: number | undefined;
  readonly entries?: number | undefined;
}

export interface ApplyResult {
  /** The sum of the sizes that the headers tell (FORMATS 2.3, naive). */
  readonly headerSize: number;
  /** What `treeSize` counts of the objects that were made; `undefined` when others had to make room for them. */
  readonly madeSize: number | undefined;
}

/**
 * Takes the entries of a tar into a directory, as Docker unpacks them (FORMATS 8.3 to 8.5), whatever umask the process
 * has. Names and links that point out of the directory stay inside. Either `finish` or `abort` ends it; after an error
 * only `abort` is left, and the half-made tree is the caller's to remove.
 *
 * Errors of the kernel that only such a tar can cause (a hard link to nothing, a file for a directory) are
 * `invalid-archive`; others, a full disk above all, keep their code.
 *
 * @example
 * const applier = new TreeApplier(diff, { semantics: "overlay" });
 * try {
 *   const disassembler = new Disassembler({ line, tree: applier });
 *   for await (const chunk of layer) disassembler.write(chunk);
 *   disassembler.end();
 *   return applier.finish();
 * } catch (error) {
 *   applier.abort();
 *   throw error;
 * }
 */
export class TreeApplier implements EntrySink {
  readonly #options: ApplyOptions;
  readonly #tree: WritableTree;
  readonly #creator: Identity = { uid: process.geteuid!(), gid: process.getegid!() };
  readonly #guard: PayloadGuard | undefined;
  readonly #directories: { readonly name: ByteString; readonly times: [Time, Time] }[] = [];
  /** What this tar has made, for `layer`: an opaque directory keeps that. */
  readonly #unpacked = new FingerprintSet();
  /** Devices that were left out, so that links to them can be too. */
  readonly #leftOut = new Set<ByteString>();
  #hardLinks: HardLinkStore | undefined;
  #file: FileInProgress | undefined;
  #headerSize = 0;
  #madeSize = 0;
  #entries = 0;
  #bytes = 0;
  #closed = false;

  constructor(directory: string | Buffer, options: ApplyOptions) {
    const { semantics, idMap, unprivileged } = options;
    this.#options = options;
    // Docker 20.10 leaves the directories that a layer only implies to root, and lets nobody in.
    const rootOwns = semantics !== "layer" && !unprivileged;
    const parents = {
      mode: semantics === "layer" && !unprivileged ? 0o600 : 0o755,
      owner: rootOwns ? (idMap?.root ?? { uid: 0, gid: 0 }) : undefined,
    };
    if (semantics !== "plain") this.#guard = new PayloadGuard();
    this.#tree = new WritableTree(directory, parents, this.#guard);
  }

  entry(header: Header): PayloadHome {
    this.#headerSize += header.size;
    const limit = this.#options.limits?.entries;
    if (limit !== undefined && ++this.#entries > limit) throw tooLarge(`more than ${limit} entries`, limit);
    try {
      return this.#unpack(header);
    } catch (error) {
      if (this.#isIdleMark(header, errnoOf(error))) return "split";
      const target = header.type === TYPE.hardLink ? cleanName(header.linkname) : undefined;
      throw archiveFault(error, cleanName(header.name), target);
    }
  }

  data(bytes: Uint8Array): void {
    this.#countContent(bytes.length);
    if (this.#file === undefined) return;
    try {
      this.#file.content.write(bytes);
    } catch (error) {
      throw archiveFault(error, this.#file.name);
    }
  }

  hole(length: number): void {
    this.#file?.content.skip(length);
  }

  entryEnd(): void {
    const file = this.#file;
    if (file === undefined) return;
    try {
      file.end();
      this.#file = undefined;
      file.close();
    } catch (error) {
      throw archiveFault(error, file.name);
    }
  }

  /** Sets what can only be set when nothing changes any more, and closes the tree. */
  finish(): ApplyResult {
    for (const { name, times } of this.#directories) {
      try {
        this.#setDirectoryTimes(name, times);
      } catch (error) {
        throw archiveFault(error, name);
      }
    }
    this.#guard?.verify(this.#tree.root);
    this.#close();
    return { headerSize: this.#headerSize, madeSize: this.#tree.removals === 0 ? this.#madeSize : undefined };
  }

  /** Closes everything that is open. Fine to call at any time, and twice. */
  abort(): void {
    if (!this.#closed) this.#close();
  }

  #countContent(length: number): void {
    const limit = this.#options.limits?.bytes;
    this.#bytes += length;
    if (limit !== undefined && this.#bytes > limit) throw tooLarge(`more than ${limit} bytes of content`, limit);
  }

  #close(): void {
    this.#closed = true;
    this.#file?.close();
    this.#file = undefined;
    this.#hardLinks?.close();
    this.#tree.close();
  }

  #unpack(header: Header): PayloadHome {
    const { semantics } = this.#options;
    if (header.type === TYPE.paxGlobal && semantics !== "layer") return "split";
    const asWritten = cleanLexically(header.name);
    const spot = this.#tree.reach(cleanName(asWritten));
    if (semantics === "layer") {
      if (this.#applyToLayer(spot, header, asWritten)) return "split";
    } else {
      // Docker never touches an existing root for `./`, though it does for `/`.
      if (asWritten === ".") return "split";
      if (semantics === "overlay" && isWhiteoutName(spot.base)) {
        markDeletion(this.#clear(spot, header), this.#ownerOf(header));
        return "split";
      }
    }
    if (spot.name === "") return this.#changeRoot(spot, header);
    if (this.#isLeftOut(header)) return this.#leaveOut(spot, header);
    return this.#make(spot, header);
  }

  /** Puts an object at a place, and what was there out of its way. */
  #make(spot: Spot, header: Header): PayloadHome {
    let place = spot;
    let fd: number | undefined;
    try {
      fd = makeObject(place, header, this.#linkTarget);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      const existing = statAt(spot.dir, spot.base);
      if (existing === undefined) throw error;
      if (existing.kind === "directory" && header.type === TYPE.directory) {
        this.#changeDirectory(spot, existing, header);
        return "tree";
      }
      place = this.#makeRoom(spot, existing, header);
      fd = makeObject(place, header, this.#linkTarget);
    }
    if (this.#leftOut.size > 0) this.#leftOut.delete(place.name);

    if (fd !== undefined) return this.#beginFile(fd, place, header);
    if (header.type === TYPE.hardLink) changeObject(place, statAt(place.dir, place.base)!, this.#metadata(header));
    else finishObject(place, this.#metadata(header));
    if (header.type === TYPE.directory) this.#rememberTimes(place, header);
    if (header.type === TYPE.symlink) this.#madeSize += header.linkname.length;
    return "tree";
  }

  /** The file stays open for the payload that comes next. */
  #beginFile(fd: number, spot: Spot, header: Header): PayloadHome {
    const content = new PayloadFile(fd);
    this.#file = {
      name: spot.name,
      content,
      end: () => {
        content.end();
        finishFile(fd, spot, this.#metadata(header));
        this.#madeSize += content.position;
      },
      close: () => closeSync(fd),
    };
    // A sparse file is rebuilt from the tar-split alone.
    if (header.payloadSize > 0 && header.sparse === undefined) this.#guard?.hold(spot, this.#tree.isDirect(spot));
    return "tree";
  }

  /** The root can get another owner, mode and time, but nothing can be put in its place. */
  #changeRoot(spot: Spot, header: Header): PayloadHome {
    if (header.type !== TYPE.directory)
      throw new VarveError("invalid-archive", `"${toText(header.name)}" would replace the root directory`);
    this.#changeDirectory(spot, statAt(spot.dir, spot.base)!, header);
    return "tree";
  }

  #changeDirectory(spot: Spot, stat: Stat, header: Header): void {
    changeObject(spot, stat, this.#metadata(header));
    this.#rememberTimes(spot, header);
    this.#tree.forget();
  }

  #rememberTimes(spot: Spot, header: Header): void {
    this.#directories.push({ name: spot.name, times: directoryTimes(header) });
  }

  #setDirectoryTimes(name: ByteString, [atime, mtime]: [Time, Time]): void {
    const { dir, base } = this.#tree.root.parentOf(name);
    // Where something has replaced the directory, Docker's times go to that, or to where it links.
    if (this.#tree.removals > 0 && statAt(dir, base)?.kind === "symlink") {
      const target = this.#tree.root.parentOf(joinPath(name, "anything" as ByteString));
      setTimesAt(target.dir, "." as ByteString, atime, mtime);
    } else setTimesAt(dir, base, atime, mtime);
  }

  #makeRoom(spot: Spot, existing: Stat, header: Header): Spot {
    const [directory, other] = [existing.kind === "directory", header.type !== TYPE.directory];
    if (this.#options.noOverwriteDirNonDir && (directory || !other)) {
      const [kind, newKind] = directory ? ["directory", "non-directory"] : ["non-directory", "directory"];
      const name = toText(spot.name);
      throw new VarveError("conflict", `cannot overwrite ${kind} "/${name}" with ${newKind} "/"`, { name });
    }
    this.#tree.remove(spot, existing);
    return this.#tree.reach(spot.name);
  }

  /** Removes what stands at the place of something that is no object. */
  #clear(spot: Spot, header: Header): Spot {
    const existing = statAt(spot.dir, spot.base);
    const mayStay = existing?.kind === "directory" && header.type === TYPE.directory;
    return existing === undefined || mayStay ? spot : this.#makeRoom(spot, existing, header);
  }

  readonly #linkTarget = (linkname: ByteString): Place => this.#tree.root.parentOf(cleanName(linkname));

  /** What an entry does to a full tree instead of, or before, being put there. @returns whether that was all */
  #applyToLayer(spot: Spot, header: Header, asWritten: ByteString): boolean {
    if (asWritten.startsWith(METADATA_PREFIX) && asWritten !== OPAQUE_NAME) {
      if (asWritten.startsWith(HARD_LINK_STORE) && header.type === TYPE.file) this.#storeHardLink(spot, header);
      return true;
    }
    if (isWhiteoutName(spot.base)) {
      applyDeletion(this.#tree, spot, this.#unpacked);
      return true;
    }
    this.#unpacked.add(fingerprintOf(spot.name));
    if (header.type === TYPE.paxGlobal) {
      this.#tree.removeIfThere(spot.name);
      return true;
    }
    if (header.type !== TYPE.hardLink || !cleanLexically(header.linkname).startsWith(HARD_LINK_STORE)) return false;
    this.#copyHardLink(spot, header);
    return true;
  }

  /**
   * Docker does not mind a mark where nothing can be hidden: that of an opaque directory in what is none, and on a full
   * tree any mark behind a link to nothing.
   */
  #isIdleMark({ name }: Header, errno: string | undefined): boolean {
    const { semantics } = this.#options;
    const base = cleanName(name).split("/").at(-1) as ByteString;
    if (errno === "ENOENT") return semantics === "layer" && isWhiteoutName(base);
    return errno === "ENOTDIR" && base === OPAQUE_NAME && (semantics === "overlay" || semantics === "layer");
  }

  #storeHardLink(spot: Spot, header: Header): void {
    this.#hardLinks ??= new HardLinkStore(this.#tree.root.fd);
    const store = this.#hardLinks;
    const content = store.begin();
    const end = () => store.keep(spot.base, header, content);
    this.#file = { name: spot.name, content, end, close() {} };
  }

  /** A link into the store becomes a file of its own, with the metadata of the one in the store. */
  #copyHardLink(spot: Spot, header: Header): void {
    const base = cleanLexically(header.linkname).split("/").at(-1)!;
    const stored = this.#hardLinks?.find(base);
    if (stored === undefined) throw new VarveError("invalid-archive", "Invalid aufs hardlink");
    this.#countContent(stored.size);
    this.#make(spot, { ...stored.header, name: header.name, payloadSize: 0 });
    this.#hardLinks!.copy(stored, this.#file!.content);
    this.entryEnd();
  }

  #isLeftOut({ type, linkname }: Header): boolean {
    if (!this.#options.unprivileged) return false;
    if (type === TYPE.hardLink) return this.#leftOut.size > 0 && this.#leftOut.has(cleanName(linkname));
    return type === TYPE.charDevice || type === TYPE.blockDevice;
  }

  #leaveOut(spot: Spot, header: Header): PayloadHome {
    this.#clear(spot, header);
    this.#leftOut.add(spot.name);
    return "tree";
  }

  #metadata(header: Header): Metadata {
    const { unprivileged, onWarning } = this.#options;
    return {
      header,
      owner: this.#ownerOf(header),
      creator: this.#creator,
      mode: unprivileged ? ownMode(header) : header.mode & 0o7777,
      acceptsXattr: unprivileged ? isOwnXattr : acceptAll,
      warn: onWarning ?? ignore,
    };
  }

  #ownerOf({ uid, gid }: Header): Identity | undefined {
    if (this.#options.unprivileged) return undefined;
    const { idMap } = this.#options;
    return idMap === undefined ? { uid: uid >>> 0, gid: gid >>> 0 } : idMap.toHost(uid, gid);
  }
}

/** A regular file between `entry` and `entryEnd`. */
interface FileInProgress {
  readonly name: ByteString;
  readonly content: PayloadFile;
  /** Gives the file what it can only have when its content is there. */
  end(): void;
  close(): void;
}

/** What an ordinary user may give his own files without locking himself out or lending out his rights. */
function ownMode({ type, mode }: Header): number {
  return (mode & 0o1777) | (type === TYPE.directory ? 0o700 : 0o600);
}

function isOwnXattr(name: string): boolean {
  return !name.startsWith("trusted.") && !name.startsWith("security.");
}

function acceptAll(): boolean {
  return true;
}

function ignore(): void {}

function tooLarge(what: string, limit: number): VarveError {
  return new VarveError("too-large", `the archive has ${what}`, { limit });
}
