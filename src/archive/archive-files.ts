import { VarveError } from "../errors.ts";
import { type ByteSource, collect } from "../io/byte-source.ts";
import type { FileRange } from "../layer/stored-tar.ts";
import { type ByteString, fromText, toText } from "../sys/byte-string.ts";

/**
 * The files of an archive by name, wherever they lie: in a tar that is read in place (`archive-index.ts`) or in a
 * directory (`archive-directory.ts`). Names are resolved inside the archive, links followed and kept inside, as
 * FORMATS 10.4 asks for.
 */
export interface ArchiveFiles extends Disposable {
  /**
   * The regular file that the path leads to, or `undefined` when nothing is there.
   *
   * @throws VarveError `invalid-archive` when something is there that is no file
   */
  find(path: ByteString): ArchiveFile | undefined;
  /** The names of the directories at the top, sorted. */
  directories(): ByteString[];
}

export interface ArchiveFile {
  readonly path: ByteString;
  /** Bytes as stored. */
  readonly size: number;
  /** The content. A chunk is valid until the next one is asked for. */
  stream(signal?: AbortSignal): ByteSource;
  /** Where the content lies, open until that is disposed of. */
  openRange(): FileRange & Disposable;
}

/** The file of that name, spelled as in a JSON document. */
export function findFile(files: ArchiveFiles, path: string): ArchiveFile | undefined {
  return files.find(fromText(path));
}

/**
 * Reads a whole small file.
 *
 * @throws VarveError `too-large` beyond `limit` bytes
 */
export async function readFile(file: ArchiveFile, limit: number, signal?: AbortSignal): Promise<Buffer> {
  if (file.size > limit) {
    const path = toText(file.path);
    const message = `invalid archive: "${path}" has ${file.size} bytes, more than the ${limit} that are allowed for it`;
    throw new VarveError("too-large", message, { path, size: file.size, limit });
  }
  return await collect(file.stream(signal), limit);
}
