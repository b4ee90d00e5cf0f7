import { statSync } from "node:fs";
import { posix, resolve } from "node:path";
import type { AnyStore } from "../../engine/any-store.ts";
import type { FileEntry } from "../../engine/file-view.ts";
import { asVarveError, VarveError } from "../../errors.ts";
import { TreeApplier } from "../../fstree/apply.ts";
import { abortable } from "../../io/byte-source.ts";
import { type ByteString, fromText, toText } from "../../sys/byte-string.ts";
import { isRoot } from "../../sys/rank.ts";
import { Disassembler, type EntrySink, type PayloadHome } from "../../tar/disassemble.ts";
import { type Header, TYPE } from "../../tar/header.ts";
import type { TargetPath } from "../target-path.ts";
import { assertsDirectory, type CopyDestination, meansContent, planCopy } from "./plan.ts";

export interface CopyOutOptions {
  /** Copy what a link at the end of the path points to. */
  readonly followLink: boolean;
  /** Give files the owners that they have in the image, instead of the caller. Needs root. */
  readonly keepsOwners: boolean;
  readonly signal: AbortSignal;
}

/** Copies a file or a tree of an image or a container to a local path. */
export async function copyOut(store: AnyStore, from: TargetPath, to: string, options: CopyOutOptions): Promise<void> {
  const found = await findSource(store, from, options.followLink);
  const source = {
    isDirectory: found.entry.kind === "directory",
    name: toText(found.name),
    isContent: meansContent(from.path),
  };
  const { directory, name } = planCopy(source, localDestination(to));
  const owner = options.keepsOwners && isRoot() ? undefined : { uid: process.geteuid!(), gid: process.getegid!() };
  const applier = new TreeApplier(directory, {
    semantics: "plain",
    unprivileged: !isRoot(),
    noOverwriteDirNonDir: true,
  });
  try {
    const tree = new Renamed(found.entry.name, name === undefined ? undefined : fromText(name), owner, applier);
    const disassembler = new Disassembler({ line: () => {}, tree });
    for await (const chunk of abortable(store.archive(from.target, found.path), options.signal))
      disassembler.write(chunk);
    disassembler.end();
    applier.finish();
  } catch (error) {
    applier.abort();
    throw asVarveError(error);
  }
}

/** What is copied: after links at the end were followed, it keeps the name of the first. */
export async function findSource(
  store: AnyStore,
  { target, path }: TargetPath,
  followLink: boolean,
): Promise<{ entry: FileEntry; name: ByteString; path: string }> {
  let at = path.startsWith("/") ? path : `/${path}`;
  let entry = await store.stat(target, at);
  const { name } = entry;
  for (let links = 0; followLink && entry.kind === "symlink"; links++) {
    if (links === LINK_LIMIT) throw new VarveError("conflict", `${path}: too many levels of symbolic links`, { path });
    at = posix.resolve(posix.dirname(posix.resolve(at)), toText(entry.linkTarget!));
    entry = await store.stat(target, at);
  }
  if (entry.kind !== "directory" && assertsDirectory(path))
    throw new VarveError("conflict", `${path}: not a directory`, { path });
  return { entry, name, path: at };
}

/** As many as the kernel follows. */
const LINK_LIMIT = 40;

function localDestination(to: string): CopyDestination {
  const path = resolve(to);
  const stat = statSync(path, { throwIfNoEntry: false });
  const kind = stat === undefined ? undefined : stat.isDirectory() ? "directory" : "other";
  const parent = resolve(path, "..");
  if (kind === undefined && statSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new VarveError("not-found", `invalid output path: directory "${parent}" does not exist`, { path: parent });
  return { path, kind, mustBeDirectory: assertsDirectory(to) };
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Gives the top of an archive, and with it everything below, another name and owner. */
class Renamed implements EntrySink {
  readonly #from: string;
  readonly #to: ByteString | undefined;
  readonly #owner: Owner | undefined;
  readonly #tree: EntrySink;

  /** @param to undefined drops the top: what is in it goes straight into the tree's root */
  constructor(from: ByteString, to: ByteString | undefined, owner: Owner | undefined, tree: EntrySink) {
    this.#from = from === "/" ? "" : from;
    this.#to = to;
    this.#owner = owner;
    this.#tree = tree;
  }

  entry(header: Header): PayloadHome {
    const linkname = header.type === TYPE.hardLink ? this.#rename(header.linkname) : header.linkname;
    return this.#tree.entry({ ...header, ...this.#owner, name: this.#rename(header.name), linkname });
  }

  data(bytes: Uint8Array): void {
    this.#tree.data(bytes);
  }

  hole(length: number): void {
    this.#tree.hole(length);
  }

  entryEnd(): void {
    this.#tree.entryEnd();
  }

  #rename(name: ByteString): ByteString {
    const below = name === "./" ? "" : name.slice(this.#from.length).replace(/^\//, "");
    if (this.#to === undefined) return (below === "" ? "./" : below) as ByteString;
    return (below === "" ? this.#to : `${this.#to}/${below}`) as ByteString;
  }
}
