import { isVarveError } from "../errors.ts";
import { EMPTY_IMAGE_CONFIG, formatImageConfig, rootFSOf } from "../image/config.ts";
import { EMPTY_CONTAINER_CONFIG } from "../image/container-config.ts";
import { EMPTY_HISTORY_ENTRY } from "../image/history.ts";
import type { ImageID } from "../image/image.ts";
import { fileSource } from "../io/byte-source.ts";
import { decompress } from "../io/compression.ts";
import { type ArchiveLimits, type Stores, settleLimits } from "./archive.ts";
import { applyChanges } from "./changes.ts";
import { placeFault } from "./fault-place.ts";
import { withLayer } from "./held-layer.ts";
import { createImage, DOCKER_VERSION, newName, now } from "./new-image.ts";
import type { ArchiveInput } from "./open-archive.ts";
import { hostPlatform } from "./platform.ts";

export interface ImportOptions {
  /** The name of the new image. */
  readonly reference?: string | undefined;
  /** The comment in its history; `Imported from -` if absent. */
  readonly message?: string | undefined;
  /** Dockerfile instructions for its config. */
  readonly changes?: readonly string[] | undefined;
  readonly limits?: ArchiveLimits | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told after each chunk how many bytes of the tar were taken in. */
  readonly onBytes?: ((total: number) => void) | undefined;
}

/**
 * Makes an image of one layer out of a tar of a file tree, compressed or not (FORMATS 12.1). The tar is kept as it is.
 *
 * @throws VarveError `invalid-argument`, `invalid-reference`, `invalid-archive`, `too-large`, `not-found`, `cancelled`
 * @example await importImage("rootfs.tar.xz", stores, { reference: "base:1", changes: ['CMD ["/bin/sh"]'] })
 */
export async function importImage(input: ArchiveInput, stores: Stores, options: ImportOptions = {}): Promise<ImageID> {
  const reference = newName(options.reference, "import");
  const config = applyChanges(EMPTY_CONTAINER_CONFIG, options.changes ?? []);
  const { signal, onBytes } = options;
  const source = typeof input === "string" ? fileSource(input, { signal }) : input;
  const { layerBytes } = settleLimits(options.limits);
  const stream = decompress(source, { signal, limits: { bytes: layerBytes } });
  const layer = await stores.layers.register(stream, undefined, { signal, onBytes }).catch((error: unknown) => {
    throw isVarveError(error, "invalid-archive") ? placeFault("invalid archive", error) : error;
  });
  return await withLayer(layer, async () => {
    const created = now();
    const comment = options.message || "Imported from -";
    const raw = formatImageConfig({
      ...EMPTY_IMAGE_CONFIG,
      comment,
      created,
      dockerVersion: DOCKER_VERSION,
      config,
      architecture: hostPlatform().architecture,
      os: "linux",
      rootfs: rootFSOf([layer.diffID]),
      history: [{ ...EMPTY_HISTORY_ENTRY, created, comment }],
    });
    return await createImage(stores, raw, { reference });
  });
}
