import { algorithmOf, type Digest, digestOf, hexOf, isDigest } from "../digest/digest.ts";
import {
  field,
  type GoInteger,
  type GoStructType,
  goInteger,
  goList,
  goMap,
  goPointer,
  goString,
  goStruct,
  optional,
} from "../json/go-type.ts";

/** The documents of an OCI image layout, and the Docker ones that they descend from (FORMATS 10.2, 10.3). */
export interface OciDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: GoInteger;
  readonly urls: readonly string[] | null;
  readonly annotations: ReadonlyMap<string, string> | null;
  readonly platform: OciPlatform | null;
  readonly artifactType: string;
}

export interface OciPlatform {
  readonly architecture: string;
  readonly os: string;
  readonly variant: string;
}

export interface OciManifest {
  readonly schemaVersion: GoInteger;
  readonly mediaType: string;
  readonly artifactType: string;
  readonly config: OciDescriptor;
  readonly layers: readonly OciDescriptor[] | null;
}

export interface OciIndex {
  readonly schemaVersion: GoInteger;
  readonly mediaType: string;
  readonly manifests: readonly OciDescriptor[] | null;
}

const platformType: GoStructType<OciPlatform> = goStruct<OciPlatform>("Platform", {
  architecture: field("architecture", goString),
  os: field("os", goString),
  variant: optional("variant", goString),
});

export const descriptorType: GoStructType<OciDescriptor> = goStruct<OciDescriptor>("Descriptor", {
  mediaType: field("mediaType", goString),
  digest: field("digest", goString),
  size: field("size", goInteger),
  urls: optional("urls", goList(goString)),
  annotations: optional("annotations", goMap(goString)),
  platform: optional("platform", goPointer(platformType)),
  artifactType: optional("artifactType", goString),
});

export const manifestType: GoStructType<OciManifest> = goStruct<OciManifest>("Manifest", {
  schemaVersion: field("schemaVersion", goInteger),
  mediaType: optional("mediaType", goString),
  artifactType: optional("artifactType", goString),
  config: field("config", descriptorType),
  layers: field("layers", goList(descriptorType)),
});

export const indexType: GoStructType<OciIndex> = goStruct<OciIndex>("Index", {
  schemaVersion: field("schemaVersion", goInteger),
  mediaType: optional("mediaType", goString),
  manifests: field("manifests", goList(descriptorType)),
});

export const MEDIA_TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
} as const;

export const ANNOTATION = {
  /** The whole name, canonical. */
  imageName: "io.containerd.image.name",
  /** By the specification anything; Docker's is the tag alone. */
  refName: "org.opencontainers.image.ref.name",
  /** What a manifest is to another one that is no image of its own. */
  referenceType: "vnd.docker.reference.type",
} as const;

/** A descriptor with nothing but what each one has. */
export function describeBlob(mediaType: string, bytes: Uint8Array): OciDescriptor {
  return { ...descriptorType.zero, mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** Where a layout keeps a blob. */
export function blobPath(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}

/** The digest that a path below `blobs/` promises. */
export function blobDigest(path: string): Digest | undefined {
  const match = /^(?:\.\/)?blobs\/([a-z0-9]+)\/([0-9a-f]+)$/.exec(path);
  const digest = match === null ? "" : `${match[1]}:${match[2]}`;
  return isDigest(digest) ? digest : undefined;
}
