import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { DiffID } from "../../digest/chain-id.ts";
import { isDigest, parseDigest } from "../../digest/digest.ts";
import { asVarveError, isVarveError, VarveError } from "../../errors.ts";
import type { ImageID } from "../../image/image.ts";
import { readWholeFile } from "../../io/whole-file.ts";
import { goMap, goString } from "../../json/go-type.ts";
import { formatGo } from "../../json/go-value.ts";
import { parseJson } from "../../json/json.ts";
import { syncDirectory } from "../../sys/sync.ts";
import { type GraphID, isGraphID } from "../descriptor.ts";
import type { EntryFiles } from "../entry-files.ts";

/** Which layer an entry of the graph has, as its state files say. */
export interface KnownLayer {
  readonly diffID: DiffID;
  readonly size: number;
  /** The file of its tar-split. */
  readonly split: string;
  /** Whether that is the one that Docker kept when the layer came in, or one that was made of the files later. */
  readonly isOriginal: boolean;
}

/**
 * The files by which a migration goes on where one ended (FORMATS 11.4), those of Docker 1.10 to 18.09 too: which image has
 * become of which entry, which layer each entry has, and whether the tags are across.
 */
export class MigrationState {
  readonly #files: EntryFiles;
  readonly #sync: boolean;
  readonly #mappingPath: string;
  readonly #tagsPath: string;
  readonly #images: Map<GraphID, ImageID>;
  #isSaved = true;

  /** @throws VarveError `corrupt` when `.migration-v1-images.json` cannot be read */
  constructor(root: string, files: EntryFiles, { sync }: { readonly sync: boolean }) {
    this.#files = files;
    this.#sync = sync;
    this.#mappingPath = join(root, MAPPING);
    this.#tagsPath = join(root, TAGS);
    this.#images = readMapping(this.#mappingPath);
  }

  /** Which image came of which entry. It may have been removed since. */
  get images(): ReadonlyMap<GraphID, ImageID> {
    return this.#images;
  }

  /** To be followed by `saveImages`. */
  noteImage(id: GraphID, image: ImageID): void {
    this.#images.set(id, image);
    this.#isSaved = false;
  }

  saveImages(): void {
    if (!this.#isSaved) this.#replace(this.#mappingPath, `${formatGo(this.#images)}\n`, this.#sync);
    this.#isSaved = true;
  }

  get tagsAreDone(): boolean {
    return statSync(this.#tagsPath, { throwIfNoEntry: false }) !== undefined;
  }

  noteTags(): void {
    this.#replace(this.#tagsPath, "", this.#sync);
  }

  /** Where a tar-split of the entry's files as they are now goes. */
  newSplit(id: GraphID): string {
    return this.#path(id, SPLIT);
  }

  /** Nothing when the layer was not read yet, or nobody can say what came of it. */
  layer(id: GraphID): KnownLayer | undefined {
    const diffID = notedDiffID(this.#files, id);
    const size = textOf(this.#path(id, SIZE));
    const split = this.newSplit(id);
    if (diffID === undefined || size === undefined || !/^[0-9]{1,15}$/.test(size)) return undefined;
    if (!lstatSync(split, { throwIfNoEntry: false })?.isFile()) return undefined;
    const kept = this.#files.tarData(id);
    const isOriginal = kept !== undefined && isSameFile(kept, split);
    return { diffID, size: Number(size), split, isOriginal };
  }

  /**
   * Notes which layer an entry has, in one step: the DiffID comes last.
   *
   * @param layer.isOriginal whether its tar-split is the one that was kept; else it is at `newSplit`
   */
  noteLayer(id: GraphID, layer: { diffID: DiffID; size: number; isOriginal: boolean }): void {
    const kept = this.#files.tarData(id);
    if (layer.isOriginal && kept !== undefined) {
      link(kept, this.newSplit(id));
    }
    // What a loss of power makes of them is no digest and no number: then the layer is read again.
    this.#replace(this.#path(id, SIZE), String(layer.size), false);
    this.#replace(this.#path(id, DIFF_ID), layer.diffID, false);
  }

  /** The files beside the graph, as far as they are there. */
  paths(): string[] {
    return [this.#mappingPath, this.#tagsPath].filter((path) => statSync(path, { throwIfNoEntry: false }));
  }

  #path(id: GraphID, name: string): string {
    return join(this.#files.directory, id, name);
  }

  /** Always by way of one name, so that the drafts of the dead do not gather. */
  #replace(path: string, content: string, sync: boolean): void {
    try {
      const draft = `${path}.tmp`;
      rmSync(draft, { force: true });
      const fd = openSync(draft, "wx", 0o600);
      try {
        writeFileSync(fd, content);
        if (sync) fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(draft, path);
      if (sync) syncDirectory(dirname(path));
    } catch (error) {
      throw asVarveError(error);
    }
  }
}

/** Which layer a migration found an entry to have, if one was there. */
export function notedDiffID({ directory }: EntryFiles, id: GraphID): DiffID | undefined {
  const text = textOf(join(directory, id, DIFF_ID));
  return text !== undefined && isDigest(text) ? text : undefined;
}

/** What is no such file says nothing, and is replaced. */
function textOf(path: string): string | undefined {
  try {
    return readWholeFile(path, MAX_TEXT)?.toString("latin1").trim();
  } catch (error) {
    if (isVarveError(error, "corrupt") || isVarveError(error, "too-large")) return undefined;
    throw error;
  }
}

const MAPPING = ".migration-v1-images.json";
const TAGS = ".migration-v1-tags";
const DIFF_ID = ".migration-diffid";
const SIZE = ".migration-size";
const SPLIT = ".migration-tardata";
const MAX_MAPPING = 256 << 20;
const MAX_TEXT = 4096;

const mappingType = goMap(goString);

function readMapping(path: string): Map<GraphID, ImageID> {
  const images = new Map<GraphID, ImageID>();
  const bytes = readWholeFile(path, MAX_MAPPING);
  if (bytes === undefined) return images;
  try {
    const stored = mappingType.read(parseJson(bytes, { first: true }), null, "");
    for (const [id, image] of stored ?? []) if (isGraphID(id)) images.set(id, parseDigest(image));
    return images;
  } catch (error) {
    if (!isVarveError(error)) throw error;
    const advice = "without this file another run looks at every image again";
    throw new VarveError("corrupt", `${path}: ${error.message} (${advice})`, { path }, error);
  }
}

function link(path: string, name: string): void {
  try {
    rmSync(name, { force: true });
    linkSync(path, name);
  } catch (error) {
    throw asVarveError(error);
  }
}

/** A backup may have made two files of one. */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [statSync(one), statSync(other)];
  if (a.ino === b.ino && a.dev === b.dev) return true;
  return a.size === b.size && (readWholeFile(one, a.size)?.equals(readWholeFile(other, b.size) ?? NOTHING) ?? false);
}

const NOTHING: Buffer = Buffer.alloc(0);
