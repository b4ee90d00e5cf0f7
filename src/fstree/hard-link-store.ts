import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errnoOf } from "../errors.ts";
import { openAt } from "../sys/at.ts";
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

  /** `dir` is where the room is taken, if its file system can. */
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

  headerOf(base: string): Header | undefined {
    return this.#files.get(base)?.header;
  }

  copy(base: string, target: PayloadFile): void {
    const { offset, size } = this.#files.get(base)!;
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

interface StoredFile {
  readonly header: Header;
  readonly offset: number;
  readonly size: number;
}

const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

function openNameless(dir: number): number {
  try {
    return openAt(dir, "." as ByteString, O_TMPFILE | constants.O_RDWR, 0o600);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== "ENOTSUP" && errno !== "EISDIR" && errno !== "ENOENT") throw error;
  }
  const directory = mkdtempSync(join(tmpdir(), "varve-plnk-"));
  try {
    return openSync(join(directory, "content"), "wx+", 0o600);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
