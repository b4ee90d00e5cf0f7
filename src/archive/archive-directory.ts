import { fstatSync, readdirSync } from "node:fs";
import { errnoOf, VarveError } from "../errors.ts";
import { type ByteSource, fileSource } from "../io/byte-source.ts";
import type { FileRange } from "../layer/stored-tar.ts";
import { closeFile } from "../sys/at.ts";
import { type ByteString, fromBytes, toText } from "../sys/byte-string.ts";
import { TreeRoot } from "../sys/tree-root.ts";
import type { ArchiveFile, ArchiveFiles } from "./archive-files.ts";

/** An archive that lies unpacked in a directory, such as an OCI layout. Links in it lead nowhere outside. */
export class ArchiveDirectory implements ArchiveFiles {
  readonly #path: string;
  readonly #root: TreeRoot;

  constructor(path: string) {
    this.#path = path;
    this.#root = new TreeRoot(path);
  }

  find(path: ByteString): ArchiveFile | undefined {
    const fd = this.#open(path);
    if (fd === undefined) return undefined;
    try {
      const { size } = fstatSync(fd);
      return {
        path,
        size,
        stream: (signal) => this.#stream(path, size, signal),
        openRange: () => this.#openRange(path, size),
      };
    } finally {
      closeFile(fd);
    }
  }

  directories(): ByteString[] {
    const entries = readdirSync(this.#path, { encoding: "buffer", withFileTypes: true });
    const names: ByteString[] = [];
    for (const entry of entries) if (entry.isDirectory()) names.push(fromBytes(entry.name));
    return names.sort();
  }

  [Symbol.dispose](): void {
    this.#root.close();
  }

  async *#stream(path: ByteString, length: number, signal: AbortSignal | undefined): ByteSource {
    using range = this.#openRange(path, length);
    yield* fileSource(range.fd, { offset: 0, length, signal });
  }

  #openRange(path: ByteString, length: number): FileRange & Disposable {
    const fd = this.#open(path);
    if (fd === undefined) throw new VarveError("invalid-archive", `"${toText(path)}" is gone`, { path: toText(path) });
    return { fd, offset: 0, length, [Symbol.dispose]: () => closeFile(fd) };
  }

  #open(path: ByteString): number | undefined {
    try {
      return this.#root.openFile(path);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "ENAMETOOLONG") return undefined;
      if (errno === "EISDIR" || errno === "EINVAL" || errno === "ELOOP")
        throw new VarveError("invalid-archive", `invalid archive: "${toText(path)}" is not a file`, { errno }, error);
      throw error;
    }
  }
}
