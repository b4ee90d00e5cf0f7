import { type Digest, digestOf, hexOf } from "../digest/digest.ts";
import { v1Layers } from "../image/v1-id.ts";
import { formatGo } from "../json/go-value.ts";
import { canonicalString } from "../reference/reference.ts";
import type { SinkOptions, SourceImage, SourceLayer } from "./archive.ts";
import { formatManifest, formatRepositories, type ImagePaths, type LayerSource } from "./docker-manifest.ts";
import { refuseEmpty } from "./docker-sink.ts";
import { ANNOTATION, blobPath, describeBlob, indexType, MEDIA_TYPE, manifestType, type OciDescriptor } from "./oci.ts";
import { type ArchivePlan, fileTime, type OutputMember } from "./tar-output.ts";

/**
 * The archive of Docker 25 and later (FORMATS 10.2): an OCI layout that carries what older Dockers look for beside it.
 * Where Docker leaves times of its own making, it has those of the images, or 0.
 *
 * @throws VarveError `unsupported` for an image without layers, else what the layers throw
 */
export async function planDocker25(images: readonly SourceImage[], options: SinkOptions = {}): Promise<ArchivePlan> {
  const blobs = new Blobs("docker-25");
  for (const image of images) {
    refuseEmpty(image);
    await blobs.add(image, options.signal);
  }
  return { members: [...blobs.members(images)], style: "plain" };
}

/**
 * A plain OCI image layout in a tar: uncompressed layers, names in the annotations that Docker and containerd use, and
 * no times, so that the same images give the same bytes wherever they are.
 *
 * @throws VarveError what the layers throw
 */
export async function planOci(images: readonly SourceImage[], options: SinkOptions = {}): Promise<ArchivePlan> {
  const blobs = new Blobs("oci");
  for (const image of images) await blobs.add(image, options.signal);
  return { members: [...blobs.members(images)], style: "plain" };
}

class Blobs {
  readonly #format: "docker-25" | "oci";
  readonly #blobs = new Map<Digest, OutputMember>();
  readonly #descriptors: OciDescriptor[] = [];
  readonly #paths = new Map<SourceImage, ImagePaths>();
  #lastTime = 0;

  constructor(format: "docker-25" | "oci") {
    this.#format = format;
  }

  /** Layers are measured here, since their size is part of a manifest's digest. */
  async add(image: SourceImage, signal: AbortSignal | undefined): Promise<void> {
    const mtime = this.#format === "oci" ? 0 : fileTime(image.config.created);
    this.#lastTime = mtime;
    if (this.#format === "docker-25")
      for (const { json } of v1Layers(image.config, image.diffIDs)) this.#addBytes(json, mtime);
    this.#addBytes(image.raw, mtime);
    const layers: OciDescriptor[] = [];
    for (const layer of image.layers) {
      this.#addLayer(layer, mtime);
      layers.push(await describeLayer(layer, signal));
    }
    const config = describeBlob(MEDIA_TYPE.config, image.raw);
    const { zero } = manifestType;
    const manifest = manifestType.write({ ...zero, schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers });
    this.#addManifest(image, formatGo(manifest));
    this.#paths.set(image, {
      config: blobPath(image.id),
      layers: image.diffIDs.map(blobPath),
      sources: new Map(layers.map((layer): [string, LayerSource] => [layer.digest, layer])),
      legacyID: hexOf(image.diffIDs.at(-1) ?? image.id),
    });
  }

  *members(images: readonly SourceImage[]): Generator<OutputMember> {
    yield { kind: "directory", name: "blobs/", mtime: this.#lastTime };
    yield { kind: "directory", name: "blobs/sha256/", mtime: this.#lastTime };
    for (const digest of [...this.#blobs.keys()].sort()) yield this.#blobs.get(digest)!;
    yield document("index.json", this.#index());
    const pathsOf = (image: SourceImage): ImagePaths => this.#paths.get(image)!;
    const isDocker = this.#format === "docker-25";
    if (isDocker) yield document("manifest.json", formatManifest(images, pathsOf));
    yield document("oci-layout", Buffer.from('{"imageLayoutVersion": "1.0.0"}'));
    const repositories = isDocker ? formatRepositories(images, pathsOf) : undefined;
    if (repositories !== undefined) yield document("repositories", repositories);
  }

  #addManifest(image: SourceImage, bytes: Buffer): void {
    this.#addBytes(bytes, 0);
    const descriptor = { ...describeBlob(MEDIA_TYPE.manifest, bytes), platform: this.#platformOf(image) };
    if (image.references.length === 0) this.#descriptors.push(descriptor);
    for (const reference of image.references) {
      const annotations = new Map([
        [ANNOTATION.imageName, canonicalString(reference)],
        [ANNOTATION.refName, reference.tag!],
      ]);
      this.#descriptors.push({ ...descriptor, annotations });
    }
  }

  /** Docker stopped writing it with 26.1. */
  #platformOf({ config }: SourceImage): OciDescriptor["platform"] {
    if (this.#format === "docker-25" || config.architecture === "") return null;
    return { architecture: config.architecture, os: config.os || "linux", variant: config.variant };
  }

  #index(): Buffer {
    const manifests = this.#descriptors;
    return formatGo(indexType.write({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }));
  }

  #addBytes(bytes: Buffer, mtime: number): void {
    const digest = digestOf(bytes);
    if (!this.#blobs.has(digest)) this.#blobs.set(digest, { kind: "file", name: blobPath(digest), mtime, bytes });
  }

  #addLayer(layer: SourceLayer, mtime: number): void {
    const { diffID } = layer;
    if (!this.#blobs.has(diffID)) this.#blobs.set(diffID, { kind: "layer", name: blobPath(diffID), mtime, layer });
  }
}

/** A foreign layer is described by where it can be fetched from, but its bytes come along all the same. */
async function describeLayer(layer: SourceLayer, signal: AbortSignal | undefined): Promise<OciDescriptor> {
  const size = await layer.tarSize(signal);
  return { ...manifestType.zero.config, mediaType: MEDIA_TYPE.layer, digest: layer.diffID, size };
}

function document(name: string, bytes: Buffer): OutputMember {
  return { kind: "file", name, mtime: 0, bytes };
}
