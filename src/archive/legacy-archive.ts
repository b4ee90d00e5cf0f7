import { Digester } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import type { HistoryEntry } from "../image/history.ts";
import { configOfV1, historyEntryOf } from "../image/legacy-config.ts";
import { field, type GoStructType, goMap, goString, goStruct } from "../json/go-type.ts";
import { parseJson } from "../json/json.ts";
import { MAX_DEPTH } from "../layer/layer.ts";
import { parseNormalized, type Reference, withTag } from "../reference/reference.ts";
import { toText } from "../sys/byte-string.ts";
import type { SourceImage, SourceLayer } from "./archive.ts";
import { findFile } from "./archive-files.ts";
import { archiveLayer, openLayer } from "./archive-layer.ts";
import { type Documents, inDocument } from "./documents.ts";
import { placeFault } from "./fault-place.ts";
import { readConfig } from "./source-image.ts";

const linkType: GoStructType<{ readonly parent: string }> = goStruct("v1 image", { parent: field("parent", goString) });

/**
 * The images of an archive of Docker 1.9 and before (FORMATS 10.5): every directory is one, on top of the one that it
 * names as its parent. The layers are read to find out what they are, since no digest of them is kept.
 *
 * @param repositories the content of `repositories`
 * @throws VarveError `invalid-archive`, `invalid-reference`, `unsupported`, `too-large`
 */
export async function readLegacyArchive(documents: Documents, repositories: Buffer): Promise<SourceImage[]> {
  const archive = new LegacyArchive(documents);
  for (const name of documents.files.directories()) await archive.read(toText(name));
  const tags = readRepositories(repositories, archive.images);
  return [...archive.images].map(([id, { image }]) => ({ ...image, references: tags.get(id) ?? [] }));
}

interface V1Image {
  readonly image: SourceImage;
  readonly history: readonly HistoryEntry[];
}

class LegacyArchive {
  /** By v1 id, parents first. */
  readonly images = new Map<string, V1Image>();
  readonly #documents: Documents;
  readonly #onTheWay = new Set<string>();

  constructor(documents: Documents) {
    this.#documents = documents;
  }

  async read(id: string): Promise<V1Image> {
    const known = this.images.get(id);
    if (known !== undefined) return known;
    if (this.#onTheWay.has(id))
      throw new VarveError("invalid-archive", `invalid archive: image ${id} is its own ancestor`, { id });
    if (this.#onTheWay.size > MAX_DEPTH) throw new VarveError("too-large", "max depth exceeded", { id });
    this.#onTheWay.add(id);
    const path = `${id}/json`;
    const json = await this.#documents.get(path);
    const { parent } = inDocument(path, () => linkType.parse(json));
    const image = await this.#make(id, json, parent === "" ? undefined : await this.read(parent));
    this.#onTheWay.delete(id);
    this.images.set(id, image);
    return image;
  }

  async #make(id: string, json: Buffer, parent: V1Image | undefined): Promise<V1Image> {
    const layer = await this.#readLayer(id);
    const layers = [...(parent?.image.layers ?? []), layer];
    const diffIDs = layers.map(({ diffID }) => diffID);
    return inDocument(`${id}/json`, () => {
      const history = [...(parent?.history ?? []), historyEntryOf(json)];
      const image = readConfig(configOfV1(json, diffIDs, history));
      return { image: { ...image, layers, references: [], parent: parent?.image.id }, history };
    });
  }

  async #readLayer(id: string): Promise<SourceLayer> {
    const { files, limits, signal } = this.#documents;
    const path = `${id}/layer.tar`;
    const found = { path, file: findFile(files, path), label: id.slice(0, 12) };
    const digester = new Digester();
    try {
      for await (const chunk of openLayer(found, limits.layerBytes, { signal })) digester.update(chunk);
    } catch (error) {
      throw placeFault(`layer ${found.label}`, error);
    }
    return archiveLayer({ ...found, diffID: digester.digest() }, limits.layerBytes);
  }
}

const repositoriesType = goMap(goMap(goString));

function readRepositories(bytes: Buffer, images: ReadonlyMap<string, unknown>): ReadonlyMap<string, Reference[]> {
  const tags = new Map<string, Reference[]>();
  const repositories = inDocument("repositories", () =>
    repositoriesType.read(parseJson(bytes, { first: true }), null, ""),
  );
  for (const [name, entries] of repositories ?? [])
    for (const [tag, id] of entries ?? []) {
      if (!images.has(id)) throw new VarveError("invalid-archive", `invalid target ID: ${id}`, { id, name, tag });
      tags.set(id, [...(tags.get(id) ?? []), withTag(parseNormalized(name), tag)]);
    }
  return tags;
}
