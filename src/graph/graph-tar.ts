import { closeSync, openSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { randomID } from "../digest/random-id.ts";
import type { Driver } from "../driver/driver.ts";
import { asVarveError } from "../errors.ts";
import { abortable, type ByteSource, fileSource, throwIfCancelled, writeAll } from "../io/byte-source.ts";
import { assemble, readSplit } from "../tar/assemble.ts";
import type { GraphImage } from "./descriptor.ts";
import { type EntryFiles, TRANSACTIONS } from "./entry-files.ts";

/**
 * The tar of an image's layer: the one that was registered, to the byte, where its tar-split was kept, as Docker has done
 * since 1.8; else a new one, of what the driver's tree adds to the parent's.
 *
 * @throws VarveError `corrupt` when a file is not the one that the tar held
 */
export async function* graphTar(image: GraphImage, files: EntryFiles, driver: Driver): ByteSource {
  const split = files.tarData(image.id);
  if (split === undefined) {
    yield* await driver.diff(image.id, image.parent);
    return;
  }
  const content = await driver.content(image.id);
  try {
    yield* assemble(readSplit(fileSource(split)), content);
  } finally {
    content.close();
  }
}

/** A layer's tar that lies on the disk until it has been read, or is not wanted any more. */
export interface BufferedTar extends Disposable {
  readonly size: number;
  /** Once. */
  readonly stream: ByteSource;
}

/** What `docker push` called it, to be shown as an action of progress. */
export const BUFFERING = "Buffering to disk";

export interface BufferOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told after each chunk how many bytes are on the disk. */
  readonly onBytes?: ((current: number) => void) | undefined;
}

/** Writes a tar to a file without a name, whose length is then known. */
export async function bufferTar(
  tar: ByteSource,
  directory: string,
  { signal, onBytes }: BufferOptions,
): Promise<BufferedTar> {
  const fd = openUnnamed(join(directory, TRANSACTIONS, randomID()));
  let open = true;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  try {
    const size = await writeAll(fd, counted(abortable(tar, signal), onBytes));
    throwIfCancelled(signal);
    return {
      size,
      stream: closing(fileSource(fd, { offset: 0, length: size, signal }), close),
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function openUnnamed(path: string): number {
  try {
    const fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    return fd;
  } catch (error) {
    throw asVarveError(error);
  }
}

async function* counted(source: ByteSource, onBytes: ((current: number) => void) | undefined): ByteSource {
  let current = 0;
  for await (const chunk of source) {
    yield chunk;
    current += chunk.length;
    onBytes?.(current);
  }
}

async function* closing(source: ByteSource, close: () => void): ByteSource {
  try {
    yield* source;
  } finally {
    close();
  }
}
