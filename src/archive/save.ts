import type { ByteSource } from "../io/byte-source.ts";
import type { ImageSink, SinkOptions, SourceImage, Stores } from "./archive.ts";
import { docker25Archive, ociArchive } from "./blob-sink.ts";
import { dockerArchive } from "./docker-sink.ts";
import { openStoreSource } from "./store-source.ts";

/** What dockerd 20.10 writes, what Docker 25 and later write, or an OCI image layout. */
export type SaveFormat = "docker" | "docker-25" | "oci";

const SINKS: Readonly<Record<SaveFormat, ImageSink<ByteSource>>> = {
  docker: dockerArchive,
  "docker-25": docker25Archive,
  oci: ociArchive,
};

export interface SaveOptions extends SinkOptions {
  /** `docker` if absent. */
  readonly format?: SaveFormat | undefined;
}

/**
 * Writes images into one archive, straight from the store. Each layer is verified as it passes; when one is damaged, the
 * stream fails and what came of it so far is no archive.
 *
 * @param names a tag, a name for all its tags, an ID or the beginning of one, `name@digest`
 * @throws VarveError from the first read on: `not-found`, `ambiguous`, `invalid-reference`, `unsupported` for an image
 *   without layers, `corrupt`, `cancelled`
 * @example await writeAll(output, save(["app:1"], stores));
 */
export async function* save(names: readonly string[], stores: Stores, options: SaveOptions = {}): ByteSource {
  const source = await openStoreSource(names, stores);
  try {
    yield* saveImages(source.images, options);
  } finally {
    await source[Symbol.asyncDispose]();
  }
}

/** Writes images from any source into one archive. */
export function saveImages(images: readonly SourceImage[], options: SaveOptions = {}): ByteSource {
  return SINKS[options.format ?? "docker"](images, options);
}
