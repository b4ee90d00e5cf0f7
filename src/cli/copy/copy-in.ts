import { lstatSync, realpathSync, type Stats } from "node:fs";
import { basename, posix, resolve } from "node:path";
import type { AnyStore } from "../../engine/any-store.ts";
import { archiveOf, type FileEntry, type FileView } from "../../engine/file-view.ts";
import { MountedFiles } from "../../engine/mounted-files.ts";
import { errnoOf, isVarveError, VarveError } from "../../errors.ts";
import { abortable, type ByteSource } from "../../io/byte-source.ts";
import { decompress } from "../../io/compression.ts";
import { type ByteString, fromText } from "../../sys/byte-string.ts";
import type { TargetPath } from "../target-path.ts";
import { assertsDirectory, type CopyDestination, meansContent, planCopy } from "./plan.ts";

export interface CopyInOptions {
  /** Copy what a link at the end of the path points to. */
  readonly followLink: boolean;
  readonly signal: AbortSignal;
}

/** Copies a local file or tree into a container. Owners stay what they are here, as Docker has it. */
export async function copyIn(store: AnyStore, from: string, to: TargetPath, options: CopyInOptions): Promise<void> {
  await refuseImage(store, to.target);
  const path = options.followLink || assertsDirectory(from) ? real(from) : resolve(from);
  const source = {
    isDirectory: localStat(path).isDirectory(),
    name: basename(resolve(from)),
    isContent: meansContent(from),
  };
  const { directory, name } = planCopy(source, await destinationIn(store, to));
  await using files = new MountedFiles({ path: "/", close: () => undefined }, undefined);
  const view = new RenamedTop(files, fromText(path), name === undefined ? ("/" as ByteString) : fromText(name));
  const tar = abortable(archiveOf(view, fromText(path)), options.signal);
  await store.copyIn(to.target, directory, tar, { noOverwriteDirNonDir: true, signal: options.signal });
}

/** Unpacks a tar, compressed or not, into a directory of a container. */
export async function unpackInto(store: AnyStore, tar: ByteSource, to: TargetPath, signal: AbortSignal): Promise<void> {
  await refuseImage(store, to.target);
  const { path, kind } = await destinationIn(store, to);
  if (kind !== "directory")
    throw new VarveError("conflict", `destination "${to.target}:${to.path}" must be a directory`, { path });
  await store.copyIn(to.target, path, decompress(tar), { noOverwriteDirNonDir: true, signal });
}

async function refuseImage(store: AnyStore, target: string): Promise<void> {
  try {
    await store.inspectContainer(target);
  } catch (error) {
    if (!isVarveError(error, "not-found")) throw error;
    await store.inspect(target).catch(() => {
      throw error;
    });
    const advice = `${target} is an image, and images do not change: create a container of it and copy into that`;
    throw new VarveError("unsupported", advice, { target }, error);
  }
}

function localStat(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (error) {
    throw missing(path, error);
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw missing(path, error);
  }
}

function missing(path: string, error: unknown): unknown {
  if (errnoOf(error) !== "ENOENT") return error;
  return new VarveError("not-found", `lstat ${path}: no such file or directory`, { path }, error);
}

async function destinationIn(store: AnyStore, { target, path }: TargetPath): Promise<CopyDestination> {
  const clean = posix.resolve("/", path);
  const mustBeDirectory = assertsDirectory(path);
  try {
    const { kind } = await store.stat(target, clean, { follow: true });
    return { path: clean, kind: kind === "directory" ? "directory" : "other", mustBeDirectory };
  } catch (error) {
    if (!isVarveError(error, "not-found")) throw error;
    return { path: clean, kind: undefined, mustBeDirectory };
  }
}

/** The same files, with another name for the one at a path. */
class RenamedTop implements FileView {
  readonly #view: FileView;
  readonly #path: ByteString;
  readonly #name: ByteString;

  constructor(view: FileView, path: ByteString, name: ByteString) {
    this.#view = view;
    this.#path = path;
    this.#name = name;
  }

  stat(path: ByteString, options?: { follow?: boolean }): FileEntry {
    const entry = this.#view.stat(path, options);
    return path === this.#path ? { ...entry, name: this.#name } : entry;
  }

  list(path: ByteString): FileEntry[] {
    return this.#view.list(path);
  }

  read(path: ByteString): ByteSource {
    return this.#view.read(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#view[Symbol.asyncDispose]();
  }
}
