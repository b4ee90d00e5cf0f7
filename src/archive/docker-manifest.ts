import type { ImageID } from "../image/image.ts";
import {
  field,
  type GoInteger,
  type GoStructType,
  goInteger,
  goList,
  goMap,
  goString,
  goStruct,
  optional,
} from "../json/go-type.ts";
import { formatGo, type GoValue } from "../json/go-value.ts";
import { familiarName, familiarString } from "../reference/reference.ts";
import type { SourceImage } from "./archive.ts";

/** One image in `manifest.json` (FORMATS 10.1). */
export interface ManifestItem {
  readonly config: string;
  readonly repoTags: readonly string[] | null;
  readonly layers: readonly string[] | null;
  readonly parent: string;
  /** By DiffID. */
  readonly layerSources: ReadonlyMap<string, LayerSource> | null;
}

/** Docker's own descriptor, whose fields have another order than OCI's. */
export interface LayerSource {
  readonly mediaType: string;
  readonly size: GoInteger;
  readonly digest: string;
  readonly urls: readonly string[] | null;
}

const layerSourceType: GoStructType<LayerSource> = goStruct<LayerSource>("Descriptor", {
  mediaType: optional("mediaType", goString),
  size: optional("size", goInteger),
  digest: optional("digest", goString),
  urls: optional("urls", goList(goString)),
});

const manifestItemType: GoStructType<ManifestItem> = goStruct<ManifestItem>("manifestItem", {
  config: field("Config", goString),
  repoTags: field("RepoTags", goList(goString)),
  layers: field("Layers", goList(goString)),
  parent: optional("Parent", goString),
  layerSources: optional("LayerSources", goMap(layerSourceType)),
});

/** The content of `manifest.json`. */
export const dockerManifestType: ReturnType<typeof goList<ManifestItem>> = goList(manifestItemType);

/** What an archive says of one image besides its name and its parent. */
export interface ImagePaths {
  readonly config: string;
  /** Bottom first. */
  readonly layers: readonly string[];
  readonly sources: ReadonlyMap<string, LayerSource>;
  /** What `repositories` points to. */
  readonly legacyID: string;
}

/** `manifest.json`, with the line end of Go's stream encoder. */
export function formatManifest(images: readonly SourceImage[], pathsOf: (image: SourceImage) => ImagePaths): Buffer {
  const ids = new Set<ImageID>(images.map(({ id }) => id));
  const items = images.map((image): ManifestItem => {
    const { config, layers, sources } = pathsOf(image);
    return {
      config,
      repoTags: image.references.length > 0 ? image.references.map(familiarString) : null,
      layers,
      parent: image.parent !== undefined && image.parent !== image.id && ids.has(image.parent) ? image.parent : "",
      layerSources: sources.size > 0 ? sources : null,
    };
  });
  return formatLine(dockerManifestType.write(items));
}

/** `repositories`, which Docker leaves out when no tag is saved. */
export function formatRepositories(
  images: readonly SourceImage[],
  pathsOf: (image: SourceImage) => ImagePaths,
): Buffer | undefined {
  const names = new Map<string, Map<string, string>>();
  for (const image of images)
    for (const reference of image.references) {
      const name = familiarName(reference);
      names.set(name, (names.get(name) ?? new Map()).set(reference.tag!, pathsOf(image).legacyID));
    }
  return names.size > 0 ? formatLine(names) : undefined;
}

function formatLine(value: GoValue): Buffer {
  return Buffer.concat([formatGo(value), Buffer.from("\n")]);
}
