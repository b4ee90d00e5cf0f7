import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Stores } from "../archive/archive.ts";
import type { DiffID } from "../digest/chain-id.ts";
import { type Digest, digestOf, hexOf } from "../digest/digest.ts";
import { openDriver } from "../driver/select.ts";
import { FileBackend } from "../image/file-backend.ts";
import type { ImageID } from "../image/image.ts";
import { ImageStore } from "../image/store.ts";
import { FileMetadata } from "../layer/file-metadata.ts";
import { LayerStore } from "../layer/store.ts";
import { ReferenceStore } from "../reference/reference-store.ts";
import { type TarEntry, tarOf } from "./tar-entries.ts";
import { listTree } from "./tree-listing.ts";

/** The stores of a data-root as an engine opens them, for one that has the root to itself. */
export async function openStores(root: string, driverName?: string): Promise<Stores> {
  const driver = await openDriver(root, { name: driverName, durability: "none" });
  const directory = join(root, "image", driver.name);
  const layers = await LayerStore.open({
    driver,
    metadata: new FileMetadata(join(directory, "layerdb"), { sync: false }),
  });
  const images = ImageStore.open({ backend: new FileBackend(join(directory, "imagedb"), { sync: false }), layers });
  const references = ReferenceStore.open(join(directory, "repositories.json"), { sync: false });
  return { layers, images, references };
}

/** A temporary data-root of the rootless driver and a place for scratch files beside it. */
export class ArchiveBench {
  readonly directory: string = mkdtempSync(join(tmpdir(), "varve-archive-"));
  readonly root: string = join(this.directory, "root");
  readonly temporary: string = join(this.directory, "tmp");

  stores(): Promise<Stores> {
    return openStores(this.root, "rootless");
  }

  /** Those of a fresh root that nobody else uses. */
  otherStores(): Promise<Stores> {
    return openStores(mkdtempSync(join(this.directory, "other-")), "rootless");
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** All that a failure must leave as it was: every file of the root and of the scratch directory, but for times. */
  snapshot(): unknown[] {
    return [this.root, this.temporary].flatMap((directory) => {
      try {
        return listTree(directory)
          .filter(({ kind }) => kind !== "directory")
          .map(({ mtime, ...record }) => record);
      } catch {
        return [];
      }
    });
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** An image as a test makes it up. */
export interface MadeImage {
  readonly raw: Buffer;
  readonly id: ImageID;
  /** Uncompressed tars, bottom first. */
  readonly layers: readonly Buffer[];
  readonly diffIDs: readonly DiffID[];
}

/** @param fields other keys of the config, or other values for the usual ones */
export function makeImage(layers: readonly Buffer[], fields: Readonly<Record<string, unknown>> = {}): MadeImage {
  const diffIDs = layers.map((layer) => digestOf(layer));
  const config = {
    architecture: "amd64",
    created: "2020-09-13T12:26:40.5Z",
    os: "linux",
    rootfs: { type: "layers", diff_ids: diffIDs },
    ...fields,
  };
  const raw = Buffer.from(JSON.stringify(config));
  return { raw, id: digestOf(raw), layers, diffIDs };
}

/** A layer with one file. */
export function makeLayer(name: string, content: string = name): Buffer {
  return tarOf([{ name, content }]);
}

export interface ArchivedImage {
  readonly image: MadeImage;
  readonly tags?: readonly string[];
  readonly parent?: string;
  /** Other keys of its item in `manifest.json`. */
  readonly item?: Readonly<Record<string, unknown>>;
}

/** The members of an archive with a `manifest.json`, for a test to spoil. */
export function dockerMembers(archived: readonly ArchivedImage[]): TarEntry[] {
  const members = new Map<string, TarEntry>();
  const manifest = archived.map(({ image, tags = null, parent, item }) => {
    const paths = image.diffIDs.map((diffID) => `${hexOf(diffID)}/layer.tar`);
    for (const [i, name] of paths.entries()) members.set(name, { name, content: image.layers[i]! });
    const config = `${hexOf(image.id)}.json`;
    members.set(config, { name: config, content: image.raw });
    return { Config: config, RepoTags: tags, Layers: paths, ...(parent !== undefined && { Parent: parent }), ...item };
  });
  return [...members.values(), { name: "manifest.json", content: JSON.stringify(manifest) }];
}

export interface OciBlob {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** Blobs of an OCI layout, as a test puts them together. */
export class OciLayout {
  readonly blobs: Map<string, Uint8Array> = new Map();

  add(mediaType: string, content: Uint8Array | object): OciBlob {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    this.blobs.set(`blobs/sha256/${hexOf(digest)}`, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** @param squeeze compresses the layers */
  addImage(image: MadeImage, squeeze: (layer: Buffer) => Buffer = (layer) => layer): OciBlob {
    const config = this.add("application/vnd.oci.image.config.v1+json", image.raw);
    const layers = image.layers.map((layer) => this.add("application/vnd.oci.image.layer.v1.tar", squeeze(layer)));
    return this.addManifest({ config, layers });
  }

  addManifest(manifest: object): OciBlob {
    return this.add(OCI_MANIFEST, { schemaVersion: 2, mediaType: OCI_MANIFEST, ...manifest });
  }

  addIndex(manifests: readonly object[]): OciBlob {
    return this.add(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  }

  /** The members of an archive with this `index.json`. */
  members(manifests: readonly object[]): TarEntry[] {
    return [
      { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
      { name: "index.json", content: JSON.stringify({ schemaVersion: 2, manifests }) },
      ...[...this.blobs].map(([name, content]) => ({ name, content })),
    ];
  }
}

const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
