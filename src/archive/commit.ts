import { type DiffID, EMPTY_LAYER_DIFF_ID } from "../digest/chain-id.ts";
import { EMPTY_IMAGE_CONFIG, formatImageConfig, type ImageConfig, rootFSOf } from "../image/config.ts";
import type { ContainerConfig } from "../image/container-config.ts";
import type { Image, ImageID } from "../image/image.ts";
import { throwIfCancelled } from "../io/byte-source.ts";
import type { RWLayer } from "../layer/rw-layer.ts";
import type { Stores } from "./archive.ts";
import { applyChanges } from "./changes.ts";
import { withLayer } from "./held-layer.ts";
import { mergeConfig } from "./merge-config.ts";
import { createImage, DOCKER_VERSION, newName, now } from "./new-image.ts";
import { hostPlatform } from "./platform.ts";

/** A container whose changes are to become an image. */
export interface CommitSource {
  readonly id: string;
  /** The image that it was made from; `undefined` for a container from scratch. */
  readonly image: ImageID | undefined;
  readonly config: ContainerConfig;
  readonly layer: RWLayer;
}

export interface CommitOptions {
  readonly reference?: string | undefined;
  readonly author?: string | undefined;
  /** The comment in the image's history. */
  readonly message?: string | undefined;
  /** What the image's config begins with; the container's if absent. */
  readonly config?: ContainerConfig | undefined;
  /** Dockerfile instructions for the config. */
  readonly changes?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes an image of a container: the container's image with what the container changed as one more layer, or with none
 * when it changed nothing (FORMATS 12.2).
 *
 * @throws VarveError `invalid-argument`, `invalid-reference`, `not-found` when the container's image is gone, `too-large`
 *   for the 126th layer, `cancelled`
 */
export async function commitContainer(
  container: CommitSource,
  stores: Stores,
  options: CommitOptions = {},
): Promise<ImageID> {
  const reference = newName(options.reference, "commit");
  const changed = applyChanges(options.config ?? container.config, options.changes ?? []);
  const parent = container.image === undefined ? undefined : stores.images.get(container.image);
  const tar = await container.layer.tarStream();
  const layer = await stores.layers.register(tar, parent?.chainID, { signal: options.signal });
  return await withLayer(layer, async () => {
    throwIfCancelled(options.signal);
    const config = mergeConfig(changed, container.config);
    const raw = formatImageConfig({
      ...inherited(parent),
      ...committed(container, layer.diffID, parent, options),
      config,
    });
    return await createImage(stores, raw, { reference, parent: parent?.id });
  });
}

/** What an image has of its parent. */
function inherited(parent: Image | undefined): ImageConfig {
  const { architecture, variant, osVersion, osFeatures, os } = parent?.config ?? EMPTY_IMAGE_CONFIG;
  return {
    ...EMPTY_IMAGE_CONFIG,
    architecture: architecture || hostPlatform().architecture,
    variant,
    os: os || "linux",
    osVersion,
    osFeatures,
  };
}

/** What the commit adds. A container that changed nothing adds no layer, but says so in the history. */
function committed(
  container: CommitSource,
  diffID: DiffID,
  parent: Image | undefined,
  { author = "", message = "" }: CommitOptions,
): Partial<ImageConfig> {
  const created = now();
  const emptyLayer = diffID === EMPTY_LAYER_DIFF_ID;
  const createdBy = (container.config.cmd ?? []).join(" ");
  return {
    container: container.id,
    containerConfig: container.config,
    author,
    created,
    dockerVersion: DOCKER_VERSION,
    rootfs: rootFSOf([...(parent?.diffIDs ?? []), ...(emptyLayer ? [] : [diffID])]),
    history: [...(parent?.config.history ?? []), { created, author, createdBy, comment: message, emptyLayer }],
  };
}
