import type { DiffID } from "../digest/chain-id.ts";
import { VarveError } from "../errors.ts";
import type { GoTime } from "../json/go-time.ts";
import {
  field,
  type GoFields,
  type GoInteger,
  type GoStructType,
  type GoType,
  goInteger,
  goList,
  goPointer,
  goString,
  goStruct,
  goTime,
  optional,
} from "../json/go-type.ts";
import { formatSorted } from "../json/go-value.ts";
import { type ContainerConfig, containerConfigType } from "./container-config.ts";
import { type HistoryEntry, historyEntryType } from "./history.ts";

/**
 * The v1 object: what the JSON of an image held before Docker 1.10, and still the names of most top-level keys of the
 * config object (FORMATS 1.6).
 */
export interface V1Image {
  readonly id: string;
  readonly parent: string;
  readonly comment: string;
  readonly created: GoTime;
  readonly container: string;
  readonly containerConfig: ContainerConfig;
  readonly dockerVersion: string;
  readonly author: string;
  readonly config: ContainerConfig | null;
  readonly architecture: string;
  readonly variant: string;
  /** Empty means the host's. */
  readonly os: string;
  readonly size: GoInteger;
}

/** A view of an image's config object (FORMATS 3.3). The bytes are the image; this is only what Docker reads in them. */
export interface ImageConfig extends V1Image {
  readonly rootfs: RootFS | null;
  readonly history: readonly HistoryEntry[] | null;
  readonly osVersion: string;
  readonly osFeatures: readonly string[] | null;
}

export interface RootFS {
  /** `layers`. */
  readonly type: string;
  /** Bottom first. Nobody checked that they are digests. */
  readonly diffIDs: readonly DiffID[] | null;
}

const v1Fields: GoFields<V1Image> = {
  id: optional("id", goString),
  parent: optional("parent", goString),
  comment: optional("comment", goString),
  created: field("created", goTime),
  container: optional("container", goString),
  containerConfig: field("container_config", containerConfigType),
  dockerVersion: optional("docker_version", goString),
  author: optional("author", goString),
  config: optional("config", goPointer(containerConfigType)),
  architecture: optional("architecture", goString),
  variant: optional("variant", goString),
  os: optional("os", goString),
  size: optional("Size", goInteger),
};

export const rootFSType: GoStructType<RootFS> = goStruct<RootFS>("RootFS", {
  type: field("type", goString),
  diffIDs: optional("diff_ids", goList(goString as GoType<DiffID>)),
});

/** Writes in the order that the v1 object's fields have in Docker. */
export const v1ImageType: GoStructType<V1Image> = goStruct<V1Image>("V1Image", v1Fields);

const imageConfigType: GoStructType<ImageConfig> = goStruct<ImageConfig>("Image", {
  ...v1Fields,
  rootfs: optional("rootfs", goPointer(rootFSType)),
  history: optional("history", goList(historyEntryType)),
  osVersion: optional("os.version", goString),
  osFeatures: optional("os.features", goList(goString)),
});

/** Nothing set. `{ ...EMPTY_IMAGE_CONFIG, os: "linux", … }` is how a new config begins. */
export const EMPTY_IMAGE_CONFIG: ImageConfig = imageConfigType.zero;

/**
 * Reads a config object as tolerantly as Docker: keys in any case, unknown ones ignored, later duplicates on top.
 *
 * @throws VarveError `invalid-archive` for what is no JSON or has values of other types, or without `rootfs`
 */
export function parseImageConfig(raw: Uint8Array): ImageConfig & { readonly rootfs: RootFS } {
  const config = imageConfigType.parse(raw);
  const { rootfs } = config;
  if (rootfs === null) throw new VarveError("invalid-archive", "invalid image JSON, no RootFS key");
  return { ...config, rootfs };
}

/** The bytes that Docker 20.10 gives to a new image: top-level keys sorted, inner ones in their structs' order. */
export function formatImageConfig(config: ImageConfig): Buffer {
  return formatSorted(imageConfigType.write(config));
}

/** `rootfs` of layers, bottom first. */
export function rootFSOf(diffIDs: readonly DiffID[]): RootFS {
  return { type: "layers", diffIDs };
}
