import { constants, fstatSync, readFileSync } from "node:fs";
import type { Writable } from "node:stream";
import { type ByteSource, writeAll } from "../io/byte-source.ts";
import type { ImageSink, SinkOptions, SourceImage, Stores } from "./archive.ts";
import { planDocker25, planOci } from "./blob-sink.ts";
import { planDocker } from "./docker-sink.ts";
import { openStoreSource } from "./store-source.ts";
import { type ArchivePlan, placeTar, streamTar } from "./tar-output.ts";

/** What dockerd 20.10 writes, what Docker 25 and later write, or an OCI image layout. */
export type SaveFormat = "docker" | "docker-25" | "oci";

const SINKS: Readonly<Record<SaveFormat, ImageSink>> = {
  docker: planDocker,
  "docker-25": planDocker25,
  oci: planOci,
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
export async function* saveImages(images: readonly SourceImage[], options: SaveOptions = {}): ByteSource {
  yield* streamTar(await planOf(images, options), options);
}

/**
 * Writes images from any source into one archive: to a regular file from its beginning, several layers at a time; to any
 * other descriptor or stream, and to a file that is open for appending, as it takes the bytes. Nothing is closed or ended.
 *
 * @returns how many bytes there are
 */
export async function saveImagesTo(
  output: number | Writable,
  images: readonly SourceImage[],
  options: SaveOptions = {},
): Promise<number> {
  return await writePlanTo(output, await planOf(images, options), options);
}

/** As `saveImagesTo`, an archive of any kind. */
export async function writePlanTo(
  output: number | Writable,
  plan: ArchivePlan,
  options: SinkOptions = {},
): Promise<number> {
  if (typeof output !== "number" || !takesBytesAnywhere(output))
    return await writeAll(output, streamTar(plan, options));
  return await placeTar(plan, output, options);
}

/** Of a file that is open for appending the kernel puts every write at the end, wherever it was meant for. */
function takesBytesAnywhere(file: number): boolean {
  if (!fstatSync(file).isFile()) return false;
  const [, flags] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, "latin1")) ?? [];
  return flags !== undefined && (Number.parseInt(flags, 8) & constants.O_APPEND) === 0;
}

/** What an archive of the images will consist of. */
export function planOf(
  images: readonly SourceImage[],
  options: Pick<SaveOptions, "format" | "signal">,
): Promise<ArchivePlan> {
  return SINKS[options.format ?? "docker"](images, options);
}
