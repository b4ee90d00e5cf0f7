import { readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { isVarveError, VarveError } from "../errors.ts";
import { fileSource, throwIfCancelled } from "../io/byte-source.ts";
import { closeFile } from "../sys/at.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { type Header, TYPE } from "../tar/header.ts";
import { TarReader } from "../tar/reader.ts";
import type { ArchiveFile, ArchiveFiles } from "./archive-files.ts";
import { invalidMember, type Member, MemberTree } from "./member-tree.ts";

/** The members of a tar that lies in a file, read in place: nothing is unpacked. */
export class ArchiveIndex implements ArchiveFiles {
  readonly #fd: number;
  readonly #tree: MemberTree;

  /** @param fd belongs to the index from here on */
  constructor(fd: number, tree: MemberTree) {
    this.#fd = fd;
    this.#tree = tree;
  }

  find(path: ByteString): ArchiveFile | undefined {
    const member = this.#tree.find(path);
    if (member === undefined) return undefined;
    if (member.kind !== "file") throw invalidMember(path, `is ${describe(member)}, not a file`);
    const { offset, size } = member;
    const range = { fd: this.#fd, offset, length: size, [Symbol.dispose]: () => undefined };
    return {
      path,
      size,
      stream: (signal) => fileSource(this.#fd, { offset, length: size, signal }),
      openRange: () => range,
    };
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

/**
 * Finds out what lies where in a tar that passes by, or of which only the headers are read.
 *
 * @throws VarveError `invalid-archive` when it is empty, no tar, or cut short
 */
export class ArchiveIndexer {
  readonly tree: MemberTree;
  /** Whether the end of the archive has passed; whatever follows it means nothing. */
  ended = false;
  readonly #reader: TarReader;
  /** Bytes of the archive that the reader is done with. */
  #position = 0;
  #touched = false;
  /** No member yet. */
  #empty = true;
  /** Payload that follows here and need not be written. */
  #payload = 0;

  /** @param members how many there may be */
  constructor(members: number) {
    this.tree = new MemberTree(members);
    const count = (bytes: Uint8Array): void => {
      this.#position += bytes.length;
    };
    const archiveEnd = (): void => {
      this.ended = true;
      this.#empty = false;
    };
    this.#reader = new TarReader({ raw: count, payload: count, header: (header) => this.#add(header), archiveEnd });
  }

  write(chunk: Uint8Array): void {
    this.#touched ||= chunk.length > 0;
    this.#refusing(() => this.#reader.write(chunk));
  }

  /** Passes over the payload of the member whose header came last. @returns how long it is */
  skipPayload(): number {
    const length = this.#payload;
    this.#payload = 0;
    this.#position += length;
    this.#reader.skipPayload();
    return length;
  }

  end(): void {
    if (!this.#touched) throw new VarveError("invalid-archive", "invalid archive: it is empty");
    this.#refusing(() => this.#reader.end());
  }

  #add(header: Header): void {
    this.#empty = false;
    this.#payload = header.payloadSize;
    const { name, linkname, type } = header;
    if (type === TYPE.paxGlobal) return;
    if (type === TYPE.hardLink) this.tree.link(name, linkname);
    else this.tree.add(name, memberOf(header, this.#position));
  }

  #refusing(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!this.#empty || !isVarveError(error, "invalid-archive")) throw error;
      const message = `invalid archive: it is not a tar (${error.message})`;
      throw new VarveError("invalid-archive", message, error.details, error);
    }
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

const BLOCK = 512;
/** Blocks between two looks at the signal. */
const BREATH = 1000;

/**
 * Indexes a tar on a seekable file, of which it reads the headers alone.
 *
 * @param fd belongs to the index from here on, also when this fails
 */
export async function indexFile(
  fd: number,
  size: number,
  { members, signal }: { readonly members: number; readonly signal?: AbortSignal | undefined },
): Promise<ArchiveIndex> {
  try {
    const indexer = new ArchiveIndexer(members);
    const window = new Window(fd);
    let position = 0;
    for (let blocks = 0; !indexer.ended && position < size; blocks++) {
      if (blocks % BREATH === 0) {
        await setImmediate();
        throwIfCancelled(signal);
      }
      const block = window.read(position, Math.min(BLOCK - (position % BLOCK), size - position));
      indexer.write(block);
      position += block.length + indexer.skipPayload();
      if (position > size) throw new VarveError("invalid-archive", "unexpected EOF", { position, size });
    }
    indexer.end();
    return new ArchiveIndex(fd, indexer.tree);
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

/** Reads ahead, since the headers of small members lie close together. */
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

const WINDOW = 64 * 1024;
