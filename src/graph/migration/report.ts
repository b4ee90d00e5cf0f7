import { asVarveError, isVarveError } from "../../errors.ts";
import type { ImageID } from "../../image/image.ts";
import type { GraphID } from "../descriptor.ts";

/** What became of a v1 graph. */
export interface MigrationReport {
  readonly images: readonly MovedImage[];
  readonly containers: readonly MovedContainer[];
  readonly tags: readonly MovedTag[];
  /** What did not come across, and why. */
  readonly left: readonly Left[];
  /** Images that came across with a layer that is no longer the one that was once loaded. */
  readonly changed: readonly ChangedImage[];
  /** What was removed of the old graph: files and directories. */
  readonly removed: readonly string[];
}

export interface MovedImage {
  /** In the v1 graph. */
  readonly id: string;
  /** `undefined` in a dry run, when it has not come across yet. */
  readonly image: ImageID | undefined;
  /** Whether an earlier run, or another Docker, did it. */
  readonly before: boolean;
}

export interface MovedContainer {
  readonly id: string;
  readonly before: boolean;
}

export interface MovedTag {
  /** As Docker shows it: `ubuntu:14.04`. */
  readonly name: string;
  readonly image: ImageID | undefined;
  readonly before: boolean;
}

export interface Left {
  readonly what: "image" | "container" | "tag";
  readonly name: string;
  /** In one line. */
  readonly reason: string;
}

export interface ChangedImage {
  readonly id: string;
  /** In one line. */
  readonly reason: string;
}

/** What is told while it goes on. */
export type MigrationEvent =
  /** The layer of an image was read: `done` of `total` that have to be. */
  | { readonly kind: "checksum"; readonly id: string; readonly done: number; readonly total: number }
  /** An image came across: `done` of `total` that are to. */
  | {
      readonly kind: "image";
      readonly id: string;
      readonly image: ImageID;
      readonly done: number;
      readonly total: number;
    }
  | { readonly kind: "container"; readonly id: string }
  | { readonly kind: "tag"; readonly name: string; readonly image: ImageID }
  | ({ readonly kind: "left" } & Left)
  | ({ readonly kind: "changed" } & ChangedImage);

/** A report while it is written. Each line of it is told at once. */
export class ReportBook implements MigrationReport {
  readonly images: MovedImage[] = [];
  /** How many images are to come across in this run. */
  imagesToMove = 0;
  #movedImages = 0;
  readonly #imageIDs = new Set<string>();
  readonly containers: MovedContainer[] = [];
  readonly tags: MovedTag[] = [];
  readonly left: Left[] = [];
  readonly changed: ChangedImage[] = [];
  readonly removed: string[] = [];
  readonly #leftNames = new Set<string>();
  readonly tell: (event: MigrationEvent) => void;

  constructor(tell: (event: MigrationEvent) => void) {
    this.tell = tell;
  }

  image(id: GraphID, image: ImageID | undefined, { before }: { readonly before: boolean }): void {
    this.images.push({ id, image, before });
    this.#imageIDs.add(id);
    if (image === undefined || before) return;
    this.#movedImages++;
    this.tell({ kind: "image", id, image, done: this.#movedImages, total: this.imagesToMove });
  }

  container(id: string, { before, dryRun }: { readonly before: boolean; readonly dryRun: boolean }): void {
    this.containers.push({ id, before });
    if (!before && !dryRun) this.tell({ kind: "container", id });
  }

  tag(name: string, image: ImageID | undefined, { before, dryRun }: { before: boolean; dryRun: boolean }): void {
    this.tags.push({ name, image, before });
    if (image !== undefined && !before && !dryRun) this.tell({ kind: "tag", name, image });
  }

  leave(what: Left["what"], name: string, reason: string): void {
    this.left.push({ what, name, reason });
    this.#leftNames.add(`${what} ${name}`);
    this.tell({ kind: "left", what, name, reason });
  }

  change(id: GraphID, reason: string): void {
    this.changed.push({ id, reason });
    this.tell({ kind: "changed", id, reason });
  }

  /** Whether an image has come across or, in a dry run, would. */
  hasImage(id: string): boolean {
    return this.#imageIDs.has(id);
  }

  isLeft(what: Left["what"], name: string): boolean {
    return this.#leftNames.has(`${what} ${name}`);
  }

  /** For what concerns one thing alone. @throws what stops everything */
  leaveOver(what: Left["what"], name: string, error: unknown): void {
    const coded = asVarveError(error);
    if (!isVarveError(coded) || STOPS.some((code) => isVarveError(coded, code))) throw coded;
    this.leave(what, name, coded.message);
  }
}

const STOPS = ["cancelled", "no-space", "locked", "permission"] as const;
