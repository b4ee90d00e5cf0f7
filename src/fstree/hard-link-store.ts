import { randomBytes } from "node:crypto";
import { closeSync, constants, readSync } from "node:fs";
import { openAt, unlinkAt } from "../sys/at.ts";
import type { ByteString } from "../sys/byte-string.ts";
import type { Header } from "../tar/header.ts";
import { PayloadFile } from "./payload-file.ts";

/**
 * The files of an AUFS layer's `.wh..wh.plnk`, which are no content of the layer, but which its hard links may name
 * (FORMATS 8.4). All of them lie behind one another in one file without a name, which vanishes with the process.
 */
export class HardLinkStore {
  readonly #fd: number;
  readonly #files = new Map<string, StoredFile>();
  #end = 0;

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
    this.#files.set(base, { header, offset: this.#end, size: content.position - this.#end });
    this.#end = content.position;
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
