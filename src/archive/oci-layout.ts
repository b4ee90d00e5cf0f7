import type { DiffID } from "../digest/chain-id.ts";
import { type Digest, isDigest } from "../digest/digest.ts";
import { isVarveError, VarveError } from "../errors.ts";
import { parseImageConfig } from "../image/config.ts";
import type { Image, ImageID } from "../image/image.ts";
import type { Descriptor } from "../layer/layer.ts";
import {
  canonicalString,
  familiarString,
  parseNormalized,
  type Reference,
  withDefaultTag,
} from "../reference/reference.ts";
import type { SourceImage, SourceLayer } from "./archive.ts";
import { findFile } from "./archive-files.ts";
import { archiveLayer } from "./archive-layer.ts";
import { type Documents, inDocument } from "./documents.ts";
import {
  ANNOTATION,
  blobPath,
  indexType,
  MEDIA_TYPE,
  manifestType,
  type OciDescriptor,
  type OciManifest,
} from "./oci.ts";
import { formatPlatform, type Platform, platformScore } from "./platform.ts";
import { readConfig } from "./source-image.ts";

/**
 * The images of an OCI image layout: one for each name in `index.json`, for our platform where a name has several, and
 * every one that fits among those without a name. Blobs of other platforms need not be there. Every blob that is read
 * must have the digest by which it is asked for.
 *
 * @param index the content of `index.json`
 * @throws VarveError `invalid-archive`, `unsupported`, `too-large`
 */
export async function readOciLayout(documents: Documents, index: Buffer, platform: Platform): Promise<SourceImage[]> {
  const layout = new Layout(documents, platform);
  const descriptors = inDocument("index.json", () => indexType.parse(index)).manifests ?? [];
  if (descriptors.length > MAX_MANIFESTS) throw tooMany();
  const images = new Map<ImageID, SourceImage>();
  for (const [name, group] of groupByName(descriptors)) {
    for (const descriptor of await layout.choose(name, group)) {
      const image = await layout.image(descriptor);
      if (image === undefined) continue;
      const references = [...(images.get(image.id)?.references ?? []), ...(name === undefined ? [] : [name])];
      images.set(image.id, { ...image, references });
    }
  }
  if (images.size > 0) return [...images.values()];
  throw new VarveError("invalid-archive", "invalid archive: its index.json names no image");
}

/** How deep indexes may lie in indexes, and how many manifests there may be in one. */
const MAX_NESTING = 8;
const MAX_MANIFESTS = 10_000;

function groupByName(
  descriptors: readonly OciDescriptor[],
): Iterable<readonly [name: Reference | undefined, group: readonly OciDescriptor[]]> {
  const groups = new Map<string, [Reference | undefined, OciDescriptor[]]>();
  for (const descriptor of descriptors) {
    const name = nameOf(descriptor);
    const key = name === undefined ? "" : canonicalString(name);
    const group = groups.get(key) ?? [name, []];
    group[1].push(descriptor);
    groups.set(key, group);
  }
  return groups.values();
}

/** A bare tag, which is all that many writers annotate, names no image. */
function nameOf({ annotations }: OciDescriptor): Reference | undefined {
  const whole = annotations?.get(ANNOTATION.imageName);
  const short = annotations?.get(ANNOTATION.refName);
  const text = whole ?? (short !== undefined && /[:/]/.test(short) ? short : undefined);
  if (text === undefined) return undefined;
  try {
    const reference = parseNormalized(text);
    return reference.digest === undefined ? withDefaultTag(reference) : undefined;
  } catch (error) {
    if (isVarveError(error, "invalid-reference")) return undefined;
    throw error;
  }
}

/** Signatures, attestations and other things that are attached to an image. */
function isAccessory({ annotations, artifactType }: OciDescriptor): boolean {
  return annotations?.has(ANNOTATION.referenceType) === true || artifactType !== "";
}

