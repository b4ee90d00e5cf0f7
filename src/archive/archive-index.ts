import { readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { isVarveError, VarveError } from "../errors.ts";
import { fileSource, throwIfCancelled } from "../io/byte-source.ts";
import { closeFile } from "../sys/at.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { type Header, TYPE } from "../tar/header.ts";
import { TarReader, type TarSink } from "../tar/reader.ts";
import type { ArchiveFile, ArchiveFiles } from "./archive-files.ts";
import { invalidMember, type Member, MemberTree } from "./member-tree.ts";

/**
 * A tar on a seekable file, read in place: only the headers are read to find out what lies where, nothing is unpacked.
 *
 * @param fd the file, which the index owns from here on, also when this fails
 * @throws VarveError `invalid-archive` when the file is empty, no tar, or cut short
 */
export async function openArchiveIndex(
  fd: number,
  size: number,
  options: { readonly members: number; readonly signal?: AbortSignal | undefined },
): Promise<ArchiveFiles> {
  try {
    const tree = await indexMembers(fd, size, options);
    return new ArchiveIndex(fd, tree);
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

class ArchiveIndex implements ArchiveFiles {
  readonly #fd: number;
  readonly #tree: MemberTree;

  constructor(fd: number, tree: MemberTree) {
    this.#fd = fd;
    this.#tree = tree;
  }

  find(path: ByteString): ArchiveFile | undefined {
    const member = this.#tree.find(path);
    if (member === undefined) return undefined;
    if (member.kind !== "file") throw invalidMember(path, `is ${describe(member)}, not a file`);
    const { offset, size } = member;
    return { path, size, stream: (signal) => fileSource(this.#fd, { offset, length: size, signal }) };
  }

  directories(): ByteString[] {
    const names: ByteString[] = [];
    for (const [name, member] of this.#tree.root.entries) if (member.kind === "directory") names.push(name);
    return names.sort();
  }

  [Symbol.dispose](): void {
    closeFile(this.#fd);
  }
}

function describe(member: Exclude<Member, { kind: "file" }>): string {
  return member.kind === "special" ? member.what : `a ${member.kind}`;
}

const WINDOW = 64 * 1024;
const BLOCK = 512;
/** Members between two looks at the signal. */
const BREATH = 1000;

async function indexMembers(
  fd: number,
  size: number,
  { members, signal }: { readonly members: number; readonly signal?: AbortSignal | undefined },
): Promise<MemberTree> {
  if (size === 0) throw new VarveError("invalid-archive", "invalid archive: it is empty");
  const indexer = new Indexer(members);
  const reader = new TarReader(indexer);
  const window = new Window(fd);
  let position = 0;
  try {
    for (let blocks = 0; !indexer.ended && position < size; blocks++) {
      if (blocks % BREATH === 0) {
        await setImmediate();
        throwIfCancelled(signal);
      }
      const block = window.read(position, Math.min(BLOCK, size - position));
      position += block.length;
      reader.write(block);
      const header = indexer.take();
      if (header === undefined) continue;
      if (header.payloadSize > size - position) throw new VarveError("invalid-archive", "unexpected EOF", { position });
      indexer.add(header, position);
      position += header.payloadSize;
      reader.skipPayload();
      // What pads the payload to whole blocks; the stream may end in it.
      const padding = Math.min(-header.payloadSize & (BLOCK - 1), size - position);
      if (padding > 0) reader.write(window.read(position, padding));
      position += padding;
    }
    reader.end();
  } catch (error) {
    if (indexer.empty && isVarveError(error, "invalid-archive"))
      throw new VarveError(
        "invalid-archive",
        `invalid archive: it is not a tar (${error.message})`,
        error.details,
        error,
      );
    throw error;
  }
  return indexer.tree;
}

/** Reads ahead, since headers of small members lie close together. */
class Window {
  readonly #fd: number;
  readonly #buffer: Buffer = Buffer.allocUnsafe(WINDOW);
  #start = 0;
  #end = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** `length` bytes from `position` on, which the file must have; valid until the next call. */
  read(position: number, length: number): Buffer {
    if (position < this.#start || position + length > this.#end) this.#fill(position, length);
    const at = position - this.#start;
    return this.#buffer.subarray(at, at + length);
  }

  #fill(position: number, length: number): void {
    this.#start = position;
    this.#end = position;
    while (this.#end - position < length) {
      const at = this.#end - position;
      const count = readSync(this.#fd, this.#buffer, at, WINDOW - at, this.#end);
      if (count === 0) throw new VarveError("invalid-archive", "unexpected EOF", { position: this.#end });
      this.#end += count;
    }
  }
}

class Indexer implements TarSink {
  readonly tree: MemberTree;
  ended = false;
  empty = true;
  #header: Header | undefined;

  constructor(members: number) {
    this.tree = new MemberTree(members);
  }

  raw(): void {}

  payload(): void {}

  header(header: Header): void {
    this.#header = header;
    this.empty = false;
  }

  archiveEnd(): void {
    this.ended = true;
    this.empty = false;
  }

  /** The header that the last block completed. */
  take(): Header | undefined {
    const header = this.#header;
    this.#header = undefined;
    return header;
  }

  add(header: Header, offset: number): void {
    const { name, linkname, type } = header;
    if (type === TYPE.paxGlobal) return;
    if (type === TYPE.hardLink) this.tree.link(name, linkname);
    else this.tree.add(name, memberOf(header, offset));
  }
}

function memberOf(header: Header, offset: number): Member {
  switch (header.type) {
    case TYPE.file:
      if (header.sparse !== undefined) return { kind: "special", what: "a sparse file" };
      return { kind: "file", offset, size: header.payloadSize };
    case TYPE.directory:
      return { kind: "directory", entries: new Map() };
    case TYPE.symlink:
      return { kind: "symlink", target: header.linkname };
    case TYPE.fifo:
      return { kind: "special", what: "a fifo" };
    case TYPE.charDevice:
    case TYPE.blockDevice:
      return { kind: "special", what: "a device" };
    default:
      return { kind: "special", what: `a member of type "${toText(header.type as ByteString)}"` };
  }
}
