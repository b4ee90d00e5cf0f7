import { posix } from "node:path";
import { isVarveError, VarveError } from "../errors.ts";
import { TreeApplier } from "../fstree/apply.ts";
import type { Identity, IdMap } from "../fstree/id-map.ts";
import { abortable, type ByteSource } from "../io/byte-source.ts";
import { closeFile } from "../sys/at.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import { statFile } from "../sys/stat.ts";
import { cleanName, TreeRoot } from "../sys/tree-root.ts";
import { cleanName as cleanLexically } from "../tar/clean-name.ts";
import type { EntrySink, PayloadHome } from "../tar/disassemble.ts";
import { type Header, TYPE } from "../tar/header.ts";
import { TarReader } from "../tar/reader.ts";
import { SparseContent } from "../tar/sparse-content.ts";

export interface CopyInOptions {
  /** Refuse to put a file where a directory is, or the other way round. */
  readonly noOverwriteDirNonDir?: boolean | undefined;
  /** Give everything to the container's user, as `docker cp -a` does; without one the tar says whose it is. */
  readonly copyUIDGID?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Unpacks a tar into a directory of a container's file system, as `docker cp` does. Nothing leaves the file system,
 * whatever names and links the tar or the container holds.
 *
 * @param options.ownerOf asked after `check`: whose everything is to be, on the host
 * @param options.container what an error calls it
 * @param options.check asked once the directory is known to be there; what it throws stops the copy
 * @throws VarveError `not-found` for the directory, `invalid-archive`
 */
export async function copyIn(
  root: string,
  directory: ByteString,
  tar: ByteSource,
  idMap: IdMap | undefined,
  options: {
    noOverwriteDirNonDir?: boolean | undefined;
    ownerOf?: (() => Identity | undefined) | undefined;
    container?: string | undefined;
    check?: (() => void) | undefined;
    signal?: AbortSignal | undefined;
  } = {},
): Promise<void> {
  refuseNoDirectory(root, directory, options.container);
  options.check?.();
  const { noOverwriteDirNonDir, signal } = options;
  const owner = options.ownerOf?.();
  // An owner is one of the host.
  const applier = new TreeApplier(root, { semantics: "plain", idMap: owner ? undefined : idMap, noOverwriteDirNonDir });
  try {
    const reader = readInto(new Below(cleanName(directory), applier, owner));
    for await (const chunk of abortable(tar, signal)) reader.write(chunk);
    reader.end();
    applier.finish();
  } catch (error) {
    applier.abort();
    if (isVarveError(error, "conflict")) throw inDirectory(error, directory);
    throw error;
  }
}

/** What cannot be overwritten, and, as Docker has it, where the tar was to go. */
function inDirectory({ code, message, details }: VarveError, directory: ByteString): VarveError {
  const place = toText(`/${cleanName(directory)}` as ByteString);
  return new VarveError(code, message.replace(/"\/"$/, `"${place}"`), details);
}

/** Nothing will be packed again, so names may come twice, and the last one counts. */
function readInto(tree: EntrySink): TarReader {
  let content: SparseContent | undefined;
  return new TarReader({
    raw() {},
    header(header) {
      tree.entry(header);
      content = header.sparse && new SparseContent(header.sparse, header.size, tree);
    },
    payload(bytes) {
      if (content === undefined) tree.data(bytes);
      else content.write(bytes);
    },
    payloadEnd() {
      content?.end();
      tree.entryEnd();
    },
  });
}

/** Puts every name below a directory; link targets too, as they are names in the same archive. */
class Below implements EntrySink {
  readonly #directory: ByteString;
  readonly #tree: EntrySink;
  readonly #owner: Identity | undefined;

  constructor(directory: ByteString, tree: EntrySink, owner: Identity | undefined) {
    this.#directory = directory;
    this.#tree = tree;
    this.#owner = owner;
  }

  entry(header: Header): PayloadHome {
    if (this.#isMeantByDot(header)) return "tree";
    this.#refuseOutside(header);
    const linkname = header.type === TYPE.hardLink ? this.#place(header.linkname) : header.linkname;
    return this.#tree.entry({ ...header, ...this.#owner, name: this.#place(header.name), linkname });
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

  /** Docker leaves the directory itself as it is when a tar has it as `./`, but not when as `/`; what is above it is not ours. */
  #isMeantByDot({ name, type }: Header): boolean {
    if (type !== TYPE.directory || name.startsWith("/") || cleanName(name) !== "") return false;
    return this.#directory !== "" || cleanLexically(name) === ".";
  }

  /** Names and links that lead above the directory are kept inside the container anyhow; Docker refuses them already. */
  #refuseOutside({ name, linkname, type }: Header): void {
    const top = `/${this.#directory}`;
    const path = posix.join(top, name);
    const outside = (what: string): VarveError =>
      new VarveError("invalid-archive", toText(what as ByteString), { name: toText(name) });
    if (posix.relative(top, path).startsWith("../")) throw outside(`"${name}" is outside of "${top}"`);
    const kind = type === TYPE.symlink ? "symlink" : type === TYPE.hardLink ? "hardlink" : undefined;
    if (kind === undefined) return;
    const target = posix.join(kind === "symlink" ? posix.dirname(path) : top, linkname);
    if (!target.startsWith(top))
      throw outside(`invalid ${kind} "${path}" -> "${kind === "symlink" ? linkname : target}"`);
  }

  #place(name: ByteString): ByteString {
    return cleanName(`${this.#directory}/${cleanLexically(name)}` as ByteString);
  }
}

function refuseNoDirectory(root: string, directory: ByteString, container = ""): void {
  using tree = new TreeRoot(root);
  const place = openPlace(tree, directory, container);
  try {
    if (statFile(place).kind === "directory") return;
    throw new VarveError("invalid-argument", "extraction point is not a directory", { path: toText(directory) });
  } finally {
    closeFile(place);
  }
}

function openPlace(tree: TreeRoot, directory: ByteString, container: string): number {
  try {
    return tree.openPlace(directory);
  } catch (error) {
    if (!isVarveError(error, "not-found")) throw error;
    const message = `Could not find the file ${toText(directory)} in container ${container}`;
    throw new VarveError("not-found", message, { path: toText(directory), container }, error);
  }
}
