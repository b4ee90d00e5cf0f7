import { randomBytes } from "node:crypto";
import { closeSync, constants, readSync } from "node:fs";
import { VarveError } from "../errors.ts";
import { openAt, unlinkAt } from "../sys/at.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { type Header, XATTR_PREFIX } from "../tar/header.ts";
import { PayloadFile } from "./payload-file.ts";

/**
 * The files of an AUFS layer's `.wh..wh.plnk`, which are no content of the layer, but which its hard links may name
 * (FORMATS 8.4). All of them lie behind one another in one file without a name, which vanishes with the process.
 */
export class HardLinkStore {
  readonly #fd: number;
  readonly #files = new Map<string, StoredFile>();
  #end = 0;
  #attributes = 0;

  /** The room is taken in the open directory `dir`, which shows nothing of it. */
  constructor(dir: number) {
    this.#fd = openNameless(dir);
  }

  /** The content goes into what this returns, then `keep` is called with it. */
  begin(): PayloadFile {
    return new PayloadFile(this.#fd, this.#end);
  }

  keep(base: string, header: Header, content: PayloadFile): void {
    content.end();
    this.#files.set(base, { header: this.#slim(header), offset: this.#end, size: content.position - this.#end });
    this.#end = content.position;
  }

  /** A header without what no link asks for, since all of them are held in memory. */
  #slim(header: Header): Header {
    const records = new Map([...header.records].filter(([key]) => key.startsWith(XATTR_PREFIX)));
    for (const [key, value] of records) this.#attributes += key.length + value.length;
    if (this.#attributes > MAX_ATTRIBUTES)
      throw new VarveError(
        "too-large",
        `the archive has more than ${MAX_ATTRIBUTES} bytes of attributes in .wh..wh.plnk`,
      );
    const none = "" as ByteString;
    return { ...header, name: none, linkname: none, records };
  }

  find(base: string): StoredFile | undefined {
    return this.#files.get(base);
  }

  copy({ offset, size }: StoredFile, target: PayloadFile): void {
    const window = Buffer.allocUnsafe(Math.min(size, WINDOW));
    for (let at = 0; at < size; ) {
      const length = readSync(this.#fd, window, 0, Math.min(window.length, size - at), offset + at);
      target.write(window.subarray(0, length));
      at += length;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const WINDOW = 256 * 1024;
const MAX_ATTRIBUTES = 16 << 20;

export interface StoredFile {
  readonly header: Header;
  readonly offset: number;
  readonly size: number;
}

function openNameless(dir: number): number {
  const name = `.varve-${randomBytes(8).toString("hex")}` as ByteString;
  const fd = openAt(dir, name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    unlinkAt(dir, name);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}
