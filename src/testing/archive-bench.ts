import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Stores } from "../archive/archive.ts";
import { openDriver } from "../driver/select.ts";
import { FileBackend } from "../image/file-backend.ts";
import { ImageStore } from "../image/store.ts";
import { FileMetadata } from "../layer/file-metadata.ts";
import { LayerStore } from "../layer/store.ts";
import { ReferenceStore } from "../reference/reference-store.ts";
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