function isIndex({ mediaType }: OciDescriptor): boolean {
  return mediaType === MEDIA_TYPE.index || mediaType === MEDIA_TYPE.dockerIndex;
}

/** Signatures and attestations may have an image's config, but not its layers. */
function isImage({ config, layers }: OciManifest): boolean {
  const { mediaType } = config;
  if (mediaType !== MEDIA_TYPE.config && mediaType !== MEDIA_TYPE.dockerConfig) return false;
  return (layers ?? []).every((layer) => LAYER_TYPE.test(layer.mediaType));
}

const LAYER_TYPE = /^application\/vnd\.(oci\.image\.layer|docker\.image\.rootfs)\./;

/** A layout that is being read; each blob is looked into once, however often it is named. */
class Layout {
  readonly #documents: Documents;
  readonly #wanted: Platform;
  readonly #images = new Map<string, SourceImage | undefined>();
  readonly #indexes = new Map<string, readonly OciDescriptor[]>();

  constructor(documents: Documents, wanted: Platform) {
    this.#documents = documents;
    this.#wanted = wanted;
  }

  /**
   * The manifests to load of those that share a name or have none: of an index the one that fits best, of manifests side
   * by side those that fit. One that stands alone, or does not say what it is for, is taken as it is.
   */
  async choose(name: Reference | undefined, group: readonly OciDescriptor[]): Promise<OciDescriptor[]> {
    const chosen: OciDescriptor[] = [];
    const misfits: Platform[] = [];
    const descriptors = group.filter((descriptor) => !isAccessory(descriptor));
    for (const descriptor of descriptors) {
      const { platform } = descriptor;
      if (isIndex(descriptor)) {
        const best = await this.#pickBest(await this.#manifestsBelow(descriptor), misfits);
        if (best !== undefined) chosen.push(best);
      } else if (descriptors.length === 1 || platform === null || platformScore(platform, this.#wanted) > 0)
        chosen.push(descriptor);
      else misfits.push(platform);
    }
    if (chosen.length === 0 && misfits.length > 0) throw noPlatform(name, this.#wanted, misfits);
    return chosen;
  }

  /** @returns `undefined` for a manifest of something else than an image */
  async image(descriptor: OciDescriptor): Promise<SourceImage | undefined> {
    const { digest } = descriptor;
    if (!this.#images.has(digest)) this.#images.set(digest, await this.#readImage(descriptor));
    return this.#images.get(digest);
  }

  async #readImage(descriptor: OciDescriptor): Promise<SourceImage | undefined> {
    const manifest = await this.#readBlob(descriptor, manifestType.parse);
    if (!isImage(manifest)) return undefined;
    const image = await this.#readBlob(manifest.config, readConfig);
    return { ...image, layers: this.#readLayers(manifest, image), references: [], parent: undefined };
  }

  #readLayers(manifest: OciManifest, { id, diffIDs }: Image): SourceLayer[] {
    const layers = manifest.layers ?? [];
    if (layers.length !== diffIDs.length)
      throw new VarveError(
        "invalid-archive",
        `invalid manifest, layers length mismatch: expected ${layers.length}, got ${diffIDs.length}`,
        { id },
      );
    return diffIDs.map((diffID, i) => this.#readLayer(layers[i]!, diffID));
  }

  #readLayer(layer: OciDescriptor, diffID: DiffID): SourceLayer {
    if (layer.mediaType.endsWith("+encrypted"))
      throw new VarveError("unsupported", `layer ${layer.digest} is encrypted`, { mediaType: layer.mediaType });
    const digest = digestIn(layer);
    const path = blobPath(digest);
    const file = findFile(this.#documents.files, path);
    if (file !== undefined) checkSize(path, layer, file.size);
    const { layerBytes } = this.#documents.limits;
    return archiveLayer({ diffID, path, file, digest, descriptor: readForeign(layer) }, layerBytes);
  }

  async #pickBest(manifests: readonly OciDescriptor[], misfits: Platform[]): Promise<OciDescriptor | undefined> {
    let best: OciDescriptor | undefined;
    let bestScore = 0;
    for (const descriptor of manifests) {
      const platform = descriptor.platform ?? (await this.#platformOf(descriptor));
      const score = platformScore(platform, this.#wanted);
      if (score === 0) misfits.push(platform);
      if (score > bestScore) [best, bestScore] = [descriptor, score];
    }
    return best;
  }

  /** What the config says, if the blobs are there to ask. */
  async #platformOf(descriptor: OciDescriptor): Promise<Platform> {
    const manifest = await this.#findBlob(descriptor);
    const config = manifest && (await this.#findBlob(manifestType.parse(manifest).config));
    return config === undefined ? UNKNOWN : parseImageConfig(config);
  }

  /** All manifests below an index, each once. */
  async #manifestsBelow(index: OciDescriptor): Promise<readonly OciDescriptor[]> {
    const known = this.#indexes.get(index.digest);
    if (known !== undefined) return known;
    const seen = new Map<string, OciDescriptor>();
    const visit = async (descriptor: OciDescriptor, nesting: number): Promise<void> => {
      if (isAccessory(descriptor) || seen.has(descriptor.digest)) return;
      seen.set(descriptor.digest, descriptor);
      if (seen.size > MAX_MANIFESTS) throw tooMany();
      if (!isIndex(descriptor)) return;
      if (nesting === MAX_NESTING)
        throw new VarveError("invalid-archive", "invalid archive: its indexes lie too deep in one another");
      const { manifests } = await this.#readBlob(descriptor, indexType.parse);
      for (const inner of manifests ?? []) await visit(inner, nesting + 1);
    };
    await visit(index, 0);
    const manifests = [...seen.values()].filter((descriptor) => !isIndex(descriptor));
    this.#indexes.set(index.digest, manifests);
    return manifests;
  }

  async #readBlob<T>(descriptor: OciDescriptor, parse: (bytes: Buffer) => T): Promise<T> {
    const bytes = await this.#findBlob(descriptor);
    const path = blobPath(digestIn(descriptor));
    if (bytes !== undefined) return inDocument(path, () => parse(bytes));
    throw new VarveError("invalid-archive", `invalid archive: the blob "${path}" is not in it`, { path });
  }

  async #findBlob(descriptor: OciDescriptor): Promise<Buffer | undefined> {
    const path = blobPath(digestIn(descriptor));
    const bytes = await this.#documents.find(path);
    if (bytes !== undefined) checkSize(path, descriptor, bytes.length);
    return bytes;
  }
}

const UNKNOWN: Platform = { os: "", architecture: "", variant: "" };

function readForeign({ mediaType, digest, size, urls }: OciDescriptor): Descriptor | undefined {
  return urls === null || urls.length === 0 ? undefined : { mediaType, digest, size: Number(size), urls };
}

function digestIn({ digest }: OciDescriptor): Digest {
  if (isDigest(digest)) return digest;
  throw new VarveError("invalid-archive", `invalid archive: "${digest}" is no digest`, { digest });
}

function checkSize(path: string, { size }: OciDescriptor, actual: number): void {
  if (actual === Number(size)) return;
  const message = `invalid archive: "${path}" has ${actual} bytes, expected ${size}`;
  throw new VarveError("invalid-archive", message, { path, expected: size, actual });
}

function tooMany(): VarveError {
  return new VarveError("too-large", `invalid archive: an index of it has more than ${MAX_MANIFESTS} manifests`);
}

function noPlatform(name: Reference | undefined, platform: Platform, misfits: readonly Platform[]): VarveError {
  const wanted = formatPlatform(platform);
  const offered = [...new Set(misfits.map(formatPlatform))];
  const subject = name === undefined ? "the archive" : familiarString(name);
  const message = `no image for ${wanted} in ${subject}, which has ${offered.join(", ")}`;
  return new VarveError("invalid-archive", message, { wanted, offered });
}
