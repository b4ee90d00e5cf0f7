import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { changeOwnerAt, closeFile, makeNodeAt, openDirectory, setTimesAt } from "../sys/at.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { statAt } from "../sys/stat.ts";
import { setXattrAt } from "../sys/xattr.ts";
import { entriesOf, type V1Entry } from "./v1-tar-data.ts";

/** The drivers that a v1 graph can be made for: those of the old ones that Varve reads, and overlay2. */
export type V1Driver = "vfs" | "overlay2";

/**
 * Makes a driver's tree out of a layer, by GNU tar and an own conversion of whiteouts: on overlay2 devices and marks, on
 * vfs a full copy of the parent with the deletions done. Needs root.
 *
 * @returns the layer's size as the driver counts it
 */
export function makeV1Tree(
  root: string,
  driver: V1Driver,
  id: string,
  parent: string | undefined,
  tar: Buffer,
): number {
  const tree = emptyV1Tree(root, driver, id, parent);
  if (driver === "vfs" && parent !== undefined) copyTree(v1TreeOf(root, driver, parent), tree);
  const entries = entriesOf(tar).filter(({ type }) => type !== "g");
  const paths = entries.map(({ name }) => pathIn(tree, name));

  for (const [i, { type }] of entries.entries()) {
    const path = paths[i]!;
    makeParents(tree, path, driver === "vfs" ? 0o600 : 0o755);
    if (!isWhiteout(path)) makeWay(path, type);
    else if (driver === "vfs") whiteOut(path);
  }
  extract(tree, tar);
  if (driver === "overlay2") {
    // A layer's entry for its own root changes nothing there.
    chmodSync(tree, 0o755);
    chownSync(tree, 0, 0);
    for (const [i, entry] of entries.entries()) if (isWhiteout(paths[i]!)) markWhiteout(paths[i]!, entry);
    return sizeOf(tree);
  }
  return entries.reduce((sum, { size }) => sum + size, 0);
}

/** Makes the driver's directories for an id, its tree empty. @returns the tree's path */
export function emptyV1Tree(root: string, driver: V1Driver, id: string, parent: string | undefined): string {
  const tree = v1TreeOf(root, driver, id);
  if (driver === "vfs") {
    mkdirSync(dirname(tree), { recursive: true, mode: 0o700 });
    mkdirSync(tree, { mode: 0o755 });
    return tree;
  }
  const home = dirname(tree);
  const link = randomBytes(13)
    .toString("hex")
    .toUpperCase()
    .replace(/[0189]/g, "Q");
  mkdirSync(join(root, driver, "l"), { recursive: true, mode: 0o700 });
  mkdirSync(home, { mode: 0o700 });
  mkdirSync(tree, { mode: 0o755 });
  writeFileSync(join(home, "link"), link, { mode: 0o644 });
  symlinkSync(`../${id}/diff`, join(root, driver, "l", link));
  if (parent === undefined) return tree;
  const above = join(root, driver, parent);
  const lowers = [`l/${readFileSync(join(above, "link"), "utf8")}`];
  if (existsSync(join(above, "lower"))) lowers.push(readFileSync(join(above, "lower"), "utf8"));
  mkdirSync(join(home, "work"), { mode: 0o700 });
  writeFileSync(join(home, "lower"), lowers.join(":"), { mode: 0o644 });
  return tree;
}

/** Where a driver keeps the files of an id: of the whole layer stack on vfs, of the layer alone on overlay2. */
export function v1TreeOf(root: string, driver: V1Driver, id: string): string {
  return driver === "vfs" ? join(root, "vfs", "dir", id) : join(root, "overlay2", id, "diff");
}

/** A full copy as vfs makes it, which keeps of extended attributes the capabilities alone. */
function copyTree(from: string, to: string): void {
  const attributes = "--xattrs --xattrs-include=security.capability";
  const script = `set -o pipefail; tar -C "$1" --format=posix ${attributes} -c . | tar -C "$2" -p ${attributes} -x`;
  execFileSync("bash", ["-c", script, "bash", from, to]);
}

function extract(tree: string, tar: Buffer): void {
  const options = ["-p", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--exclude=.wh.*"];
  execFileSync("tar", ["-C", tree, ...options, "-x", "-f", "-"], { input: tar });
}

/** Bytes, so that a name in any encoding finds its file. */
function pathIn(tree: string, name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new Error(`${name}: a fixture's layer must stay in its tree`);
  return [Buffer.from(tree).toString("latin1"), ...parts].join("/");
}

function onDisk(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

/** Makes the directories that a layer has no entry of; none may lead out of the tree by a link of a lower layer. */
function makeParents(tree: string, path: string, mode: number): void {
  const parent = dirname(path);
  if (parent.length < tree.length) return;
  if (lstatSync(onDisk(parent), { throwIfNoEntry: false }) === undefined) {
    makeParents(tree, parent, mode);
    mkdirSync(onDisk(parent));
    chmodSync(onDisk(parent), mode);
  }
  const real = realpathSync.native(onDisk(parent) as never, "latin1" as never);
  const top = realpathSync.native(tree);
  if (real !== top && !real.startsWith(`${top}/`)) throw new Error(`${path} leads out of its tree`);
}

function isWhiteout(path: string): boolean {
  return nameOf(path).startsWith(".wh.");
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

const OPAQUE = ".wh..wh..opq";

/** Deletes what a marker says; a layer's own files come after it. */
function whiteOut(marker: string): void {
  const parent = dirname(marker);
  const gone =
    nameOf(marker) === OPAQUE
      ? readdirSync(onDisk(parent), { encoding: "latin1" as never }).map((name) => `${parent}/${name}`)
      : [`${parent}/${nameOf(marker).slice(".wh.".length)}`];
  for (const path of gone) rmSync(onDisk(path), { recursive: true, force: true });
}

/** Removes what an entry replaces; a directory stays under a directory. */
function makeWay(path: string, type: string): void {
  const there = lstatSync(onDisk(path), { throwIfNoEntry: false });
  if (there !== undefined && !(there.isDirectory() && type === "5")) rmSync(onDisk(path), { recursive: true });
}

/** Turns a marker into what the overlay file system knows, and leaves its directory's times as they are. */
function markWhiteout(marker: string, { uid, gid }: V1Entry): void {
  const dir = openDirectory(onDisk(dirname(marker)));
  try {
    const self = "." as ByteString;
    const { atime, mtime } = statAt(dir, self)!;
    if (nameOf(marker) === OPAQUE) setXattrAt(dir, self, "trusted.overlay.opaque", Buffer.from("y"));
    else {
      const name = nameOf(marker).slice(".wh.".length) as ByteString;
      // An entry of the same name in the same layer takes the place of the device.
      if (statAt(dir, name) === undefined) {
        makeNodeAt(dir, name, 0o020000, 0, 0);
        changeOwnerAt(dir, name, uid, gid);
      }
      setTimesAt(dir, self, atime, mtime);
    }
  } finally {
    closeFile(dir);
  }
}

/** All bytes but those of directories, hard links once. */
function sizeOf(tree: string): number {
  const lines = execFileSync("find", [tree, "!", "-type", "d", "-printf", "%i %s\n"], { maxBuffer: 1 << 28 });
  const sizes = new Map(
    lines
      .toString()
      .split("\n")
      .slice(0, -1)
      .map((line) => line.split(" ") as [string, string]),
  );
  return [...sizes.values()].reduce((sum, size) => sum + Number(size), 0);
}
