import { VarveError } from "../errors.ts";
import { Accounts } from "../fstree/accounts.ts";
import { TreePacker } from "../fstree/pack.ts";
import { joinPath, type TreeEntry } from "../fstree/tree.ts";
import { type ByteSource, copies, throwIfCancelled } from "../io/byte-source.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";
import type { FileKind, Stat } from "../sys/stat.ts";
import type { Time } from "../sys/time.ts";
import { cleanName } from "../sys/tree-root.ts";
import { hostMounts } from "./container/host-mounts.ts";
import { ContainerTree } from "./container-tree.ts";
import { noFile } from "./file-view.ts";
import { holdContainer } from "./held-container.ts";
import type { Workspace } from "./workspace.ts";

/**
 * A path of a container as Docker opens it for `docker cp`: links on the way are followed, the last component only when
 * a slash or `/.` is behind it. The container is kept from deletion until it is disposed of.
 */
export interface ContainerPath extends AsyncDisposable {
  readonly stat: ContainerPathStat;
  /** Everything below, under the last component of the path as it was asked for; byte for byte as dockerd 20.10 gives it. */
  tar(options?: { readonly signal?: AbortSignal | undefined }): ByteSource;
}

/** What Docker tells a client about a path before it copies. */
export interface ContainerPathStat {
  /** The last component as it was asked for, `/` of the root. */
  readonly name: ByteString;
  readonly kind: FileKind;
  /** The twelve permission bits. */
  readonly mode: number;
  /** As the kernel has it, also of a directory. */
  readonly size: number;
  readonly mtime: Time;
  /** Of a link, the absolute path that it leads to, which need not exist; else empty. */
  readonly linkTarget: ByteString;
}

/** @throws VarveError `not-found`, `permission` without root */
export async function openContainerPath(
  workspace: Workspace,
  name: string,
  path: ByteString,
  signal: AbortSignal | undefined,
): Promise<ContainerPath> {
  const lease = workspace.lease();
  const closers: (() => unknown)[] = [() => lease[Symbol.dispose]()];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const { container, layer } = await workspace.read(() => holdContainer(workspace, name, lease), signal);
    const view = await layer.view();
    closers.push(() => view.close());
    const tree = new ContainerTree(view.path, hostMounts(workspace, container));
    closers.push(() => tree[Symbol.dispose]());
    const found = resolve(tree, path);
    const linkTarget = (found.stat.kind === "symlink" ? `/${tree.follow(found.path)}` : "") as ByteString;
    const { kind, mode, size, mtime } = found.stat;
    const stat = { name: lastOf(path), kind, mode, size, mtime, linkTarget };
    return {
      stat,
      tar: ({ signal } = {}) => copies(pack(workspace, tree, found.path, stat.name, signal)),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @returns the clean path of what is meant */
function resolve(tree: ContainerTree, path: ByteString): { readonly path: ByteString; readonly stat: Stat } {
  const wanted = cleanName(path);
  const slash = Math.max(wanted.lastIndexOf("/"), 0);
  const isDirectory = /(^|\/)\.?$/.test(path) || wanted === "";
  const found = isDirectory
    ? tree.follow(wanted)
    : joinPath(tree.follow(wanted.slice(0, slash) as ByteString), wanted.slice(slash).replace("/", "") as ByteString);
  const stat = tree.entry(found)?.stat;
  if (stat === undefined) throw noFile(path);
  if (isDirectory && stat.kind !== "directory")
    throw new VarveError("invalid-argument", `${toText(path)}: not a directory`, { errno: "ENOTDIR" });
  return { path: found, stat };
}

/** The last component as it was asked for. Docker keeps a dot, but not a slash. */
function lastOf(path: ByteString): ByteString {
  if (/(^|\/)\.$/.test(path)) return "." as ByteString;
  const wanted = cleanName(path);
  return (wanted === "" ? "/" : wanted.slice(wanted.lastIndexOf("/") + 1)) as ByteString;
}

async function* pack(
  { driver, warn }: Workspace,
  tree: ContainerTree,
  path: ByteString,
  name: ByteString,
  signal: AbortSignal | undefined,
): ByteSource {
  const packer = new TreePacker(Accounts.ofTree(tree.root), false, {
    idMap: driver.idMap,
    onSkip: (skipped, reason) => warn(`"${toText(skipped)}" was left out: ${reason.message}`),
  });
  const top = (name === "/" ? "" : name) as ByteString;
  for (const { below, entry } of walk(tree, path))
    for (const chunk of packer.add({ ...entry, path: (below === "" ? top : `${top}/${below}`) as ByteString })) {
      throwIfCancelled(signal);
      yield chunk;
    }
  yield* packer.end();
}

/** The top, and everything below it, a directory before its content. `below` is the path from the top. */
function* walk(tree: ContainerTree, top: ByteString): Generator<{ below: ByteString; entry: TreeEntry }> {
  const ahead = ["" as ByteString];
  for (let below = ahead.pop(); below !== undefined; below = ahead.pop()) {
    const path = below === "" ? top : joinPath(top, below);
    const entry = tree.entry(path);
    if (entry === undefined) continue;
    yield { below, entry };
    if (entry.stat.kind !== "directory") continue;
    for (const name of tree.list(path).reverse()) ahead.push(joinPath(below, name));
  }
}
