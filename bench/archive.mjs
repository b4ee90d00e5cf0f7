// Docker archives made by hand: the tar of a layer out of entries, and the archive that holds layers, configs and a manifest.
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { END_OF_ARCHIVE, encodeHeader, fromText, newHeader, paddingOf } from "varve/tar";

const WINDOW = 1 << 20;
const MTIME = { seconds: 1_700_000_000, nanoseconds: 0 };

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string | Uint8Array} [content]
 * @property {string} [type] typeflag; a file unless told
 * @property {string} [link]
 * @property {number} [mode]
 * @property {[number, number]} [device]
 * @property {Record<string, string>} [xattrs]
 *
 * @typedef {object} LayerFile
 * @property {string} diffID
 * @property {number} size
 * @property {string} [path] where the tar is, unless `bytes` has it
 * @property {Uint8Array} [bytes]
 *
 * @typedef {{ reference: string, layers: LayerFile[] }} ImageParts
 */

/** @param {Entry[]} entries @returns {Buffer} */
export function tarOf(entries) {
  return Buffer.concat([...entries.flatMap(blocksOf), END_OF_ARCHIVE]);
}

/** @param {Entry} entry */
function blocksOf({ name, content = "", type = "0", link = "", mode, device = [0, 0], xattrs = {} }) {
  const bytes = Buffer.from(content);
  const header = newHeader({
    name: fromText(name),
    linkname: fromText(link),
    type,
    mode: mode ?? (type === "5" ? 0o755 : 0o644),
    size: bytes.length,
    mtime: MTIME,
    deviceMajor: device[0],
    deviceMinor: device[1],
    records: new Map(Object.entries(xattrs).map(([key, value]) => [`SCHILY.xattr.${key}`, fromText(value)])),
  });
  return [encodeHeader(header), bytes, paddingOf(bytes.length)];
}

/** @param {Uint8Array} bytes @returns {LayerFile} */
export function layerOf(bytes) {
  return { diffID: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, size: bytes.length, bytes };
}

/** @param {string} path @returns {LayerFile} */
export function layerAt(path) {
  const hash = createHash("sha256");
  let size = 0;
  for (const bytes of windowsOf(path)) {
    hash.update(bytes);
    size += bytes.length;
  }
  return { diffID: `sha256:${hash.digest("hex")}`, size, path };
}

/**
 * Writes the archive that `docker load` takes. A layer that several images share is in it once.
 * @param {string} path @param {ImageParts[]} images
 * @returns {string[]} the images' IDs
 */
export function writeArchive(path, images) {
  const file = openSync(path, "w");
  const put = (/** @type {Uint8Array} */ bytes) => {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
  };
  const begin = (/** @type {string} */ name, /** @type {number} */ size) =>
    put(encodeHeader(newHeader({ name: fromText(name), mode: 0o644, size, mtime: MTIME })));
  const manifest = [];
  const written = new Set();
  const ids = [];
  for (const { reference, layers } of images) {
    const names = layers.map(({ diffID }) => `${hexOf(diffID)}/layer.tar`);
    for (const [index, { diffID, size, path: source, bytes }] of layers.entries()) {
      if (written.has(diffID)) continue;
      written.add(diffID);
      begin(names[index], size);
      for (const window of source === undefined ? [bytes ?? Buffer.alloc(0)] : windowsOf(source)) put(window);
      put(paddingOf(size));
    }
    const config = Buffer.from(JSON.stringify(configOf(reference, layers)));
    const id = createHash("sha256").update(config).digest("hex");
    ids.push(`sha256:${id}`);
    put(Buffer.concat(blocksOf({ name: `${id}.json`, content: config })));
    manifest.push({ Config: `${id}.json`, RepoTags: [reference], Layers: names });
  }
  put(Buffer.concat([...blocksOf({ name: "manifest.json", content: JSON.stringify(manifest) }), END_OF_ARCHIVE]));
  closeSync(file);
  return ids;
}

/** @param {string} reference @param {LayerFile[]} layers */
function configOf(reference, layers) {
  const created = new Date(MTIME.seconds * 1000).toISOString();
  return {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    config: { Env: ["PATH=/usr/bin:/bin"], Cmd: ["/bin/sh"], Labels: { reference } },
    created,
    history: layers.map((_, index) => ({ created, created_by: `layer ${index + 1}` })),
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map(({ diffID }) => diffID) },
  };
}

/** @param {string} digest */
function hexOf(digest) {
  return digest.slice("sha256:".length);
}

/** The file in pieces of one buffer, each valid until the next is asked for. @param {string} path */
function* windowsOf(path) {
  const file = openSync(path, "r");
  const window = Buffer.allocUnsafe(WINDOW);
  try {
    for (let count = readSync(file, window); count > 0; count = readSync(file, window)) yield window.subarray(0, count);
  } finally {
    closeSync(file);
  }
}
