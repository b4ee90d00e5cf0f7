import type { DiffID } from "../digest/chain-id.ts";
import { VarveError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import { parseJson } from "../json/json.ts";
import type { Descriptor } from "../layer/layer.ts";
import type { SourceImage, SourceLayer } from "./archive.ts";
import { findFile } from "./archive-files.ts";
import { archiveLayer } from "./archive-layer.ts";
import { dockerManifestType, type LayerSource, type ManifestItem } from "./docker-manifest.ts";
import { type Documents, inDocument } from "./documents.ts";
import { byID, readConfig, readParent, readTag, refuseParentLoops } from "./source-image.ts";

/**
 * The images of an archive with a `manifest.json`: of Docker 1.10 and later, and of everything that writes for it.
 *
 * @param manifest the content of `manifest.json`
 * @throws VarveError `invalid-archive` with Docker's text, `invalid-reference`, `unsupported`, `too-large`
 */
export async function readDockerArchive(documents: Documents, manifest: Buffer): Promise<SourceImage[]> {
  const items = inDocument("manifest.json", () => readManifest(manifest));
  const configs: Image[] = [];
  const known = new Map<string, Image>();
  for (const item of items) {
    const config = known.get(item.config) ?? (await readItsConfig(documents, item));
    known.set(item.config, config);
    checkLength(item, config);
    configs.push(config);
  }
  const ids = byID(configs);
  const images = items.map((item, i) => {
    const config = configs[i]!;
    return {
      ...config,
      layers: readLayers(documents, item, config.diffIDs),
      references: (item.repoTags ?? []).map(readTag),
      parent: readParent(item.parent, config, ids),
    };
  });
  refuseParentLoops(images);
  return images;
}

const MAX_IMAGES = 10_000;

function readManifest(bytes: Buffer): readonly ManifestItem[] {
  const items = dockerManifestType.read(parseJson(bytes, { first: true }), null, "");
  if (items !== null && items.length > MAX_IMAGES)
    throw new VarveError("too-large", `more than ${MAX_IMAGES} images`, { images: items.length, limit: MAX_IMAGES });
  if (items !== null) return items;
  throw new VarveError("invalid-archive", "invalid manifest, manifest cannot be null (but can be [])");
}

async function readItsConfig(documents: Documents, { config }: ManifestItem): Promise<Image> {
  const raw = await documents.get(config);
  return inDocument(config, () => readConfig(raw));
}

function checkLength({ layers }: ManifestItem, { id, diffIDs }: Image): void {
  const [expected, got] = [layers?.length ?? 0, diffIDs.length];
  if (expected !== got)
    throw new VarveError(
      "invalid-archive",
      `invalid manifest, layers length mismatch: expected ${expected}, got ${got}`,
      { id },
    );
}

function readLayers(documents: Documents, item: ManifestItem, diffIDs: readonly DiffID[]): SourceLayer[] {
  return diffIDs.map((diffID, i) => {
    const path = item.layers![i]!;
    const file = findFile(documents.files, path);
    const descriptor = readForeign(item.layerSources?.get(diffID));
    return archiveLayer({ diffID, path, file, descriptor }, documents.limits.layerBytes);
  });
}

/** Docker 25 names a source for every layer; only where it can be fetched from is worth keeping. */
function readForeign(source: LayerSource | undefined): Descriptor | undefined {
  if (source?.urls === undefined || source.urls === null || source.urls.length === 0) return undefined;
  const { mediaType, digest, urls } = source;
  return { mediaType, size: Number(source.size), digest, urls };
}
