import type { DiffID } from "../digest/chain-id.ts";
import { hexOf } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import { type V1Layer, v1Layers } from "../image/v1-id.ts";
import type { SourceImage, SourceLayer } from "./archive.ts";
import { formatManifest, formatRepositories, type ImagePaths, type LayerSource } from "./docker-manifest.ts";
import { type ArchivePlan, fileTime, type OutputMember } from "./tar-output.ts";

/**
 * The archive that dockerd 20.10 makes of the images, byte for byte (FORMATS 10.1), and always the same for the same
 * images: `manifest.json` lists them in the order given, where Docker has none, and a directory whose layer is a link to
 * another one has the image's time, where Docker leaves the moment at which it was made.
 *
 * @throws VarveError `unsupported` for an image without layers
 */
export async function planDocker(images: readonly SourceImage[]): Promise<ArchivePlan> {
  const plan = new Plan();
  for (const image of images) plan.add(image);
  return { members: [...plan.members(images)], style: "typed" };
}

/** Docker has no way to say it in its archives. */
export function refuseEmpty({ id, layers }: SourceImage): void {
  if (layers.length === 0) throw new VarveError("unsupported", "empty export - not implemented", { id });
}

class Plan {
  /** Members by their top-level name. */
  readonly #members = new Map<string, OutputMember[]>();
  /** Which v1 image has the bytes of a layer. */
  readonly #homes = new Map<DiffID, string>();
  readonly #paths = new Map<SourceImage, ImagePaths>();

  add(image: SourceImage): void {
    refuseEmpty(image);
    const mtime = fileTime(image.config.created);
    const v1Images = v1Layers(image.config, image.diffIDs);
    for (const [i, v1Image] of v1Images.entries()) this.#addLayer(v1Image, image.layers[i]!, mtime);
    const config = `${hexOf(image.id)}.json`;
    this.#members.set(config, [{ kind: "file", name: config, mtime, bytes: image.raw }]);
    this.#paths.set(image, {
      config,
      layers: v1Images.map(({ id }) => layerPath(id)),
      sources: foreignSources(image),
      legacyID: v1Images.at(-1)!.id,
    });
  }

  /** In the order of a walk through the directory that Docker would have made. */
  *members(images: readonly SourceImage[]): Generator<OutputMember> {
    const pathsOf = (image: SourceImage): ImagePaths => this.#paths.get(image)!;
    this.#addDocument("manifest.json", formatManifest(images, pathsOf));
    const repositories = formatRepositories(images, pathsOf);
    if (repositories !== undefined) this.#addDocument("repositories", repositories);
    for (const name of [...this.#members.keys()].sort()) yield* this.#members.get(name)!;
  }

  #addLayer({ id, json }: V1Layer, layer: SourceLayer, mtime: number): void {
    if (this.#members.has(id)) return;
    const home = this.#homes.get(layer.diffID);
    if (home === undefined) this.#homes.set(layer.diffID, id);
    const name = layerPath(id);
    this.#members.set(id, [
      { kind: "directory", name: `${id}/`, mtime },
      { kind: "file", name: `${id}/VERSION`, mtime, bytes: VERSION },
      { kind: "file", name: `${id}/json`, mtime, bytes: json },
      home === undefined
        ? { kind: "layer", name, mtime, layer }
        : { kind: "symlink", name, mtime, target: `../${layerPath(home)}` },
    ]);
  }

  #addDocument(name: string, bytes: Buffer): void {
    this.#members.set(name, [{ kind: "file", name, mtime: 0, bytes }]);
  }
}

const VERSION: Buffer = Buffer.from("1.0");

function layerPath(id: string): string {
  return `${id}/layer.tar`;
}

function foreignSources({ layers }: SourceImage): Map<string, LayerSource> {
  return new Map(layers.flatMap(({ diffID, descriptor }) => (descriptor === undefined ? [] : [[diffID, descriptor]])));
}
